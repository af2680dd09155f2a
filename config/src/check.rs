//! Comparing a tree with a JSON Schema: everything that does not fit, at once.
//!
//! It knows what the schemas of configuration types use: `$ref`, `type`, `properties`, `required`,
//! `additionalProperties`, `items`, `enum`, `const`, `allOf`, `anyOf`, `oneOf`. Ranges are the types' own business.

use serde_json::Value as Json;

use crate::read::{error, hint, join};
use crate::{Errors, Location, Node, Value};

/// How deep a schema may refer to itself.
const MAX_DEPTH: usize = 64;

/// Everything in `node` that does not fit `schema`.
pub(crate) fn check(schema: &Json, node: &Node, path: &str) -> Errors {
    let mut check = Check { root: schema, errors: Errors::default() };
    // A section of nothing is a section without keys.
    let empty = Node::new(Value::Map(indexmap::IndexMap::new()), node.location.clone());
    check.node(schema, if node.value == Value::Null { &empty } else { node }, path, 0);
    check.errors
}

struct Check<'a> {
    root: &'a Json,
    errors: Errors,
}

impl<'a> Check<'a> {
    fn resolve(&self, mut schema: &'a Json) -> &'a Json {
        for _ in 0..MAX_DEPTH {
            let target = schema
                .get("$ref")
                .and_then(Json::as_str)
                .and_then(|reference| self.root.pointer(reference.strip_prefix('#')?));
            match target {
                Some(target) => schema = target,
                None => break,
            }
        }
        schema
    }

    fn fits(&self, schema: &'a Json, node: &Node, depth: usize) -> bool {
        let mut check = Check { root: self.root, errors: Errors::default() };
        check.node(schema, node, "", depth);
        check.errors.0.is_empty()
    }

    fn wrong(&mut self, location: &Location, path: &str, message: String, hint: Option<String>) {
        self.errors.0.push(error(location, path, message, hint));
    }

    fn node(&mut self, schema: &'a Json, node: &Node, path: &str, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        let schema = self.resolve(schema);
        for part in list(schema, "allOf") {
            self.node(part, node, path, depth + 1);
        }
        let alternatives: Vec<_> = list(schema, "anyOf").chain(list(schema, "oneOf")).collect();
        if !alternatives.is_empty() && !alternatives.iter().any(|part| self.fits(part, node, depth + 1)) {
            self.none_fits(&alternatives, node, path, depth);
            return;
        }
        if !self.has_type(schema, node, path) {
            return;
        }
        self.names(schema, node, path);
        match &node.value {
            Value::Map(map) => {
                // A map whose keys only alternatives know says nothing about other keys.
                for (key, (location, child)) in map {
                    self.entry(schema, key, location, child, &join(path, key), depth);
                }
                for key in list(schema, "required").filter_map(Json::as_str) {
                    if !map.contains_key(key) {
                        self.wrong(&node.location, path, format!("the key `{key}` is required"), None);
                    }
                }
            }
            Value::List(nodes) => {
                if let Some(items) = schema.get("items") {
                    for (i, child) in nodes.iter().enumerate() {
                        self.node(items, child, &join(path, &i.to_string()), depth + 1);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) => {}
        }
    }

    fn entry(
        &mut self,
        schema: &'a Json,
        key: &str,
        location: &Location,
        child: &Node,
        path: &str,
        depth: usize,
    ) {
        let properties = schema.get("properties").and_then(Json::as_object);
        match (properties.and_then(|properties| properties.get(key)), schema.get("additionalProperties")) {
            (Some(property), _) => self.node(property, child, path, depth + 1),
            (None, Some(Json::Bool(false))) => {
                let known =
                    properties.into_iter().flat_map(|properties| properties.keys().map(String::as_str));
                self.wrong(location, path, "unknown key".to_owned(), hint(key, known));
            }
            (None, Some(additional)) => self.node(additional, child, path, depth + 1),
            (None, None) => {}
        }
    }

    /// Reports what is wrong by the alternative that is meant most likely.
    fn none_fits(&mut self, alternatives: &[&'a Json], node: &Node, path: &str, depth: usize) {
        let names: Vec<_> = alternatives.iter().flat_map(|part| allowed(self.resolve(part))).collect();
        if let (Value::String(text), false) = (&node.value, names.is_empty()) {
            self.wrong(&node.location, path, format!("unknown value `{text}`"), hint(text, names));
            return;
        }
        let typed = alternatives.iter().find(|part| {
            let types = types(self.resolve(part));
            !types.iter().all(|name| *name == "null") && types.iter().any(|name| is(node, name))
        });
        let first = alternatives.iter().find(|part| types(self.resolve(part)) != ["null"]);
        if let Some(part) = typed.or(first) {
            self.node(part, node, path, depth + 1);
        }
    }

    fn has_type(&mut self, schema: &Json, node: &Node, path: &str) -> bool {
        let types = types(schema);
        // `key:` without a value asks for the defaults of a map and for an empty list.
        let is_empty =
            node.value == Value::Null && types.iter().any(|name| matches!(*name, "object" | "array"));
        if types.is_empty() || is_empty || types.iter().any(|name| is(node, name)) {
            return true;
        }
        let expected: Vec<_> = types.iter().filter(|name| **name != "null").map(|name| noun(name)).collect();
        let message = format!("expected {}, found {}", expected.join(" or "), node.kind());
        self.wrong(&node.location, path, message, None);
        false
    }

    /// `enum` and `const` of texts.
    fn names(&mut self, schema: &Json, node: &Node, path: &str) {
        let names: Vec<_> = allowed(schema).collect();
        if let (Value::String(text), false) = (&node.value, names.is_empty())
            && !names.contains(&text.as_str())
        {
            self.wrong(&node.location, path, format!("unknown value `{text}`"), hint(text, names));
        }
    }
}

fn list<'a>(schema: &'a Json, key: &str) -> std::slice::Iter<'a, Json> {
    schema.get(key).and_then(Json::as_array).map_or_else(|| [].iter(), |parts| parts.iter())
}

fn types(schema: &Json) -> Vec<&str> {
    match schema.get("type") {
        Some(Json::String(name)) => vec![name],
        Some(Json::Array(names)) => names.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

fn allowed(schema: &Json) -> impl Iterator<Item = &str> {
    list(schema, "enum").chain(schema.get("const")).filter_map(Json::as_str)
}

fn is(node: &Node, name: &str) -> bool {
    match (&node.value, name) {
        (Value::Null, "null")
        | (Value::Bool(_), "boolean")
        | (Value::Int(_), "integer" | "number")
        | (Value::Float(_), "number")
        | (Value::String(_), "string")
        | (Value::List(_), "array")
        | (Value::Map(_), "object") => true,
        (_, "string") => node.written.is_some(),
        _ => false,
    }
}

fn noun(name: &str) -> &str {
    match name {
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "text",
        "array" => "a list",
        "object" => "a map",
        _ => "nothing",
    }
}
