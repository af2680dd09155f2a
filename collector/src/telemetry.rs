//! The collector's own metrics over HTTP.
//!
//! `GET /metrics` at every address of `service.telemetry.metrics`, in Prometheus's text format: what the components count,
//! and how the process is. An address that is taken is an error before anything starts or changes.

mod process;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use component::{ShutdownTrigger, Telemetry};
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use tokio::task::JoinHandle;
use tracing::{info, warn};
use transport::TransportError;
use transport::http::{Server, ServerSettings};

use self::process::Process;

/// How long a request that is under way may hold up the end.
const PATIENCE: Duration = Duration::from_secs(2);

/// Own metrics cannot be served as the configuration asks.
#[derive(Debug, thiserror::Error)]
#[error("service.telemetry.metrics: cannot serve the collector's own metrics")]
pub(crate) struct ListenError(#[from] TransportError);

/// The addresses where own metrics are served.
pub(crate) struct OwnMetrics {
    page: Arc<Page>,
    serving: BTreeMap<String, Serving>,
}

/// Addresses that are bound and not yet served.
#[derive(Debug)]
pub(crate) struct Bound(Vec<(String, Server)>);

#[derive(Debug)]
struct Serving {
    trigger: ShutdownTrigger,
    task: JoinHandle<()>,
}

impl OwnMetrics {
    /// Serves nothing yet.
    pub(crate) fn new(telemetry: Telemetry) -> Self {
        Self { page: Arc::new(Page { telemetry, process: Process::new() }), serving: BTreeMap::new() }
    }

    /// Binds those of `addresses` that are not served yet.
    ///
    /// # Errors
    /// If one of them is taken, or is none of ours.
    pub(crate) async fn bind(&self, addresses: &[String]) -> Result<Bound, ListenError> {
        let mut bound = Vec::new();
        for address in addresses.iter().filter(|address| !self.serving.contains_key(*address)) {
            bound.push((address.clone(), Server::bind(&ServerSettings::at(address)).await?));
        }
        Ok(Bound(bound))
    }

    /// Serves `bound` and what was served before, as far as it is among `addresses`.
    pub(crate) async fn serve(&mut self, bound: Bound, addresses: &[String]) {
        for (address, server) in bound.0 {
            let at = server.local_addr().map_or_else(|| address.clone(), |at| at.to_string());
            info!(url = format!("http://{at}/metrics"), "serving own metrics");
            let page = Arc::clone(&self.page);
            let handler = move |request: Request<_>| {
                let page = Arc::clone(&page);
                async move { page.answer(&request) }
            };
            let trigger = ShutdownTrigger::default();
            let shutdown = trigger.listener();
            let task = tokio::spawn(server.serve(handler, async move { shutdown.requested().await }));
            self.serving.insert(address, Serving { trigger, task });
        }
        let gone = self.serving.extract_if(.., |address, _| !addresses.contains(address));
        for (address, serving) in gone.collect::<Vec<_>>() {
            serving.end(&address).await;
        }
    }

    /// Ends all of them.
    pub(crate) async fn shut_down(mut self) {
        self.serve(Bound(Vec::new()), &[]).await;
    }
}

impl Serving {
    async fn end(self, address: &str) {
        let Self { trigger, mut task } = self;
        trigger.trigger();
        match tokio::time::timeout(PATIENCE, &mut task).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(address, %error, "serving own metrics ended badly"),
            Err(_) => task.abort(),
        }
    }
}

/// What is served.
struct Page {
    telemetry: Telemetry,
    process: Process,
}

impl Page {
    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if request.uri().path() != "/metrics" {
            return response(
                StatusCode::NOT_FOUND,
                "text/plain; charset=utf-8",
                "own metrics are at /metrics\n",
            );
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut refusal =
                response(StatusCode::METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", "only GET and HEAD\n");
            refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refusal;
        }
        let mut text = self.telemetry.render();
        self.process.write(&mut text);
        response(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text)
    }
}

fn response(code: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
