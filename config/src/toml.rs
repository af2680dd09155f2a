//! TOML text in, a [`Node`] tree with exact places out: the same shape as the YAML.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use crate::{ConfigError, Errors, Location, Node, Value};

/// How deep tables and arrays may nest.
const MAX_DEPTH: usize = 100;

/// Parses `text`.
///
/// # Errors
/// Everything that is not TOML, each with its place.
pub(crate) fn parse(source: &Arc<str>, text: &str) -> Result<Node, Errors> {
    let lines = Lines::new(source, text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut found = Errors(errors.iter().map(|error| lines.error(error)).collect());
    let start = lines.location(0);
    let node = lines.table(table.into_inner(), start, 0, &mut found);
    found.into_result()?;
    Ok(node)
}

/// Turns byte offsets into places.
struct Lines<'a> {
    source: &'a Arc<str>,
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(source: &'a Arc<str>, text: &'a str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self { source, text, starts: std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect() }
    }

    fn location(&self, offset: usize) -> Location {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count()) + 1;
        let saturate = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Location { source: Arc::clone(self.source), line: saturate(line), column: saturate(column) }
    }

    fn error(&self, error: &Error) -> ConfigError {
        let offset = error.span().map_or(0, |span| span.start);
        let message = format!("invalid TOML: {}", error.message().replace('\n', ", "));
        ConfigError { location: self.location(offset), path: String::new(), message, hint: None }
    }

    fn table(&self, table: DeTable<'_>, location: Location, depth: usize, errors: &mut Errors) -> Node {
        let entry = |(key, value): (Spanned<_>, _)| {
            let place = self.location(key.span().start);
            (String::from(key.into_inner()), (place, self.value(value, depth + 1, errors)))
        };
        Node::new(Value::Map(table.into_iter().map(entry).collect()), location)
    }

    fn value(&self, value: Spanned<DeValue<'_>>, depth: usize, errors: &mut Errors) -> Node {
        let location = self.location(value.span().start);
        if depth > MAX_DEPTH {
            let message = format!("nested deeper than {MAX_DEPTH} levels");
            errors.0.push(ConfigError {
                location: location.clone(),
                path: String::new(),
                message,
                hint: None,
            });
            return Node::new(Value::Null, location);
        }
        let value = match value.into_inner() {
            DeValue::String(text) => Value::String(text.into_owned()),
            DeValue::Boolean(value) => Value::Bool(value),
            DeValue::Integer(number) => {
                let digits = number.as_str();
                i64::from_str_radix(digits, number.radix())
                    .map_or_else(|_| crate::yaml::plain(digits), Value::Int)
            }
            DeValue::Float(number) => number
                .as_str()
                .parse()
                .map_or_else(|_| Value::String(number.as_str().to_owned()), Value::Float),
            DeValue::Datetime(time) => Value::String(time.to_string()),
            DeValue::Array(values) => {
                Value::List(values.into_iter().map(|value| self.value(value, depth + 1, errors)).collect())
            }
            DeValue::Table(table) => return self.table(table, location, depth, errors),
        };
        Node::new(value, location)
    }
}
