//! What the services write while they handle requests.

use pdata::Logs;
use pdata::proto::common::{AnyValue, any_value::Value};
use pdata::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs, SeverityNumber};

use crate::attributes::{resource, scope, text};
use crate::random::Random;
use crate::requests::{Handled, Recorder};
use crate::workload::Service;

/// One record for each request that a service handled, and one more for each that failed.
pub(crate) fn write(services: &[Service], recorder: &Recorder, random: &mut Random) -> Logs {
    let groups = services.iter().zip(&recorder.handled).filter(|(_, handled)| !handled.is_empty());
    let resource_logs = groups.map(|(service, handled)| ResourceLogs {
        resource: Some(resource(&service.name)),
        scope_logs: vec![ScopeLogs {
            scope: Some(scope("org.slf4j.Logger")),
            log_records: handled.iter().flat_map(|handled| records(handled, random)).collect(),
            ..ScopeLogs::default()
        }],
        ..ResourceLogs::default()
    });
    Logs::from_message(LogsData { resource_logs: resource_logs.collect() })
}

fn records(handled: &Handled, random: &mut Random) -> Vec<LogRecord> {
    let ms = handled.took.as_secs_f64() * 1e3;
    let line = match random.below(4) {
        0 => format!("cache miss for key product:{}:v{}", random.below(5000), random.below(4)),
        1 => format!("loaded {} rows from table orders_{} in {ms:.1} ms", random.below(90), random.below(16)),
        2 => format!("session {:08x} of user {} renewed", random.below(1 << 32), random.below(20_000)),
        _ => {
            let status = if handled.failed { 500 } else { 200 };
            format!("GET {} answered {status} in {ms:.1} ms", handled.path)
        }
    };
    let mut records = vec![record(handled, SeverityNumber::Info, "INFO", line)];
    if handled.failed {
        let address = format!("10.2.{}.{}:8080", random.below(16), random.below(256));
        let line = format!("request failed: connection to {address} was reset after {ms:.0} ms");
        records.push(record(handled, SeverityNumber::Error, "ERROR", line));
    }
    records
}

fn record(handled: &Handled, severity: SeverityNumber, severity_text: &str, body: String) -> LogRecord {
    LogRecord {
        time_unix_nano: handled.end.as_nanos(),
        observed_time_unix_nano: handled.end.as_nanos() + 1_000_000,
        severity_number: severity as i32,
        severity_text: severity_text.to_owned(),
        body: Some(AnyValue { value: Some(Value::StringValue(body)) }),
        attributes: vec![text("thread.name", "http-worker-3"), text("code.function.name", "handle")],
        flags: 1,
        trace_id: handled.trace_id.clone(),
        span_id: handled.span_id.clone(),
        ..LogRecord::default()
    }
}
