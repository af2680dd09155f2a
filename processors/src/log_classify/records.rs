//! What a log record tells the classifier.
//!
//! In: a record. Out: its message, its template if an earlier stage found it, and codes among its attributes.

use std::borrow::Cow;

use analysis::logs::TemplateId;
use analysis::logs::classify::{Line, Parameters, Severity};
use pdata::proto::common::{AnyValue, KeyValue, any_value::Value};
use pdata::proto::logs::LogRecord;

use crate::values;

/// The attributes that this processor writes.
pub(super) const CLASS: &str = "watchfire.log.class";
pub(super) const CLUSTER: &str = "watchfire.log.cluster_id";

/// The attributes that the template comes from.
const TEMPLATE: &str = "log.record.template";
const TEMPLATE_ID: &str = "watchfire.log.template_id";

/// Where the message is in a body that is a map.
const MESSAGE_KEYS: [&str; 5] = ["message", "msg", "log", "body", "error"];

/// A record, as the classifier reads it.
pub(super) struct Message<'a> {
    template: Option<(TemplateId, &'a str)>,
    body: Cow<'a, str>,
    severity: Severity,
    parameters: Parameters,
}

impl<'a> Message<'a> {
    /// The record's message; `None` if it has neither text nor template.
    pub(super) fn of(record: &'a LogRecord) -> Option<Self> {
        let attributes = &record.attributes;
        let body = record.body.as_ref().and_then(text_of).unwrap_or_default();
        let text = values::text(attributes, TEMPLATE).filter(|text| !text.is_empty());
        let id = values::text(attributes, TEMPLATE_ID).and_then(|id| id.parse::<TemplateId>().ok());
        let template = match (id, text) {
            (Some(id), text) => Some((id, text.unwrap_or(body))),
            (None, Some(text)) => Some((TemplateId::of(text), text)),
            (None, None) => None,
        };
        let body = with_exception(body, attributes);
        if body.trim().is_empty() && template.is_none_or(|(_, text)| text.trim().is_empty()) {
            return None;
        }
        let severity = Severity::of(record.severity_number, &record.severity_text, &body);
        Some(Self { template, body, severity, parameters: parameters(attributes) })
    }

    /// For the classifier.
    pub(super) fn line(&self) -> Line<'_> {
        Line {
            template: self.template,
            body: &self.body,
            severity: self.severity,
            parameters: self.parameters,
        }
    }

    /// For the embedder.
    pub(super) fn text(&self) -> &str {
        self.template.map_or(&self.body, |(_, text)| text)
    }
}

fn text_of(body: &AnyValue) -> Option<&str> {
    match body.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        Value::KvlistValue(map) => MESSAGE_KEYS.iter().find_map(|key| values::text(&map.values, key)),
        _ => None,
    }
}

/// An exception that came as attributes says more than most messages.
fn with_exception<'a>(body: &'a str, attributes: &[KeyValue]) -> Cow<'a, str> {
    let Some(exception) = values::text(attributes, "exception.type") else { return Cow::Borrowed(body) };
    let message = values::text(attributes, "exception.message").unwrap_or_default();
    Cow::Owned(format!("{body} {exception} {message}"))
}

fn parameters(attributes: &[KeyValue]) -> Parameters {
    let mut parameters = Parameters::default();
    for attribute in attributes {
        let slot = match attribute.key.as_str() {
            "http.response.status_code" | "http.status_code" => &mut parameters.http_status,
            "rpc.grpc.status_code" => &mut parameters.grpc_status,
            "process.exit.code" | "exit_code" => &mut parameters.exit_code,
            "errno" => &mut parameters.errno,
            _ => continue,
        };
        *slot = attribute.value.as_ref().and_then(number);
    }
    parameters
}

fn number(value: &AnyValue) -> Option<u32> {
    match value.value.as_ref()? {
        Value::IntValue(number) => u32::try_from(*number).ok(),
        Value::StringValue(text) => text.parse().ok(),
        _ => None,
    }
}
