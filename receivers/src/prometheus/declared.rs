//! What a body declares of its metrics, and which family a sample belongs to by its name.

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::series::Shape;
use super::text::MetricType;

/// What `# TYPE`, `# HELP` and `# UNIT` say of a family.
#[derive(Clone, Debug, Default)]
pub(super) struct Declared<'a> {
    pub(super) kind: MetricType,
    pub(super) help: Cow<'a, str>,
    pub(super) unit: &'a str,
}

/// What a sample is to its family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Value,
    Bucket,
    Quantile,
    Sum,
    Count,
    Created,
}

impl Role {
    /// The label that tells the samples of one point apart.
    pub(super) const fn own_label(self, shape: Shape) -> &'static str {
        match (shape, self) {
            (Shape::Histogram, Self::Bucket) => "le",
            (Shape::Summary, Self::Quantile) => "quantile",
            _ => "",
        }
    }
}

/// What has been declared so far, by the name of the family.
#[derive(Debug, Default)]
pub(super) struct Declarations<'a>(HashMap<Cow<'a, str>, Declared<'a>, RandomState>);

impl<'a> Declarations<'a> {
    /// What is declared of `name`, to add to it.
    pub(super) fn of(&mut self, name: Cow<'a, str>) -> &mut Declared<'a> {
        self.0.entry(name).or_default()
    }

    /// What is declared of `name`, if anything is.
    pub(super) fn get(&self, name: &str) -> Option<&Declared<'a>> {
        self.0.get(name)
    }

    /// The declared family of a sample's name, the suffix between them, and what the sample is.
    pub(super) fn find<'n>(&self, name: &'n str) -> (&'n str, &'n str, Role) {
        if let Some(declared) = self.0.get(name) {
            let role = if declared.kind == MetricType::Summary { Role::Quantile } else { Role::Value };
            // A histogram's name alone is no sample of it.
            let base = if declared.kind == MetricType::Histogram { "" } else { name };
            return (base, "", role);
        }
        if let Some(at) = name.rfind('_') {
            let (base, suffix) = name.split_at(at);
            use MetricType::{Counter, GaugeHistogram, Histogram, Info, Summary};
            let role = self.0.get(base).and_then(|declared| match (declared.kind, suffix) {
                (Histogram, "_bucket") => Some(Role::Bucket),
                (Histogram | Summary, "_sum") => Some(Role::Sum),
                (Histogram | Summary, "_count") => Some(Role::Count),
                (Histogram | Summary | Counter, "_created") => Some(Role::Created),
                (Counter, "_total") | (Info, "_info") => Some(Role::Value),
                (GaugeHistogram, "_bucket" | "_gsum" | "_gcount") => Some(Role::Value),
                _ => None,
            });
            if let Some(role) = role {
                return (base, suffix, role);
            }
        }
        ("", "", Role::Value)
    }
}

/// A name without `_total` and the unit.
pub(super) fn trim_suffixes<'n>(name: &'n str, shape: Shape, unit: &str) -> &'n str {
    let mut trimmed = name;
    if shape == (Shape::Sum { monotonic: true }) {
        trimmed = trimmed.strip_suffix("_total").unwrap_or(trimmed);
    }
    if !unit.is_empty()
        && let Some(rest) = trimmed.strip_suffix(unit).and_then(|rest| rest.strip_suffix('_'))
    {
        trimmed = rest;
    }
    if trimmed.is_empty() { name } else { trimmed }
}
