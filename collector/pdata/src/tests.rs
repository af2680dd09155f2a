//! Fixtures shared by this crate's tests.

use crate::proto::common::{AnyValue, KeyValue, any_value};
use crate::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use crate::proto::resource::Resource;

/// A text value.
pub(crate) fn string(text: &str) -> AnyValue {
    AnyValue { value: Some(any_value::Value::StringValue(text.to_owned())) }
}

/// One service's only log record.
pub(crate) fn one_log(service: &str, body: &str) -> LogsData {
    let name =
        KeyValue { key: "service.name".to_owned(), value: Some(string(service)), ..KeyValue::default() };
    let record = LogRecord { body: Some(string(body)), ..LogRecord::default() };
    LogsData {
        resource_logs: vec![ResourceLogs {
            resource: Some(Resource { attributes: vec![name], ..Resource::default() }),
            scope_logs: vec![ScopeLogs { log_records: vec![record], ..ScopeLogs::default() }],
            ..ResourceLogs::default()
        }],
    }
}
