//! Settings of the `filter` processor.

use config::{Invalid, Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules::Rules;
use crate::matching::{
    AttributeMatch, LibraryMatch, MatchProperties, MatchType, RegexpSettings, SeverityMatch,
};

/// Settings of the `filter` processor.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What to do when a condition cannot be evaluated on a record: `propagate` refuses the batch, `ignore` keeps the
    /// record and logs it, `silent` keeps the record.
    pub error_mode: ErrorMode,
    /// Conditions about spans and their events.
    pub traces: TraceConditions,
    /// Conditions about metrics and their data points.
    pub metrics: MetricConditions,
    /// Conditions about log records.
    pub logs: LogConditions,
    /// The collector's older form: which spans to keep and to drop by properties.
    pub spans: SpanProperties,
}

/// What to do when a condition cannot be evaluated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ErrorMode {
    /// Keep the record, and log the error.
    Ignore,
    /// Keep the record.
    Silent,
    /// Refuse the whole batch.
    #[default]
    Propagate,
}

/// Conditions about spans and their events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TraceConditions {
    /// A span for which any of these holds is dropped.
    pub span: Vec<String>,
    /// A span's event for which any of these holds is dropped.
    pub spanevent: Vec<String>,
}

/// Conditions about metrics and their data points.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MetricConditions {
    /// A metric for which any of these holds is dropped.
    pub metric: Vec<String>,
    /// A data point for which any of these holds is dropped; a metric without points goes too.
    pub datapoint: Vec<String>,
    /// The collector's older form: keeps only the metrics that match.
    pub include: Option<MetricProperties>,
    /// The collector's older form: drops the metrics that match.
    pub exclude: Option<MetricProperties>,
}

/// The collector's older form for metrics.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MetricProperties {
    /// How strings are compared: `strict` or `regexp`.
    pub match_type: MatchType,
    /// Accepted for the collector's sake.
    pub regexp: RegexpSettings,
    /// The metric's name must match one of these.
    pub metric_names: Vec<String>,
    /// The resource must have all of these attributes.
    pub resource_attributes: Vec<AttributeMatch>,
}

/// Conditions about log records.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogConditions {
    /// A log record for which any of these holds is dropped.
    pub log_record: Vec<String>,
    /// The collector's older form: keeps only the log records that match.
    pub include: Option<LogProperties>,
    /// The collector's older form: drops the log records that match.
    pub exclude: Option<LogProperties>,
}

/// The collector's older form for log records.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogProperties {
    /// How strings are compared: `strict` or `regexp`.
    pub match_type: MatchType,
    /// Accepted for the collector's sake.
    pub regexp: RegexpSettings,
    /// The resource must have all of these attributes.
    pub resource_attributes: Vec<AttributeMatch>,
    /// The log record must have all of these attributes.
    pub record_attributes: Vec<AttributeMatch>,
    /// The severity text must match one of these.
    pub severity_texts: Vec<String>,
    /// The severity number must be at least this.
    pub severity_number: Option<SeverityMatch>,
    /// The body must match one of these.
    pub bodies: Vec<String>,
    /// The scope must be one of these.
    pub libraries: Vec<LibraryMatch>,
}

/// The collector's older form for spans.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SpanProperties {
    /// Keeps only the spans that match.
    pub include: Option<MatchProperties>,
    /// Drops the spans that match.
    pub exclude: Option<MatchProperties>,
}

impl From<&MetricProperties> for MatchProperties {
    fn from(properties: &MetricProperties) -> Self {
        Self {
            match_type: properties.match_type,
            metric_names: properties.metric_names.clone(),
            resources: properties.resource_attributes.clone(),
            ..Self::default()
        }
    }
}

impl From<&LogProperties> for MatchProperties {
    fn from(properties: &LogProperties) -> Self {
        Self {
            match_type: properties.match_type,
            resources: properties.resource_attributes.clone(),
            attributes: properties.record_attributes.clone(),
            log_severity_texts: properties.severity_texts.clone(),
            log_severity_number: properties.severity_number,
            log_bodies: properties.bodies.clone(),
            libraries: properties.libraries.clone(),
            ..Self::default()
        }
    }
}

impl Validate for Config {
    fn validate(&self) -> Result<(), Invalid> {
        let any = Self { error_mode: ErrorMode::default(), ..self.clone() } != Self::default();
        Invalid::unless(
            any,
            "traces",
            "name at least one condition in `traces`, `metrics`, `logs` or `spans`",
        )?;
        Rules::new(self).map(drop)
    }
}
