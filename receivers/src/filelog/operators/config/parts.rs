//! Parts that several operators' settings have.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::super::field::Field;
use super::Output;

/// How a container's log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ContainerFormat {
    /// Each record is looked at.
    #[default]
    #[serde(rename = "")]
    Any,
    /// Docker's JSON.
    Docker,
    /// CRI-O's.
    Crio,
    /// containerd's.
    Containerd,
}

/// Which record of a group gives everything else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Overwrite {
    /// The last one.
    #[default]
    Newest,
    /// The first one.
    Oldest,
}

/// A condition and where it leads to.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The condition.
    pub expr: String,
    /// The id of a later operator.
    pub output: Output,
}

/// Which words mean which severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// The usual ones.
    #[default]
    #[serde(alias = "otel")]
    Default,
    /// None.
    None,
}

/// How a layout is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LayoutType {
    /// `%Y-%m-%d %H:%M:%S`.
    #[default]
    Strptime,
    /// `2006-01-02 15:04:05`.
    Gotime,
    /// `s`, `ms`, `us`, `ns`, `s.ms`, `s.us` or `s.ns`.
    Epoch,
}

/// Reads the time from what a parser found.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Time {
    /// What to read. Required.
    pub parse_from: Option<Field>,
    /// How it is written. Required.
    pub layout: String,
    /// The layout's notation.
    pub layout_type: LayoutType,
    /// The time zone of times that do not say theirs; UTC if it is empty.
    pub location: String,
}

/// Reads the severity from what a parser found.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Severity {
    /// What to read. Required.
    pub parse_from: Option<Field>,
    /// Which words mean what: `default`, or `none` for those of `mapping` only.
    pub preset: Preset,
    /// More words, numbers and ranges of numbers, by severity.
    #[schemars(with = "BTreeMap<String, Json>")]
    pub mapping: IndexMap<String, Json>,
    /// Replace the text by the severity's usual name.
    pub overwrite_text: bool,
}

/// Reads the trace's ids from what a parser found.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Trace {
    /// The trace's id, in hexadecimal digits.
    pub trace_id: Option<From>,
    /// The span's id, in hexadecimal digits.
    pub span_id: Option<From>,
    /// The trace's flags, in hexadecimal digits.
    pub trace_flags: Option<From>,
}

/// What to read.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct From {
    /// The field.
    pub parse_from: Field,
}

/// Reads the logger's name from what a parser found.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScopeName {
    /// What to read.
    pub parse_from: Field,
}
