//! Requests on their way through the services, and the spans that they leave.

use std::time::Duration;

use pdata::proto::trace::{
    ResourceSpans, ScopeSpans, Span, Status, TracesData, span::SpanKind, status::StatusCode,
};
use pdata::{Timestamp, Traces};

use crate::attributes::{int, resource, scope, text};
use crate::random::Random;
use crate::workload::Service;

const PATHS: [&str; 5] = ["/", "/api/products/{id}", "/api/cart", "/api/checkout", "/api/search"];
/// What a message takes from one service to another.
const HOP: Duration = Duration::from_micros(350);

/// One request as one service handled it.
#[derive(Clone, Debug)]
pub(crate) struct Handled {
    pub(crate) trace_id: Vec<u8>,
    pub(crate) span_id: Vec<u8>,
    pub(crate) path: &'static str,
    pub(crate) end: Timestamp,
    pub(crate) took: Duration,
    pub(crate) failed: bool,
}

/// What happened, by service.
pub(crate) struct Recorder {
    spans: Vec<Vec<Span>>,
    pub(crate) handled: Vec<Vec<Handled>>,
}

impl Recorder {
    pub(crate) fn new(n_services: usize) -> Self {
        Self { spans: vec![Vec::new(); n_services], handled: vec![Vec::new(); n_services] }
    }

    pub(crate) fn into_traces(self, services: &[Service]) -> Traces {
        let groups = services.iter().zip(self.spans).filter(|(_, spans)| !spans.is_empty());
        let resource_spans = groups.map(|(service, spans)| ResourceSpans {
            resource: Some(resource(&service.name)),
            scope_spans: vec![ScopeSpans {
                scope: Some(scope("io.opentelemetry.http")),
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        });
        Traces::from_message(TracesData { resource_spans: resource_spans.collect() })
    }
}

/// A request that is being made.
struct Call<'a> {
    service: usize,
    trace_id: &'a [u8],
    parent: &'a [u8],
    path: &'static str,
    start: Timestamp,
}

/// Makes requests.
pub(crate) struct Requests<'a> {
    pub(crate) services: &'a [Service],
    pub(crate) random: &'a mut Random,
    pub(crate) recorder: &'a mut Recorder,
}

impl Requests<'_> {
    /// A request comes in from outside.
    pub(crate) fn arrive(&mut self, start: Timestamp) {
        let trace_id = self.random.id(16);
        let path = PATHS[self.random.below(PATHS.len())];
        self.handle(&Call { service: 0, trace_id: &trace_id, parent: &[], path, start });
    }

    /// A service handles a request, calling others; returns when it was done and whether it failed.
    fn handle(&mut self, call: &Call<'_>) -> (Timestamp, bool) {
        let service = &self.services[call.service];
        let span_id = self.random.id(8);
        let own = service.usual * service.slowdown * (0.35 * self.random.normal()).exp();
        let half = Duration::from_secs_f64(own / 2.0);
        let mut failed = self.random.happens(service.failures);
        let mut now = call.start + half;
        for callee in &service.callees {
            if self.random.happens(0.8) {
                let (end, callee_failed) = self.call(call, *callee, &span_id, now);
                now = end;
                failed |= callee_failed;
            }
        }
        let end = now + half;
        let status = if failed { 500 } else { 200 };
        self.recorder.spans[call.service].push(Span {
            parent_span_id: call.parent.to_vec(),
            name: format!("GET {}", call.path),
            kind: SpanKind::Server as i32,
            attributes: vec![
                text("http.request.method", "GET"),
                text("http.route", call.path),
                int("http.response.status_code", status),
                text("network.protocol.version", "1.1"),
            ],
            ..span(call.trace_id, &span_id, call.start, end, failed)
        });
        self.recorder.handled[call.service].push(Handled {
            trace_id: call.trace_id.to_vec(),
            span_id,
            path: call.path,
            end,
            took: end.since(call.start),
            failed,
        });
        (end, failed)
    }

    /// A service calls another one.
    fn call(
        &mut self,
        caller: &Call<'_>,
        callee: usize,
        parent: &[u8],
        start: Timestamp,
    ) -> (Timestamp, bool) {
        let span_id = self.random.id(8);
        let inner = Call { service: callee, parent: &span_id, start: start + HOP, ..*caller };
        let (end, failed) = self.handle(&inner);
        let end = end + HOP;
        let address = &self.services[callee].name;
        self.recorder.spans[caller.service].push(Span {
            parent_span_id: parent.to_vec(),
            name: "GET".to_owned(),
            kind: SpanKind::Client as i32,
            attributes: vec![
                text("http.request.method", "GET"),
                text("server.address", address),
                int("server.port", 8080),
                int("http.response.status_code", if failed { 500 } else { 200 }),
            ],
            ..span(caller.trace_id, &span_id, start, end, failed)
        });
        (end, failed)
    }
}

fn span(trace_id: &[u8], span_id: &[u8], start: Timestamp, end: Timestamp, failed: bool) -> Span {
    let code = if failed { StatusCode::Error } else { StatusCode::Unset };
    Span {
        trace_id: trace_id.to_vec(),
        span_id: span_id.to_vec(),
        flags: 1,
        start_time_unix_nano: start.as_nanos(),
        end_time_unix_nano: end.as_nanos(),
        status: failed.then(|| Status { code: code as i32, ..Status::default() }),
        ..Span::default()
    }
}
