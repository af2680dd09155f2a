//! Parsers: text to values, and values to the time, the severity and the trace's ids.

use regex::Regex;

use super::config::{self, LayoutType};
use super::entry::{Entry, Map, Value};
use super::field::Field;
use super::severity::Severities;
use super::time::Layout;
use super::{BuildError, OperatorError};

/// Reads the severity from a field.
#[derive(Clone, Debug)]
pub(super) struct SeverityFrom {
    from: Field,
    severities: Severities,
}

impl SeverityFrom {
    /// From its configuration.
    pub(super) fn new(config: &config::Severity) -> Result<Self, OperatorError> {
        let from = config
            .parse_from
            .clone()
            .ok_or(OperatorError::Build(BuildError::Missing("severity.parse_from")))?;
        let severities = Severities::new(config.preset, &config.mapping, config.overwrite_text)
            .map_err(|error| OperatorError::Build(error.into()))?;
        Ok(Self { from, severities })
    }

    /// Reads the severity of `entry`. A text that means none leaves it unknown.
    pub(super) fn apply(&self, entry: &mut Entry) -> Result<(), OperatorError> {
        let value = self.from.read(entry).ok_or_else(|| OperatorError::NoValue(self.from.to_string()))?;
        self.severities.apply(&value, entry);
        Ok(())
    }
}

/// Reads the time from a field.
#[derive(Clone, Debug)]
pub(super) struct TimeFrom {
    from: Field,
    layout: Layout,
}

impl TimeFrom {
    /// From its configuration.
    pub(super) fn new(config: &config::Time) -> Result<Self, BuildError> {
        let from = config.parse_from.clone().ok_or(BuildError::Missing("parse_from"))?;
        if config.layout.is_empty() {
            return Err(BuildError::Missing("layout"));
        }
        let layout = match config.layout_type {
            LayoutType::Strptime => Layout::strptime(&config.layout, &config.location),
            LayoutType::Gotime => Layout::gotime(&config.layout, &config.location),
            LayoutType::Epoch => Layout::epoch(&config.layout),
        }?;
        Ok(Self { from, layout })
    }

    /// Reads the time of `entry`.
    pub(super) fn apply(&self, entry: &mut Entry) -> Result<(), OperatorError> {
        let value = self.from.get(entry).ok_or_else(|| OperatorError::NoValue(self.from.to_string()))?;
        let time = self.layout.parse(&value.text(), entry.observed).ok_or(OperatorError::NotTime)?;
        entry.time = Some(time);
        Ok(())
    }
}

/// Reads a trace's ids from fields.
#[derive(Clone, Debug)]
pub(super) struct TraceFrom {
    trace_id: Option<Field>,
    span_id: Option<Field>,
    flags: Option<Field>,
}

impl TraceFrom {
    /// From its configuration; `or_body` takes the usual fields of the body for what it does not name.
    pub(super) fn new(config: &config::Trace, or_body: bool) -> Result<Self, BuildError> {
        let field = |from: &Option<config::From>, usual: &str| match from {
            Some(from) => Ok(Some(from.parse_from.clone())),
            None if or_body => usual.parse().map(Some),
            None => Ok(None),
        };
        Ok(Self {
            trace_id: field(&config.trace_id, "body.trace_id")?,
            span_id: field(&config.span_id, "body.span_id")?,
            flags: field(&config.trace_flags, "body.trace_flags")?,
        })
    }

    /// Reads the ids of `entry`. What is absent stays unknown.
    pub(super) fn apply(&self, entry: &mut Entry) -> Result<(), OperatorError> {
        let read = |field: &Option<Field>, len: usize| match field.as_ref().and_then(|field| field.get(entry))
        {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match unhex(&value.text()).filter(|bytes| bytes.len() == len) {
                Some(bytes) => Ok(Some(bytes)),
                None => Err(OperatorError::NotId),
            },
        };
        let (trace_id, span_id, flags) =
            (read(&self.trace_id, 16)?, read(&self.span_id, 8)?, read(&self.flags, 1)?);
        entry.trace_id = trace_id.unwrap_or_else(|| std::mem::take(&mut entry.trace_id));
        entry.span_id = span_id.unwrap_or_else(|| std::mem::take(&mut entry.span_id));
        entry.flags = flags.and_then(|flags| flags.first().copied()).or(entry.flags);
        Ok(())
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

/// What a parser does with a text.
#[derive(Clone, Debug)]
pub(super) enum Grammar {
    /// Reads JSON.
    Json,
    /// Matches named groups.
    Regex(Box<Regex>),
}

/// Takes a text apart.
#[derive(Clone, Debug)]
pub(super) struct Parser {
    grammar: Grammar,
    from: Field,
    to: Field,
    body: Option<Field>,
    time: Option<TimeFrom>,
    severity: Option<SeverityFrom>,
    trace: Option<TraceFrom>,
    scope_name: Option<Field>,
}

impl Parser {
    /// From its configuration.
    pub(super) fn new(grammar: Grammar, config: &config::Parser) -> Result<Self, OperatorError> {
        let build = OperatorError::Build;
        Ok(Self {
            grammar,
            from: config.parse_from.clone().unwrap_or_else(Field::body),
            to: config.parse_to.clone().unwrap_or_else(Field::attributes),
            body: config.body.clone(),
            time: config.timestamp.as_ref().map(TimeFrom::new).transpose().map_err(build)?,
            severity: config.severity.as_ref().map(SeverityFrom::new).transpose()?,
            trace: config
                .trace
                .as_ref()
                .map(|trace| TraceFrom::new(trace, false))
                .transpose()
                .map_err(build)?,
            scope_name: config.scope_name.as_ref().map(|name| name.parse_from.clone()),
        })
    }

    /// Takes the text of `entry` apart.
    pub(super) fn apply(&self, entry: &mut Entry) -> Result<(), OperatorError> {
        let not_text = || OperatorError::NotText(self.from.to_string());
        let text = self.from.get(entry).and_then(Value::as_str).ok_or_else(not_text)?;
        let found = match &self.grammar {
            Grammar::Json => json(text)?,
            Grammar::Regex(regex) => groups(regex, text).ok_or(OperatorError::NoMatch)?,
        };
        self.to.set(entry, Value::Map(found));
        self.time.as_ref().map_or(Ok(()), |time| time.apply(entry))?;
        self.severity.as_ref().map_or(Ok(()), |severity| severity.apply(entry))?;
        self.trace.as_ref().map_or(Ok(()), |trace| trace.apply(entry))?;
        if let Some(field) = &self.scope_name {
            let name = field.get(entry).ok_or_else(|| OperatorError::NoValue(field.to_string()))?;
            entry.scope_name = name.to_text();
        }
        if let Some(value) = self.body.as_ref().and_then(|field| field.remove(entry)) {
            entry.body = value;
        }
        Ok(())
    }
}

fn json(text: &str) -> Result<Map, OperatorError> {
    match Value::parse_json(text) {
        Ok(Value::Map(map)) => Ok(map),
        _ => Err(OperatorError::NotJson),
    }
}

fn groups(regex: &Regex, text: &str) -> Option<Map> {
    let captures = regex.captures(text)?;
    let named = regex.capture_names().flatten();
    let value = |name: &str| captures.name(name).map_or("", |found| found.as_str()).into();
    Some(named.map(|name| (name.into(), value(name))).collect())
}
