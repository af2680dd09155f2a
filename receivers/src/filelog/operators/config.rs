//! Settings of the operators: the collector's keys.

mod parts;

use std::collections::BTreeMap;

use config::{ByteSize, Duration};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

pub use self::parts::{
    ContainerFormat, From, LayoutType, Overwrite, Preset, Route, ScopeName, Severity, Time, Trace,
};
use super::field::Field;

/// What to do with each record.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Operator {
    /// Sets a field to a value.
    Add(Add),
    /// Reads the log format of containers: Docker's JSON, CRI-O's and containerd's.
    Container(Container),
    /// Copies a field.
    Copy(FromTo),
    /// Drops records that meet a condition.
    Filter(Filter),
    /// Takes a JSON text apart.
    JsonParser(Parser),
    /// Moves a field.
    Move(FromTo),
    /// Does nothing; a place for others to go to.
    Noop(Noop),
    /// Joins records that belong together.
    Recombine(Recombine),
    /// Takes a text apart by a regular expression with named groups.
    RegexParser(RegexParser),
    /// Removes a field.
    Remove(Remove),
    /// Sends records on by conditions.
    Router(Router),
    /// Reads the severity.
    SeverityParser(SeverityParser),
    /// Reads the time.
    TimeParser(TimeParser),
    /// Reads the trace's ids.
    TraceParser(TraceParser),
}

/// What happens to a record that an operator cannot deal with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// It is counted and goes on as it is.
    #[default]
    Send,
    /// It goes on as it is.
    SendQuiet,
    /// It is counted and dropped.
    Drop,
    /// It is dropped.
    DropQuiet,
}

/// One name, or a list of one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Output {
    /// One name.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// Gives every operator the keys that all have.
macro_rules! operator {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident : $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            /// What other operators call this one; its type if it is empty.
            pub id: String,
            /// Where records go next: the id of a later operator. The next one if it is absent.
            pub output: Option<Output>,
            /// What happens to a record that this operator cannot deal with.
            pub on_error: OnError,
            /// A condition; a record that does not meet it passes by.
            #[serde(rename = "if")]
            pub condition: String,
            $($(#[$field_doc])* pub $field: $type,)*
        }
    };
}

operator! {
    /// Sets a field to a value.
    Add {
        /// The field. Required.
        field: Option<Field>,
        /// The value.
        value: Json,
    }
}
operator! {
    /// Reads the log format of containers.
    Container {
        /// `docker`, `crio` or `containerd`; each record is looked at if it is empty.
        format: ContainerFormat,
        /// Add what the path of a Kubernetes log says about its pod to the resource.
        add_metadata_from_filepath: Option<bool>,
        /// A joined record is sent on when it is longer than this; `0` joins without bound. 1MiB if it is absent.
        max_log_size: Option<ByteSize>,
        /// What to read; the body if it is absent.
        parse_from: Option<Field>,
        /// Where to put what is found; the attributes if it is absent.
        parse_to: Option<Field>,
        /// Reads the severity from what was found.
        severity: Option<Severity>,
    }
}
operator! {
    /// Copies or moves a field.
    FromTo {
        /// The field that is read. Required.
        from: Option<Field>,
        /// The field that is written. Required.
        to: Option<Field>,
    }
}
operator! {
    /// Drops records that meet a condition.
    Filter {
        /// The condition. Required.
        expr: String,
        /// How many of those that meet it are dropped: 1 (all, the default) to 0 (none).
        drop_ratio: Option<f64>,
    }
}
operator! {
    /// Takes a JSON text apart.
    Parser {
        /// What to read; the body if it is absent.
        parse_from: Option<Field>,
        /// Where to put what is found; the attributes if it is absent.
        parse_to: Option<Field>,
        /// Becomes the body if what was found has it.
        body: Option<Field>,
        /// Reads the time from what was found.
        timestamp: Option<Time>,
        /// Reads the severity from what was found.
        severity: Option<Severity>,
        /// Reads the trace's ids from what was found.
        trace: Option<Trace>,
        /// Reads the logger's name from what was found.
        scope_name: Option<ScopeName>,
    }
}
operator! {
    /// Takes a text apart by a regular expression.
    RegexParser {
        /// The expression; each named group becomes a value. Required.
        regex: String,
        /// What to read; the body if it is absent.
        parse_from: Option<Field>,
        /// Where to put what is found; the attributes if it is absent.
        parse_to: Option<Field>,
        /// Becomes the body if what was found has it.
        body: Option<Field>,
        /// Reads the time from what was found.
        timestamp: Option<Time>,
        /// Reads the severity from what was found.
        severity: Option<Severity>,
        /// Reads the trace's ids from what was found.
        trace: Option<Trace>,
        /// Reads the logger's name from what was found.
        scope_name: Option<ScopeName>,
    }
}
operator! {
    /// Does nothing.
    Noop {}
}
operator! {
    /// Joins records that belong together.
    Recombine {
        /// A condition that the first record of a group meets. This or `is_last_entry` is required.
        is_first_entry: String,
        /// A condition that the last record of a group meets.
        is_last_entry: String,
        /// What is joined. Required.
        combine_field: Option<Field>,
        /// What is put between the parts; a line feed if it is absent.
        combine_with: Option<String>,
        /// A group is complete with so many records. 1000 if it is absent.
        max_batch_size: Option<usize>,
        /// Until a condition has been met once, a group is complete with so many records; `0` means without bound. 100 if
        /// it is absent.
        max_unmatched_batch_size: Option<usize>,
        /// Which record of a group gives everything else.
        overwrite_with: Overwrite,
        /// A group is complete after this long. 5s if it is absent.
        force_flush_period: Option<Duration>,
        /// Records of a file are joined only if they agree in this field. `attributes["log.file.path"]` if it is absent.
        source_identifier: Option<Field>,
        /// So many groups may be open at once. 1000 if it is absent.
        max_sources: Option<usize>,
        /// A group is complete when it is longer than this; `0` means without bound.
        max_log_size: ByteSize,
    }
}
operator! {
    /// Removes a field.
    Remove {
        /// The field. Required.
        field: Option<Field>,
    }
}
operator! {
    /// Sends records on by conditions: by the first one that a record meets.
    Router {
        /// The conditions and where they lead to.
        routes: Vec<Route>,
        /// Where records go that meet none; they are dropped if it is absent.
        default: Option<Output>,
    }
}
operator! {
    /// Reads the severity.
    SeverityParser {
        /// What to read. Required.
        parse_from: Option<Field>,
        /// Which words mean what: `default`, or `none` for those of `mapping` only.
        preset: Preset,
        /// More words, numbers and ranges of numbers, by severity.
        #[schemars(with = "BTreeMap<String, Json>")]
        mapping: IndexMap<String, Json>,
        /// Replace the text by the severity's usual name.
        overwrite_text: bool,
    }
}
operator! {
    /// Reads the time.
    TimeParser {
        /// What to read. Required.
        parse_from: Option<Field>,
        /// How it is written. Required.
        layout: String,
        /// The layout's notation.
        layout_type: LayoutType,
        /// The time zone of times that do not say theirs; UTC if it is empty.
        location: String,
    }
}
operator! {
    /// Reads the trace's ids.
    TraceParser {
        /// The trace's id, in hexadecimal digits; from `body.trace_id` if it is absent.
        trace_id: Option<From>,
        /// The span's id, in hexadecimal digits; from `body.span_id` if it is absent.
        span_id: Option<From>,
        /// The trace's flags, in hexadecimal digits; from `body.trace_flags` if it is absent.
        trace_flags: Option<From>,
    }
}

/// What all operators have.
type Common<'a> = (&'a str, Option<&'a Output>, OnError, &'a str);

macro_rules! common {
    ($operator:expr, $($variant:ident),*) => {
        match $operator {
            $(Operator::$variant(o) => (o.id.as_str(), o.output.as_ref(), o.on_error, o.condition.as_str()),)*
        }
    };
}

impl Operator {
    /// Its id as written, output, treatment of errors and condition.
    pub(super) fn common(&self) -> Common<'_> {
        common!(
            self,
            Add,
            Container,
            Copy,
            Filter,
            JsonParser,
            Move,
            Noop,
            Recombine,
            RegexParser,
            Remove,
            Router,
            SeverityParser,
            TimeParser,
            TraceParser
        )
    }

    /// Its id, or its type if it has none.
    pub(super) fn id(&self) -> &str {
        let id = self.common().0;
        if !id.is_empty() {
            return id;
        }
        match self {
            Self::Add(_) => "add",
            Self::Container(_) => "container",
            Self::Copy(_) => "copy",
            Self::Filter(_) => "filter",
            Self::JsonParser(_) => "json_parser",
            Self::Move(_) => "move",
            Self::Noop(_) => "noop",
            Self::Recombine(_) => "recombine",
            Self::RegexParser(_) => "regex_parser",
            Self::Remove(_) => "remove",
            Self::Router(_) => "router",
            Self::SeverityParser(_) => "severity_parser",
            Self::TimeParser(_) => "time_parser",
            Self::TraceParser(_) => "trace_parser",
        }
    }
}

impl RegexParser {
    /// What it has in common with other parsers.
    pub(super) fn as_parser(&self) -> Parser {
        Parser {
            parse_from: self.parse_from.clone(),
            parse_to: self.parse_to.clone(),
            body: self.body.clone(),
            timestamp: self.timestamp.clone(),
            severity: self.severity.clone(),
            trace: self.trace.clone(),
            scope_name: self.scope_name.clone(),
            ..Parser::default()
        }
    }
}

impl TimeParser {
    /// As a part of another parser.
    pub(super) fn as_time(&self) -> Time {
        Time {
            parse_from: self.parse_from.clone(),
            layout: self.layout.clone(),
            layout_type: self.layout_type,
            location: self.location.clone(),
        }
    }
}

impl SeverityParser {
    /// As a part of another parser.
    pub(super) fn as_severity(&self) -> Severity {
        Severity {
            parse_from: self.parse_from.clone(),
            preset: self.preset,
            mapping: self.mapping.clone(),
            overwrite_text: self.overwrite_text,
        }
    }
}

impl TraceParser {
    /// As a part of another parser.
    pub(super) fn as_trace(&self) -> Trace {
        Trace {
            trace_id: self.trace_id.clone(),
            span_id: self.span_id.clone(),
            trace_flags: self.trace_flags.clone(),
        }
    }
}
