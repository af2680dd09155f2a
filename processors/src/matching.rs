//! The collector's `include` and `exclude`: which spans, log records and data points a processor is about.
//!
//! All given properties must match; within one list, any entry. A property that a record cannot have (`span_names` of a
//! log record) does not match it.

use config::Invalid;
use pdata::proto::common::{KeyValue, any_value::Value};
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::values;

/// How strings are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MatchType {
    /// The whole string must be equal.
    #[default]
    Strict,
    /// The regular expression must match somewhere in the string.
    Regexp,
}

/// An attribute and the value it must have.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AttributeMatch {
    /// The attribute's key.
    pub key: String,
    /// The value it must have; without one it must only exist. With `match_type: regexp` a regular expression for
    /// the value's text.
    pub value: Option<serde_json::Value>,
}

/// An instrumentation library (scope).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LibraryMatch {
    /// The scope's name.
    pub name: String,
    /// The scope's version; any if not given.
    pub version: Option<String>,
}

/// The lowest severity that matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SeverityMatch {
    /// The lowest severity number that matches (1 to 24), or a name such as `INFO` or `WARN2`.
    #[serde(deserialize_with = "severity_number")]
    #[schemars(with = "serde_json::Value")]
    pub min: i32,
    /// Whether a record without a severity matches.
    pub match_undefined: bool,
}

/// Accepted for the collector's sake; regular expressions are compiled once and need no cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RegexpSettings {
    /// Has no effect.
    pub cacheenabled: bool,
    /// Has no effect.
    pub cachemaxnumentries: u64,
}

/// What a span, log record or data point must be like to match.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MatchProperties {
    /// How strings are compared: `strict` or `regexp`.
    pub match_type: MatchType,
    /// Accepted for the collector's sake.
    pub regexp: RegexpSettings,
    /// The resource's `service.name` must match one of these.
    pub services: Vec<String>,
    /// The span's name must match one of these.
    pub span_names: Vec<String>,
    /// The span's kind must match one of these: `SPAN_KIND_SERVER` and so on.
    pub span_kinds: Vec<String>,
    /// The log record's body must match one of these.
    pub log_bodies: Vec<String>,
    /// The log record's severity text must match one of these.
    pub log_severity_texts: Vec<String>,
    /// The log record's severity number must be at least this.
    #[serde(alias = "log_severity")]
    pub log_severity_number: Option<SeverityMatch>,
    /// The metric's name must match one of these.
    pub metric_names: Vec<String>,
    /// The record must have all of these attributes.
    pub attributes: Vec<AttributeMatch>,
    /// The resource must have all of these attributes.
    pub resources: Vec<AttributeMatch>,
    /// The scope must be one of these.
    pub libraries: Vec<LibraryMatch>,
}

fn severity_number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    use serde::de::Error;
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Number(i32),
        Name(String),
    }
    match Form::deserialize(deserializer)? {
        Form::Number(number) => Ok(number),
        Form::Name(name) => named_severity(&name)
            .ok_or_else(|| D::Error::custom(format!("expected a severity such as `WARN`, found `{name}`"))),
    }
}

/// The number of `INFO`, `warn2` and so on.
fn named_severity(name: &str) -> Option<i32> {
    let name = name.trim().to_ascii_uppercase();
    let name = name.strip_prefix("SEVERITY_NUMBER_").unwrap_or(&name);
    if name == "UNSPECIFIED" || name == "UNDEFINED" {
        return Some(0);
    }
    let (base, step) = match name.strip_suffix(['2', '3', '4']) {
        Some(base) => (base, i32::from(name.as_bytes().last()? - b'1')),
        None => (name, 0),
    };
    let first = match base {
        "TRACE" => 1,
        "DEBUG" => 5,
        "INFO" => 9,
        "WARN" => 13,
        "ERROR" => 17,
        "FATAL" => 21,
        _ => return None,
    };
    Some(first + step)
}

/// What is matched: one record with what stands above it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    /// The resource's attributes.
    pub(crate) resource: &'a [KeyValue],
    /// The scope's name and version.
    pub(crate) scope: (&'a str, &'a str),
    /// The record's own attributes.
    pub(crate) attributes: &'a [KeyValue],
    /// The rest, by signal.
    pub(crate) record: Record<'a>,
}

/// What only records of one signal have.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Record<'a> {
    /// A span's name and kind.
    Span { name: &'a str, kind: i32 },
    /// A log record's body and severity.
    Log { body: Option<&'a Value>, severity_text: &'a str, severity_number: i32 },
    /// A data point's metric.
    Point { metric: &'a str },
}

/// Compiled [`MatchProperties`].
#[derive(Clone, Debug)]
pub(crate) struct Matcher {
    services: Option<Strings>,
    span_names: Option<Strings>,
    span_kinds: Option<Strings>,
    log_bodies: Option<Strings>,
    log_severity_texts: Option<Strings>,
    log_severity_number: Option<SeverityMatch>,
    metric_names: Option<Strings>,
    attributes: Vec<(String, Option<Wanted>)>,
    resources: Vec<(String, Option<Wanted>)>,
    libraries: Vec<(Strings, Option<Strings>)>,
}

#[derive(Clone, Debug)]
enum Strings {
    Equal(Vec<String>),
    Regex(Vec<Regex>),
}

#[derive(Clone, Debug)]
enum Wanted {
    Equal(Option<Value>),
    Regex(Regex),
}

impl MatchProperties {
    /// Whether there is no condition at all.
    pub(crate) fn is_empty(&self) -> bool {
        Self { match_type: MatchType::Strict, regexp: RegexpSettings::default(), ..self.clone() }
            == Self::default()
    }

    /// Compiles the patterns; `field` is the key path for errors.
    pub(crate) fn compile(&self, field: &str) -> Result<Matcher, Invalid> {
        Invalid::unless(!self.is_empty(), field, "must name at least one property to match")?;
        let strings = |name: &str, list: &[String]| {
            let compile = || Strings::new(self.match_type, list, &format!("{field}.{name}"));
            (!list.is_empty()).then(compile).transpose()
        };
        let libraries = self.libraries.iter().map(|library| {
            let one = |text: &String| {
                Strings::new(self.match_type, std::slice::from_ref(text), &format!("{field}.libraries"))
            };
            Ok((one(&library.name)?, library.version.as_ref().map(one).transpose()?))
        });
        Ok(Matcher {
            services: strings("services", &self.services)?,
            span_names: strings("span_names", &self.span_names)?,
            span_kinds: strings("span_kinds", &self.span_kinds)?,
            log_bodies: strings("log_bodies", &self.log_bodies)?,
            log_severity_texts: strings("log_severity_texts", &self.log_severity_texts)?,
            log_severity_number: self.log_severity_number,
            metric_names: strings("metric_names", &self.metric_names)?,
            attributes: self.wanted(&self.attributes, &format!("{field}.attributes"))?,
            resources: self.wanted(&self.resources, &format!("{field}.resources"))?,
            libraries: libraries.collect::<Result<_, Invalid>>()?,
        })
    }

    fn wanted(&self, list: &[AttributeMatch], field: &str) -> Result<Vec<(String, Option<Wanted>)>, Invalid> {
        list.iter()
            .map(|entry| {
                Invalid::unless(!entry.key.is_empty(), field, "every entry needs a `key`")?;
                let wanted = match (&entry.value, self.match_type) {
                    (None | Some(serde_json::Value::Null), _) => None,
                    (Some(value), MatchType::Strict) => Some(Wanted::Equal(values::from_json(value).value)),
                    (Some(serde_json::Value::String(pattern)), MatchType::Regexp) => {
                        Some(Wanted::Regex(regex(pattern, field)?))
                    }
                    (Some(other), MatchType::Regexp) => {
                        let message = format!("a regular expression must be text, found `{other}`");
                        return Err(Invalid::new(field, message));
                    }
                };
                Ok((entry.key.clone(), wanted))
            })
            .collect()
    }
}

/// Compiles a pattern of the configuration.
pub(crate) fn regex(pattern: &str, field: &str) -> Result<Regex, Invalid> {
    Regex::new(&config::re2(pattern)).map_err(|error| {
        let reason = error.to_string();
        let last = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        Invalid::new(field, format!("`{pattern}` is not a regular expression: {last}"))
    })
}

impl Strings {
    fn new(match_type: MatchType, list: &[String], field: &str) -> Result<Self, Invalid> {
        Ok(match match_type {
            MatchType::Strict => Self::Equal(list.to_vec()),
            MatchType::Regexp => {
                Self::Regex(list.iter().map(|pattern| regex(pattern, field)).collect::<Result<_, _>>()?)
            }
        })
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Equal(list) => list.iter().any(|entry| entry == text),
            Self::Regex(list) => list.iter().any(|regex| regex.is_match(text)),
        }
    }
}

impl Matcher {
    /// Whether the resource and scope can match; says nothing about the record.
    pub(crate) fn matches_resource(&self, resource: &[KeyValue]) -> bool {
        let service = || values::text(resource, "service.name").unwrap_or_default();
        self.services.as_ref().is_none_or(|wanted| wanted.matches(service()))
            && all_present(&self.resources, resource)
    }

    /// Whether everything matches.
    pub(crate) fn matches(&self, subject: &Subject<'_>) -> bool {
        self.matches_resource(subject.resource)
            && self.matches_record(&subject.record)
            && self.matches_library(subject.scope)
            && all_present(&self.attributes, subject.attributes)
    }

    fn matches_library(&self, (name, version): (&str, &str)) -> bool {
        self.libraries.is_empty()
            || self.libraries.iter().any(|(wanted, wanted_version)| {
                wanted.matches(name) && wanted_version.as_ref().is_none_or(|wanted| wanted.matches(version))
            })
    }

    fn matches_record(&self, record: &Record<'_>) -> bool {
        let for_span = self.span_names.is_some() || self.span_kinds.is_some();
        let for_log = self.log_bodies.is_some()
            || self.log_severity_texts.is_some()
            || self.log_severity_number.is_some();
        let for_point = self.metric_names.is_some();
        let matches = |wanted: &Option<Strings>, text: &str| wanted.as_ref().is_none_or(|w| w.matches(text));
        match *record {
            Record::Span { name, kind } => {
                !for_log
                    && !for_point
                    && matches(&self.span_names, name)
                    && (self.span_kinds.is_none() || matches(&self.span_kinds, span_kind(kind)))
            }
            Record::Log { body, severity_text, severity_number } => {
                !for_span
                    && !for_point
                    && (self.log_bodies.is_none()
                        || body
                            .and_then(values::scalar_text)
                            .is_some_and(|body| matches(&self.log_bodies, &body)))
                    && matches(&self.log_severity_texts, severity_text)
                    && self.log_severity_number.is_none_or(|wanted| match severity_number {
                        0 => wanted.match_undefined,
                        number => number >= wanted.min,
                    })
            }
            Record::Point { metric } => !for_span && !for_log && matches(&self.metric_names, metric),
        }
    }
}

/// The collector's name of a span kind.
pub(crate) const fn span_kind(kind: i32) -> &'static str {
    match kind {
        1 => "SPAN_KIND_INTERNAL",
        2 => "SPAN_KIND_SERVER",
        3 => "SPAN_KIND_CLIENT",
        4 => "SPAN_KIND_PRODUCER",
        5 => "SPAN_KIND_CONSUMER",
        _ => "SPAN_KIND_UNSPECIFIED",
    }
}

fn all_present(wanted: &[(String, Option<Wanted>)], attributes: &[KeyValue]) -> bool {
    wanted.iter().all(|(key, wanted)| match wanted {
        None => values::has(attributes, key),
        Some(Wanted::Equal(value)) => {
            values::has(attributes, key) && values::get(attributes, key) == value.as_ref()
        }
        Some(Wanted::Regex(regex)) => values::get(attributes, key)
            .and_then(values::scalar_text)
            .is_some_and(|text| regex.is_match(&text)),
    })
}

/// What to work on: what `include` matches, without what `exclude` matches.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    include: Option<Matcher>,
    exclude: Option<Matcher>,
}

impl Selection {
    /// Compiles both.
    pub(crate) fn new(
        include: Option<&MatchProperties>,
        exclude: Option<&MatchProperties>,
    ) -> Result<Self, Invalid> {
        Ok(Self {
            include: include.map(|properties| properties.compile("include")).transpose()?,
            exclude: exclude.map(|properties| properties.compile("exclude")).transpose()?,
        })
    }

    /// Whether `subject` is to be worked on.
    pub(crate) fn selects(&self, subject: &Subject<'_>) -> bool {
        self.include.as_ref().is_none_or(|include| include.matches(subject))
            && !self.exclude.as_ref().is_some_and(|exclude| exclude.matches(subject))
    }
}
