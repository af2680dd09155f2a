//! Prometheus's text formats: classic 0.0.4 and OpenMetrics 1.0.
//!
//! In: the body of a scrape. Out: one [`Entry`] per line that says something, borrowed from the body, or a [`ParseError`]
//! with the line's number. Works on bytes, without regular expressions; strings are copied only if they hold escapes.
//!
//! Lenient where a strict reader would lose data for nothing: blanks around tokens, a carriage return before the line
//! feed and unknown comments pass. A truncated OpenMetrics body (no `# EOF`) does not.

mod number;
mod parser;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub use parser::Parser;

/// Labels, sorted by name, each name once.
pub type LabelPairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// Which of the formats a body is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `text/plain; version=0.0.4`: timestamps in milliseconds, no exemplars, no end mark.
    Classic,
    /// `application/openmetrics-text`: timestamps in seconds, exemplars, ends with `# EOF`.
    OpenMetrics,
}

impl Format {
    /// What an exposition is asked for, best first.
    pub const ACCEPT: &'static str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
         application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
         text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";

    /// The format that a `Content-Type` names. `None` if it names one that is not text, such as Protobuf. Targets that
    /// name nothing, or something generic, serve classic text.
    pub fn of_content_type(content_type: Option<&str>) -> Option<Self> {
        let media = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
        if media.eq_ignore_ascii_case("application/openmetrics-text") {
            return Some(Self::OpenMetrics);
        }
        (!media.to_ascii_lowercase().contains("protobuf")).then_some(Self::Classic)
    }
}

/// A metric's type, as declared by `# TYPE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MetricType {
    /// Only goes up, except when it restarts from zero.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in cumulative buckets.
    Histogram,
    /// A histogram whose counts go up and down.
    GaugeHistogram,
    /// Counts observations and gives quantiles.
    Summary,
    /// Labels as information; the value is 1.
    Info,
    /// One of several states is 1, the others are 0.
    StateSet,
    /// Not declared.
    #[default]
    Unknown,
}

impl MetricType {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "counter" => Self::Counter,
            "gauge" => Self::Gauge,
            "histogram" => Self::Histogram,
            "gaugehistogram" => Self::GaugeHistogram,
            "summary" => Self::Summary,
            "info" => Self::Info,
            "stateset" => Self::StateSet,
            "unknown" | "untyped" => Self::Unknown,
            _ => return None,
        })
    }
}

/// What one line says. A sample's labels go into the buffer given to [`Parser::read`].
#[derive(Clone, Debug, PartialEq)]
pub enum Entry<'a> {
    /// `# TYPE name type`
    Type {
        /// The family.
        name: Cow<'a, str>,
        /// Its type.
        kind: MetricType,
    },
    /// `# HELP name text`
    Help {
        /// The family.
        name: Cow<'a, str>,
        /// The text, without escapes.
        text: Cow<'a, str>,
    },
    /// `# UNIT name unit`
    Unit {
        /// The family.
        name: Cow<'a, str>,
        /// The unit.
        unit: &'a str,
    },
    /// `name{labels} value timestamp # exemplar`
    Sample(Sample<'a>),
}

/// One sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample<'a> {
    /// The metric's name, with suffixes such as `_bucket`.
    pub name: Cow<'a, str>,
    /// The value.
    pub value: f64,
    /// Nanoseconds since the epoch; may be before it.
    pub timestamp: Option<i64>,
    /// An example of what was counted.
    pub exemplar: Option<Box<Exemplar<'a>>>,
}

/// An example of what a sample counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar<'a> {
    /// Labels, such as `trace_id`.
    pub labels: LabelPairs<'a>,
    /// The observation.
    pub value: f64,
    /// Nanoseconds since the epoch; may be before it.
    pub timestamp: Option<i64>,
}

/// A body is not what its format demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ParseError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong there. Never quotes the body.
    pub problem: Problem,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Text must be UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// A line starts with neither a name, nor labels, nor a comment.
    #[error("expected a metric name")]
    ExpectedName,
    /// The name is missing altogether.
    #[error("a sample has labels but no name")]
    NoName,
    /// Inside braces.
    #[error("expected a label name")]
    ExpectedLabelName,
    /// After a label's name.
    #[error("expected `=\"` after a label name")]
    ExpectedLabelValue,
    /// After a label.
    #[error("expected `,` or `}}` after a label")]
    ExpectedLabelEnd,
    /// The closing quote is missing.
    #[error("a quoted string does not end on its line")]
    Unterminated,
    /// A label occurs twice.
    #[error("a label name occurs twice")]
    DuplicateLabel,
    /// The value is not a number.
    #[error("the value is not a number")]
    BadValue,
    /// The timestamp is not a number.
    #[error("the timestamp is not a number")]
    BadTimestamp,
    /// The exemplar is not `# {labels} value timestamp`.
    #[error("malformed exemplar")]
    BadExemplar,
    /// Something follows where the line should end.
    #[error("unexpected text at the end of the line")]
    TrailingText,
    /// `# TYPE` names no type.
    #[error("unknown metric type")]
    BadType,
    /// OpenMetrics must end with `# EOF`.
    #[error("the body ends without `# EOF`; it may be cut short")]
    NoEof,
    /// Nothing may follow `# EOF`.
    #[error("text after `# EOF`")]
    AfterEof,
}
