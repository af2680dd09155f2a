//! Events as log records and back, losing nothing.
//!
//! An event is a record whose `event_name` is [`Event::name`], at the event's time, with the severity that its kind and
//! its own severity call for, `service.name` on the resource and, for people, one sentence as the body. Everything
//! the event holds is in attributes: field `score` is `watchfire.score`. Lists and maps stay lists and maps; null is
//! the empty value; a whole number beyond the range of OTLP's integers is its decimal text as bytes, which JSON has
//! no other use for.

use serde_json::{Map, Number, Value};

use super::{Event, IncidentState, NAME_PREFIX, Severity};
use crate::Logs;
use crate::proto::common::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value};
use crate::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs, SeverityNumber};
use crate::proto::resource::Resource;
use crate::view::{AnyValueView, LogRecordView};

/// Events as log records, in order.
pub fn to_logs(events: &[Event]) -> Logs {
    let same_service = events.chunk_by(|one, other| one.service() == other.service());
    let resource_logs = same_service.map(|events| ResourceLogs {
        resource: Some(Resource {
            attributes: events[0]
                .service()
                .map(|service| attribute("service.name", Value::String(service.to_owned())))
                .into_iter()
                .collect(),
            ..Resource::default()
        }),
        scope_logs: vec![ScopeLogs {
            scope: Some(InstrumentationScope {
                name: "watchfire".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                ..InstrumentationScope::default()
            }),
            log_records: events.iter().map(to_record).collect(),
            ..ScopeLogs::default()
        }],
        ..ResourceLogs::default()
    });
    Logs::from_message(LogsData { resource_logs: resource_logs.collect() })
}

/// Takes the events out of log records: the events, in order, and the other records, if there are any. A record that
/// has an event's name and yet is none stays a record.
pub fn from_logs(logs: Logs) -> (Vec<Event>, Option<Logs>) {
    if !logs.may_hold_events() {
        return (Vec::new(), Some(logs));
    }
    let mut events = Vec::new();
    let rest = logs.retain(|_, _, record| match from_record(record) {
        Some(event) => {
            events.push(event);
            false
        }
        None => true,
    });
    let nothing_left = !events.is_empty() && rest.items() == 0;
    (events, (!nothing_left).then_some(rest))
}

fn to_record(event: &Event) -> LogRecord {
    // Events are objects in JSON, and always have a JSON form.
    let mut fields = match serde_json::to_value(event) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    fields.remove("type");
    fields.remove(time_field(event.name()));
    LogRecord {
        time_unix_nano: event.time().as_nanos(),
        severity_number: severity_number(event) as i32,
        event_name: event.name().to_owned(),
        body: Some(AnyValue { value: Some(any_value::Value::StringValue(event.message().into_owned())) }),
        attributes: fields
            .into_iter()
            .map(|(name, value)| attribute(&format!("{NAME_PREFIX}{name}"), value))
            .collect(),
        ..LogRecord::default()
    }
}

fn from_record(record: LogRecordView<'_>) -> Option<Event> {
    let kind = record.event_name().strip_prefix(NAME_PREFIX)?;
    let mut fields = Map::new();
    for (key, value) in record.attributes() {
        if let Some(name) = key.strip_prefix(NAME_PREFIX) {
            fields.insert(name.to_owned(), to_json(value));
        }
    }
    fields.insert("type".to_owned(), Value::String(kind.to_owned()));
    fields.insert(time_field(record.event_name()).to_owned(), record.time().as_nanos().into());
    serde_json::from_value(Value::Object(fields)).ok()
}

/// The field that holds what [`Event::time`] returns.
fn time_field(name: &str) -> &'static str {
    if name == "watchfire.incident" { "updated_unix_nano" } else { "time_unix_nano" }
}

fn severity_number(event: &Event) -> SeverityNumber {
    let of = |severity: Severity| match severity {
        Severity::Info => SeverityNumber::Info,
        Severity::Warning => SeverityNumber::Warn,
        Severity::Error => SeverityNumber::Error,
        Severity::Critical => SeverityNumber::Fatal,
    };
    match event {
        Event::Anomaly(anomaly) if anomaly.is_over() => SeverityNumber::Info,
        Event::Anomaly(anomaly) => of(anomaly.severity),
        Event::Incident(incident) => match incident.state {
            IncidentState::Open | IncidentState::Updated => of(incident.severity),
            IncidentState::Resolved | IncidentState::Merged => SeverityNumber::Info,
        },
        Event::Action(action) if action.state == "failed" => SeverityNumber::Error,
        Event::Score(_) | Event::Forecast(_) | Event::Change(_) | Event::Action(_) => SeverityNumber::Info,
    }
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(to_any(value)), ..KeyValue::default() }
}

fn to_any(value: Value) -> AnyValue {
    use any_value::Value as Any;
    let value = match value {
        Value::Null => None,
        Value::Bool(truth) => Some(Any::BoolValue(truth)),
        Value::Number(number) => Some(match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(whole), _, _) => Any::IntValue(whole),
            (None, None, Some(double)) => Any::DoubleValue(double),
            (None, ..) => Any::BytesValue(number.to_string().into_bytes()),
        }),
        Value::String(text) => Some(Any::StringValue(text)),
        Value::Array(values) => {
            Some(Any::ArrayValue(ArrayValue { values: values.into_iter().map(to_any).collect() }))
        }
        Value::Object(entries) => Some(Any::KvlistValue(KeyValueList {
            values: entries.into_iter().map(|(key, value)| attribute(&key, value)).collect(),
        })),
    };
    AnyValue { value }
}

fn to_json(value: AnyValueView<'_>) -> Value {
    match value {
        AnyValueView::Bytes(digits) => {
            let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<Number>().ok());
            number.map_or_else(|| value.to_json(), Value::Number)
        }
        AnyValueView::Array(array) => Value::Array(array.iter().map(to_json).collect()),
        AnyValueView::KvList(list) => {
            Value::Object(list.iter().map(|(key, value)| (key.to_owned(), to_json(value))).collect())
        }
        value => value.to_json(),
    }
}
