//! YAML text in, a [`Node`] tree with exact places out.
//!
//! YAML 1.2 with the collector's reading of numbers, anchors, aliases and merge keys. It refuses duplicate keys, keys
//! that are not scalars, several documents, application tags, and aliases that would multiply the text beyond a bound.

use std::collections::HashMap;
use std::sync::Arc;

use granit_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use indexmap::IndexMap;
use indexmap::map::Entry;

use crate::{ConfigError, Errors, Location, Node, Value};

/// How deep maps and lists may nest, aliases included.
const MAX_DEPTH: usize = 100;
/// How many bytes all aliases together may copy.
const MAX_ALIASED_BYTES: usize = 4 << 20;

/// Parses `text`. Empty text is [`Value::Null`].
///
/// # Errors
/// Every duplicate key; or the first place at which it is not YAML.
pub(crate) fn parse(source: &Arc<str>, text: &str) -> Result<Node, Errors> {
    let mut builder = Builder::new(source);
    let options = granit_parser::options! { emit_comments: false };
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = next.map_err(|error| {
            let location = builder.location(error.marker());
            builder.failed(location, format!("invalid YAML: {}", error.info()))
        })?;
        let location = builder.location(&span.start);
        builder.take(event, location)?;
    }
    builder.finish()
}

/// The value of a plain scalar.
pub(crate) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Value::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => Value::Float(f64::NAN),
        _ => int(text)
            .map(Value::Int)
            .or_else(|| float(text).map(Value::Float))
            .unwrap_or_else(|| Value::String(text.to_owned())),
    }
}

fn int(text: &str) -> Option<i64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let digits = digits.replace('_', "");
    let (radix, digits) = match digits.get(..2) {
        Some("0x") => (16, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        Some("0b") => (2, &digits[2..]),
        // As Go reads it.
        Some(_) if digits.starts_with('0') => (8, &digits[1..]),
        _ => (10, digits.as_str()),
    };
    if digits.starts_with(['-', '+']) {
        return None;
    }
    i64::from_str_radix(&format!("{sign}{digits}"), radix).ok()
}

fn float(text: &str) -> Option<f64> {
    // Rust also reads `infinity` and `nan`; YAML writes these differently.
    let numeric = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    (numeric && text.bytes().any(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// A collection that is not complete yet.
enum Frame {
    List {
        nodes: Vec<Node>,
        location: Location,
        anchor: usize,
    },
    Map {
        entries: IndexMap<String, (Location, Node)>,
        merges: Vec<Node>,
        key: Option<Key>,
        location: Location,
        anchor: usize,
    },
}

struct Key {
    text: String,
    location: Location,
    is_merge: bool,
}

struct Builder<'a> {
    source: &'a Arc<str>,
    stack: Vec<Frame>,
    root: Option<Node>,
    anchors: HashMap<usize, (Node, Measure)>,
    aliased_bytes: usize,
    errors: Errors,
    documents: usize,
}

#[derive(Clone, Copy)]
struct Measure {
    bytes: usize,
    depth: usize,
}

impl<'a> Builder<'a> {
    fn new(source: &'a Arc<str>) -> Self {
        Self {
            source,
            stack: Vec::new(),
            root: None,
            anchors: HashMap::new(),
            aliased_bytes: 0,
            errors: Errors::default(),
            documents: 0,
        }
    }

    fn location(&self, marker: &Marker) -> Location {
        let saturate = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Location {
            source: Arc::clone(self.source),
            line: saturate(marker.line().max(1)),
            column: saturate(marker.col()).saturating_add(1),
        }
    }

    /// The errors so far and this one, which ends the parse.
    fn failed(&mut self, location: Location, message: impl Into<String>) -> Errors {
        self.note(location, message);
        std::mem::take(&mut self.errors)
    }

    fn note(&mut self, location: Location, message: impl Into<String>) {
        let path = self.path();
        self.errors.0.push(ConfigError { location, path, message: message.into(), hint: None });
    }

    /// The key path of the innermost open collection.
    fn path(&self) -> String {
        let keys = self.stack.iter().filter_map(|frame| match frame {
            Frame::Map { key, .. } => key.as_ref().map(|key| key.text.clone()),
            Frame::List { nodes, .. } => Some(nodes.len().to_string()),
        });
        keys.collect::<Vec<_>>().join(".")
    }

    fn take(&mut self, event: Event<'_>, location: Location) -> Result<(), Errors> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(self.failed(location, "expected one YAML document, found another"));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                return self.scalar(&text, style, anchor, tag.as_deref(), location);
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), "seq", &location)?;
                self.open(Frame::List { nodes: Vec::new(), location: location.clone(), anchor }, location)?;
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), "map", &location)?;
                let (entries, merges) = Default::default();
                self.open(
                    Frame::Map { entries, merges, key: None, location: location.clone(), anchor },
                    location,
                )?;
            }
            Event::SequenceEnd | Event::MappingEnd => return self.close(),
            Event::Alias(anchor) => return self.alias(anchor, location),
            Event::UnresolvedAlias(name) => {
                return Err(self.failed(location, format!("there is no anchor `&{name}` before this alias")));
            }
            // `Event` has variants that only other options or features of the parser emit.
            _ => {}
        }
        Ok(())
    }

    fn check_tag(&mut self, tag: Option<&Tag>, expected: &str, location: &Location) -> Result<(), Errors> {
        match tag {
            Some(tag) if !tag.is_yaml_core_schema_tag(expected) => Err(self
                .failed(location.clone(), format!("the YAML tag `{}` has no meaning here", tag.original()))),
            _ => Ok(()),
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        location: Location,
    ) -> Result<(), Errors> {
        let is_plain = style == ScalarStyle::Plain;
        if self.expects_key() {
            let node = Node::new(Value::String(text.to_owned()), location.clone());
            self.remember(anchor, &node);
            self.key(Key {
                text: text.to_owned(),
                location,
                is_merge: is_plain && tag.is_none() && text == "<<",
            });
            return Ok(());
        }
        let value = match tag {
            None if is_plain => plain(text),
            None => Value::String(text.to_owned()),
            Some(tag) => self.tagged(tag, text, &location)?,
        };
        // An absent value is where its key is: its own place would be that of whatever follows.
        let location = match self.stack.last() {
            Some(Frame::Map { key: Some(key), .. }) if text.is_empty() && is_plain => key.location.clone(),
            _ => location,
        };
        self.complete(Node::new(value, location), anchor)
    }

    fn tagged(&mut self, tag: &Tag, text: &str, location: &Location) -> Result<Value, Errors> {
        let value = match (tag.core_suffix(), plain(text)) {
            (Some("str"), _) => Some(Value::String(text.to_owned())),
            (Some("int"), value @ Value::Int(_))
            | (Some("float"), value @ Value::Float(_))
            | (Some("bool"), value @ Value::Bool(_))
            | (Some("null"), value @ Value::Null) => Some(value),
            (Some("float"), Value::Int(value)) => Some(Value::Float(value as f64)),
            _ if tag.suffix().is_empty() => Some(Value::String(text.to_owned())),
            _ => None,
        };
        value.ok_or_else(|| {
            self.failed(
                location.clone(),
                format!("the YAML tag `{}` does not fit this value", tag.original()),
            )
        })
    }

    fn expects_key(&self) -> bool {
        matches!(self.stack.last(), Some(Frame::Map { key: None, .. }))
    }

    fn key(&mut self, new: Key) {
        if let Some(Frame::Map { key, .. }) = self.stack.last_mut() {
            *key = Some(new);
        }
    }

    fn open(&mut self, frame: Frame, location: Location) -> Result<(), Errors> {
        if self.expects_key() {
            return Err(self.failed(location, "a key must be a scalar"));
        }
        if self.stack.len() >= MAX_DEPTH {
            return Err(self.failed(location, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        self.stack.push(frame);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Errors> {
        match self.stack.pop() {
            Some(Frame::List { nodes, location, anchor }) => {
                self.complete(Node::new(Value::List(nodes), location), anchor)
            }
            Some(Frame::Map { mut entries, merges, location, anchor, .. }) => {
                for node in merges {
                    self.merge(&mut entries, node)?;
                }
                self.complete(Node::new(Value::Map(entries), location), anchor)
            }
            None => Ok(()),
        }
    }

    /// Takes over the keys of `node` (a map, or a list of maps) that `entries` does not have.
    fn merge(&mut self, entries: &mut IndexMap<String, (Location, Node)>, node: Node) -> Result<(), Errors> {
        match node.value {
            Value::Map(map) => {
                for (key, value) in map {
                    entries.entry(key).or_insert(value);
                }
                Ok(())
            }
            Value::List(nodes) if nodes.iter().all(|node| matches!(node.value, Value::Map(_))) => {
                nodes.into_iter().try_for_each(|node| self.merge(entries, node))
            }
            _ => Err(self.failed(node.location, "expected a map, or a list of maps, after `<<`")),
        }
    }

    fn alias(&mut self, anchor: usize, location: Location) -> Result<(), Errors> {
        let Some((node, measure)) = self.anchors.get(&anchor) else {
            return Err(self.failed(location, "an alias inside of its own anchor"));
        };
        let (node, measure) = (node.clone(), *measure);
        self.aliased_bytes = self.aliased_bytes.saturating_add(measure.bytes);
        if self.aliased_bytes > MAX_ALIASED_BYTES || self.stack.len() + measure.depth > MAX_DEPTH {
            return Err(self.failed(location, "aliases multiply this file beyond what a configuration needs"));
        }
        if self.expects_key() {
            let Value::String(text) = node.value else {
                return Err(self.failed(location, "a key must be a scalar"));
            };
            self.key(Key { text, location, is_merge: false });
            return Ok(());
        }
        self.complete(node, 0)
    }

    fn remember(&mut self, anchor: usize, node: &Node) {
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), measure(node)));
        }
    }

    /// Puts a complete node where it belongs.
    fn complete(&mut self, node: Node, anchor: usize) -> Result<(), Errors> {
        self.remember(anchor, &node);
        let duplicate = match self.stack.last_mut() {
            None => {
                self.root = Some(node);
                None
            }
            Some(Frame::List { nodes, .. }) => {
                nodes.push(node);
                None
            }
            Some(Frame::Map { entries, merges, key, .. }) => match key.take() {
                None => return Err(self.failed(node.location, "a key must be a scalar")),
                Some(key) if key.is_merge => {
                    merges.push(node);
                    None
                }
                Some(key) => match entries.entry(key.text) {
                    Entry::Vacant(entry) => {
                        entry.insert((key.location, node));
                        None
                    }
                    Entry::Occupied(entry) => Some((
                        key.location,
                        format!("duplicate key `{}`, first at {}", entry.key(), entry.get().0),
                    )),
                },
            },
        };
        if let Some((location, message)) = duplicate {
            self.note(location, message);
        }
        Ok(())
    }

    fn finish(self) -> Result<Node, Errors> {
        self.errors.into_result()?;
        let start = Location { source: Arc::clone(self.source), line: 1, column: 1 };
        Ok(self.root.unwrap_or_else(|| Node::new(Value::Null, start)))
    }
}

fn measure(node: &Node) -> Measure {
    // What a node costs beside its text.
    let mut total = Measure { bytes: size_of::<Node>(), depth: 0 };
    let mut add = |node: &Node, key: usize| {
        let inner = measure(node);
        total.bytes = total.bytes.saturating_add(inner.bytes).saturating_add(key);
        total.depth = total.depth.max(inner.depth + 1);
    };
    match &node.value {
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => {}
        Value::String(text) => total.bytes += text.len(),
        Value::List(nodes) => nodes.iter().for_each(|node| add(node, 0)),
        Value::Map(map) => map.iter().for_each(|(key, (_, node))| add(node, key.len())),
    }
    total
}
