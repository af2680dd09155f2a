//! What the shop's services send: OTLP as OpenTelemetry SDKs build it.

use std::collections::BTreeMap;

use pdata::proto::common::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use pdata::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use pdata::proto::metrics::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, MetricsData, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum, metric::Data, number_data_point,
};
use pdata::proto::resource::Resource;
use pdata::proto::trace::span::SpanKind;
use pdata::proto::trace::status::StatusCode;
use pdata::proto::trace::{ResourceSpans, ScopeSpans, Span, Status, TracesData};
use pdata::{Batch, Logs, Metrics, Timestamp, Traces};

use super::topology::{Operation, Peer, Service};

/// A span of one service.
pub(super) struct SpanRecord {
    service: Service,
    span: Span,
}

/// A log record of one service.
pub(super) struct LogLine {
    service: Service,
    record: LogRecord,
}

/// One service's only process.
pub(super) struct Process {
    pub(super) service: Service,
    pod: String,
    start: Timestamp,
    /// Leaked bytes.
    pub(super) leaked: f64,
    restarts: u64,
    /// Until when it is starting.
    down_until: Timestamp,
    histograms: BTreeMap<(&'static str, bool), Distribution>,
    /// Seconds of work since the last sample.
    busy: f64,
    cpu: f64,
    noise: f64,
}

#[derive(Default)]
struct Distribution {
    count: u64,
    sum: f64,
    counts: [u64; BOUNDS.len() + 1],
}

/// The bounds that semantic conventions advise for durations of HTTP requests.
const BOUNDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

impl Process {
    pub(super) fn new(service: Service, start: Timestamp, id: u32) -> Self {
        Self {
            service,
            pod: format!("{}-{:08x}", service.name(), id),
            start,
            leaked: 0.0,
            restarts: 0,
            down_until: Timestamp::default(),
            histograms: BTreeMap::new(),
            busy: 0.0,
            cpu: 0.0,
            noise: 0.0,
        }
    }

    /// How many seconds it has been up, if it is.
    pub(super) fn up_since(&self, now: Timestamp) -> Option<u64> {
        let up = self.start.max(self.down_until);
        (up <= now).then(|| now.since(up).as_secs())
    }

    /// Bytes in use.
    pub(super) fn memory(&self) -> f64 {
        self.service.memory() * (1.0 + 0.04 * self.noise) + self.leaked
    }

    /// It died and starts anew.
    pub(super) fn restart(&mut self, now: Timestamp, seconds: u64) {
        self.restarts += 1;
        self.leaked = 0.0;
        self.down_until = now + std::time::Duration::from_secs(seconds);
        self.start = self.down_until;
        self.histograms.clear();
    }

    /// Counts a request.
    pub(super) fn served(&mut self, operation: &'static str, nanos: u64, work: u64, error: bool) {
        let seconds = nanos as f64 / 1e9;
        self.busy += work as f64 / 1e9;
        let distribution = self.histograms.entry((operation, error)).or_default();
        distribution.count += 1;
        distribution.sum += seconds;
        distribution.counts[BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len())] += 1;
    }

    /// Reads its meters. `noise` is between -0.5 and 0.5.
    pub(super) fn sample(&mut self, noise: f64) {
        self.noise = 0.8 * self.noise + 0.2 * noise;
        self.cpu = (0.02 + self.busy / 10.0) * (1.0 + 0.2 * noise);
        self.busy = 0.0;
    }

    fn resource(&self) -> Option<Resource> {
        let attributes = vec![
            attribute("service.name", self.service.name()),
            attribute("service.namespace", "shop"),
            attribute("service.version", "1.4.2"),
            attribute("service.instance.id", &self.pod),
            attribute("k8s.namespace.name", "shop"),
            attribute("k8s.pod.name", &self.pod),
            attribute("deployment.environment.name", "demo"),
        ];
        Some(Resource { attributes, ..Resource::default() })
    }

    fn metrics(&self, now: Timestamp) -> Vec<Metric> {
        let up = self.up_since(now).is_some();
        let number = |value| vec![self.number(now, value, Vec::new())];
        let gauge =
            |name: &str, unit: &str, points| metric(name, unit, Data::Gauge(Gauge { data_points: points }));
        // Counted by Kubernetes, not by the process: it goes on while that is down.
        let restarts =
            NumberDataPoint { start_time_unix_nano: 0, ..self.number(now, self.restarts as f64, Vec::new()) };
        let mut metrics = vec![gauge("k8s.container.restarts", "{restart}", vec![restarts])];
        if !up {
            return metrics;
        }
        metrics.push(gauge("process.cpu.utilization", "1", number(self.cpu.min(1.0))));
        let memory = Sum {
            data_points: number(self.memory()),
            aggregation_temporality: AggregationTemporality::Cumulative as i32,
            is_monotonic: false,
        };
        metrics.push(metric("process.memory.usage", "By", Data::Sum(memory)));
        if self.service.has_pool() {
            let used = (14.0 + 40.0 * self.cpu + 12.0 * self.noise).round();
            let point = self.number(now, used, vec![attribute("db.client.connection.state", "used")]);
            metrics.push(gauge("db.client.connection.count", "{connection}", vec![point]));
        }
        let histogram = Histogram {
            data_points: self.histograms.iter().map(|(key, d)| self.histogram_point(now, *key, d)).collect(),
            aggregation_temporality: AggregationTemporality::Cumulative as i32,
        };
        metrics.push(metric("http.server.request.duration", "s", Data::Histogram(histogram)));
        metrics
    }

    fn number(&self, now: Timestamp, value: f64, attributes: Vec<KeyValue>) -> NumberDataPoint {
        NumberDataPoint {
            attributes,
            start_time_unix_nano: self.start.as_nanos().min(now.as_nanos()),
            time_unix_nano: now.as_nanos(),
            value: Some(number_data_point::Value::AsDouble(value)),
            ..NumberDataPoint::default()
        }
    }

    fn histogram_point(
        &self,
        now: Timestamp,
        (operation, error): (&'static str, bool),
        distribution: &Distribution,
    ) -> HistogramDataPoint {
        let mut attributes = route(operation);
        attributes.push(status(error));
        HistogramDataPoint {
            attributes,
            start_time_unix_nano: self.start.as_nanos(),
            time_unix_nano: now.as_nanos(),
            count: distribution.count,
            sum: Some(distribution.sum),
            bucket_counts: distribution.counts.to_vec(),
            explicit_bounds: BOUNDS.to_vec(),
            ..HistogramDataPoint::default()
        }
    }
}

impl SpanRecord {
    /// A request that a service handles.
    pub(super) fn server(
        operation: &'static Operation,
        trace: u128,
        span: u64,
        parent: Option<u64>,
        (start, end): (u64, u64),
        error: Option<&'static str>,
    ) -> Self {
        let mut attributes = route(operation.name);
        attributes.push(status(error.is_some()));
        let span = Span {
            name: operation.name.to_owned(),
            kind: SpanKind::Server as i32,
            attributes,
            ..span_of(trace, span, parent, start, end, error)
        };
        Self { service: operation.service, span }
    }

    /// A request that a service makes of another.
    #[expect(clippy::too_many_arguments, reason = "a span has that many parts")]
    pub(super) fn client(
        asker: Service,
        name: &'static str,
        peer: &'static str,
        trace: u128,
        span: u64,
        parent: u64,
        (start, end): (u64, u64),
        error: Option<&'static str>,
    ) -> Self {
        let mut attributes = vec![attribute("server.address", peer), status(error.is_some())];
        attributes.extend(name.split_once(' ').map(|(method, _)| attribute("http.request.method", method)));
        let span = Span {
            name: name.to_owned(),
            kind: SpanKind::Client as i32,
            attributes,
            ..span_of(trace, span, Some(parent), start, end, error)
        };
        Self { service: asker, span }
    }

    /// A request that a service makes of something without telemetry.
    pub(super) fn of_peer(
        asker: Service,
        peer: &'static Peer,
        trace: u128,
        span: u64,
        parent: u64,
        (start, end): (u64, u64),
    ) -> Self {
        let mut attributes = vec![attribute("server.address", peer.name)];
        attributes.extend(peer.database.map(|system| attribute("db.system.name", system)));
        let span = Span {
            name: peer.request.to_owned(),
            kind: SpanKind::Client as i32,
            attributes,
            ..span_of(trace, span, Some(parent), start, end, None)
        };
        Self { service: asker, span }
    }
}

fn span_of(
    trace: u128,
    span: u64,
    parent: Option<u64>,
    start: u64,
    end: u64,
    error: Option<&'static str>,
) -> Span {
    Span {
        trace_id: trace.to_be_bytes().to_vec(),
        span_id: span.to_be_bytes().to_vec(),
        parent_span_id: parent.map_or_else(Vec::new, |parent| parent.to_be_bytes().to_vec()),
        start_time_unix_nano: start,
        end_time_unix_nano: end,
        status: error.map(|message| Status { code: StatusCode::Error as i32, message: message.to_owned() }),
        ..Span::default()
    }
}

impl LogLine {
    /// A request failed.
    pub(super) fn error(operation: &Operation, trace: u128, span: u64, time: u64, message: &str) -> Self {
        Self::new(
            operation.service,
            (17, "ERROR"),
            time,
            format!("{} failed: {message}", operation.name),
            Some((trace, span)),
        )
    }

    /// A request went well.
    pub(super) fn info(operation: &Operation, trace: u128, span: u64, time: u64) -> Self {
        Self::new(
            operation.service,
            (9, "INFO"),
            time,
            format!("{} done", operation.name),
            Some((trace, span)),
        )
    }

    /// A process died.
    pub(super) fn crash(service: Service, time: Timestamp, reason: &str) -> Self {
        Self::new(service, (21, "FATAL"), time.as_nanos(), format!("process killed: {reason}"), None)
    }

    fn new(
        service: Service,
        (number, text): (i32, &str),
        time: u64,
        body: String,
        context: Option<(u128, u64)>,
    ) -> Self {
        let record = LogRecord {
            time_unix_nano: time,
            observed_time_unix_nano: time,
            severity_number: number,
            severity_text: text.to_owned(),
            body: Some(AnyValue { value: Some(Value::StringValue(body)) }),
            trace_id: context.map_or_else(Vec::new, |(trace, _)| trace.to_be_bytes().to_vec()),
            span_id: context.map_or_else(Vec::new, |(_, span)| span.to_be_bytes().to_vec()),
            ..LogRecord::default()
        };
        Self { service, record }
    }
}

/// Gathers spans and log records until they are sent.
#[derive(Default)]
pub(super) struct Exporter {
    spans: BTreeMap<Service, Vec<Span>>,
    logs: BTreeMap<Service, Vec<LogRecord>>,
}

impl Exporter {
    pub(super) fn span(&mut self, record: SpanRecord) {
        self.spans.entry(record.service).or_default().push(record.span);
    }

    pub(super) fn log(&mut self, line: LogLine) {
        self.logs.entry(line.service).or_default().push(line.record);
    }

    /// What was gathered.
    pub(super) fn flush(&mut self, processes: &[Process]) -> Vec<Batch> {
        let resource = |service: Service| processes[service as usize].resource();
        let spans = std::mem::take(&mut self.spans).into_iter().map(|(service, spans)| ResourceSpans {
            resource: resource(service),
            scope_spans: vec![ScopeSpans { scope: scope(), spans, ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        });
        let logs = std::mem::take(&mut self.logs).into_iter().map(|(service, log_records)| ResourceLogs {
            resource: resource(service),
            scope_logs: vec![ScopeLogs { scope: scope(), log_records, ..ScopeLogs::default() }],
            ..ResourceLogs::default()
        });
        let traces = Traces::from_message(TracesData { resource_spans: spans.collect() });
        let logs = Logs::from_message(LogsData { resource_logs: logs.collect() });
        [Batch::from(traces), Batch::from(logs)].into_iter().filter(|batch| !batch.is_empty()).collect()
    }

    /// All meters.
    pub(super) fn metrics(&self, now: Timestamp, processes: &[Process]) -> Batch {
        let groups = processes.iter().map(|process| ResourceMetrics {
            resource: process.resource(),
            scope_metrics: vec![ScopeMetrics {
                scope: scope(),
                metrics: process.metrics(now),
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        });
        Metrics::from_message(MetricsData { resource_metrics: groups.collect() }).into()
    }
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope { name: "watchfire.demo".to_owned(), ..InstrumentationScope::default() })
}

fn metric(name: &str, unit: &str, data: Data) -> Metric {
    Metric { name: name.to_owned(), unit: unit.to_owned(), data: Some(data), ..Metric::default() }
}

fn route(operation: &'static str) -> Vec<KeyValue> {
    let (method, route) = operation.split_once(' ').unwrap_or(("GET", operation));
    vec![attribute("http.request.method", method), attribute("http.route", route)]
}

fn status(error: bool) -> KeyValue {
    let code = Some(AnyValue { value: Some(Value::IntValue(if error { 500 } else { 200 })) });
    KeyValue { key: "http.response.status_code".to_owned(), value: code, ..KeyValue::default() }
}

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}
