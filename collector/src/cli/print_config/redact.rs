//! Replacing secrets: what the schema marks, what a key's name gives away, and passwords in URLs.

use component::{Kind, Registry};
use config::{ComponentId, Node, Value};
use schemars::SchemaGenerator;
use serde_json::Value as Json;

const REDACTED: &str = "[REDACTED]";
/// Parts of keys, in lower case and without separators, whose values are secrets even if no schema says so.
const SECRET_NAMES: &[&str] = &[
    "apikey",
    "accesskey",
    "authorization",
    "cookie",
    "credential",
    "integrationkey",
    "keypem",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "routingkey",
    "secret",
    "token",
];

/// Redacts a whole configuration.
pub(super) fn redact(tree: &mut Node, registry: &Registry) {
    for kind in [Kind::Receiver, Kind::Processor, Kind::Exporter, Kind::Connector, Kind::Extension] {
        let Value::Map(top) = &mut tree.value else { return };
        let Some((_, Node { value: Value::Map(sections), .. })) = top.get_mut(kind.section()) else {
            continue;
        };
        for (key, (_, node)) in sections {
            let Ok(id) = key.parse::<ComponentId>() else { continue };
            let specs = registry.specs(kind);
            let named = |(name, aliases, _): &&(&str, &[&str], _)| {
                *name == id.type_name() || aliases.contains(&id.type_name())
            };
            if let Some((_, _, spec)) = specs.iter().find(named) {
                let mut generator = SchemaGenerator::default();
                let schema = (spec.schema)(&mut generator);
                let definitions = Json::Object(generator.take_definitions(true));
                by_schema(node, schema.as_value(), &definitions);
            }
        }
    }
    by_name(tree);
}

/// Redacts what the schema marks as secret.
fn by_schema(node: &mut Node, schema: &Json, definitions: &Json) {
    let target = schema
        .get("$ref")
        .and_then(Json::as_str)
        .and_then(|name| definitions.get(name.strip_prefix("#/$defs/")?));
    if let Some(target) = target {
        by_schema(node, target, definitions);
    }
    if schema.get("x-secret").is_some() {
        hide(node);
        return;
    }
    for part in ["anyOf", "oneOf", "allOf"].iter().filter_map(|key| schema.get(*key)?.as_array()).flatten() {
        by_schema(node, part, definitions);
    }
    match &mut node.value {
        Value::Map(map) => {
            for (key, (_, child)) in map {
                let property = schema.get("properties").and_then(|properties| properties.get(key));
                if let Some(schema) = property.or_else(|| schema.get("additionalProperties")) {
                    by_schema(child, schema, definitions);
                }
            }
        }
        Value::List(nodes) => {
            if let Some(items) = schema.get("items") {
                nodes.iter_mut().for_each(|node| by_schema(node, items, definitions));
            }
        }
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) => {}
    }
}

/// Redacts values under keys whose names give them away, and passwords in URLs.
fn by_name(node: &mut Node) {
    match &mut node.value {
        Value::Map(map) => {
            for (key, (_, child)) in map {
                if is_secret(key) && !matches!(child.value, Value::Map(_) | Value::List(_) | Value::Bool(_)) {
                    hide(child);
                } else {
                    by_name(child);
                }
            }
        }
        Value::List(nodes) => nodes.iter_mut().for_each(by_name),
        Value::String(text) => {
            if let Some(hidden) = without_password(text) {
                *text = hidden;
            }
        }
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => {}
    }
}

fn is_secret(key: &str) -> bool {
    let plain: String = key.to_ascii_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    // The path of a file that holds a secret is none.
    let is_place = ["file", "path", "url", "endpoint"].iter().any(|end| plain.ends_with(end));
    !is_place && SECRET_NAMES.iter().any(|name| plain.contains(name))
}

fn without_password(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user, host) = authority.rsplit_once('@')?;
    let (name, _) = user.split_once(':')?;
    Some(format!("{scheme}://{name}:{REDACTED}@{host}{}", &rest[authority.len()..]))
}

fn hide(node: &mut Node) {
    if node.value != Value::Null {
        node.value = Value::String(REDACTED.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Registry =
        Registry { receivers: &[], processors: &[], exporters: &[], connectors: &[], extensions: &[] };

    #[test]
    fn names_and_urls_give_secrets_away() {
        let json = serde_json::json!({"exporters": {"x": {
            "headers": {"Authorization": "Bearer a", "x-api-key": 5, "Accept": "b"},
            "password_file": "/run/secret",
            "endpoint": "https://me:hunter2@example.com:1/p?q",
        }}});
        let mut tree = Node::from_json(&json, &config::Location::nowhere("inline"));
        redact(&mut tree, &NOTHING);
        let expected = serde_json::json!({"exporters": {"x": {
            "headers": {"Authorization": "[REDACTED]", "x-api-key": "[REDACTED]", "Accept": "b"},
            "password_file": "/run/secret",
            "endpoint": "https://me:[REDACTED]@example.com:1/p?q",
        }}});
        assert_eq!(tree.to_json(), expected);
    }

    #[test]
    fn what_the_schema_marks_is_hidden_wherever_it_stands() {
        let schema = serde_json::json!({"properties": {"a": {"items": {"anyOf": [{"$ref": "#/$defs/S"}, {"type": "null"}]}}}});
        let definitions = serde_json::json!({"S": {"type": "string", "x-secret": true}});
        let mut node =
            Node::from_json(&serde_json::json!({"a": ["s", null]}), &config::Location::nowhere("inline"));
        by_schema(&mut node, &schema, &definitions);
        assert_eq!(node.to_json(), serde_json::json!({"a": ["[REDACTED]", null]}));
    }
}
