#![doc = include_str!("README.md")]

mod config;
mod convert;
mod exponential;
mod labels;
mod names;
mod negotiate;
mod number;
mod render;
mod store;
#[cfg(test)]
mod tests;
mod value;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::config::Section;
use async_trait::async_trait;
use bytes::Bytes;
use component::delivery::DeliverySettings;
use component::{
    BuildError, Clock, ConfigSpec, Context, Counter, ExportError, Exporter, ExporterFactory, Gauge, RunError,
    ShutdownTrigger, Stability,
};
use http::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, VARY};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::Full;
use pdata::{Batch, Signal, SignalSet};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use transport::compression::Compression;
use transport::describe;
use transport::http::Server;

pub use self::config::{Config, ResourceToTelemetry, TranslationStrategy};
use self::convert::Converter;
use self::render::{Format, Page};
use self::store::{Dropped, Store};

/// Builds `prometheus` exporters.
pub const FACTORY: ExporterFactory = ExporterFactory {
    type_name: "prometheus",
    aliases: &[],
    stability: Stability::Beta,
    signals: SignalSet::of(&[Signal::Metrics]),
    config: ConfigSpec::of::<Config>(),
    delivery: DeliverySettings::local,
    create,
};

fn create(section: &Section, context: &Context) -> Result<Box<dyn Exporter>, BuildError> {
    Ok(Box::new(Prometheus::new(section.parse()?, context)))
}

/// Where metrics are.
const PATH: &str = "/metrics";
/// How many scrapes are answered at once.
const SCRAPES_AT_ONCE: usize = 2;
/// How long a scrape that is under way may hold up the end.
const PATIENCE: Duration = Duration::from_secs(2);

/// Shows metrics to whoever asks.
struct Prometheus {
    shown: Arc<Shown>,
    converter: Converter,
    dropped: Vec<(Dropped, Counter)>,
    serving: Mutex<Option<Serving>>,
}

/// What a scrape needs.
struct Shown {
    config: Config,
    clock: Clock,
    store: Mutex<Store>,
    series: Gauge,
    scrapes: Counter,
    turns: Semaphore,
}

/// A server that runs.
struct Serving {
    trigger: ShutdownTrigger,
    task: JoinHandle<()>,
}

impl Prometheus {
    fn new(config: Config, context: &Context) -> Self {
        let id = context.key.id.to_string();
        let telemetry = &context.telemetry;
        let dropped = Dropped::ALL.map(|why| {
            let labels = &[("exporter", id.as_str()), ("reason", why.reason())];
            let help = "Data points that are not shown";
            (why, telemetry.counter("otelcol_exporter_prometheus_dropped_metric_points", help, labels))
        });
        let labels = &[("exporter", id.as_str())];
        let shown = Shown {
            clock: context.clock.clone(),
            store: Mutex::new(Store::new(config.max_series, config.metric_expiration.get())),
            series: telemetry.gauge("otelcol_exporter_prometheus_series", "Series that are shown", labels),
            scrapes: telemetry.counter(
                "otelcol_exporter_prometheus_scrapes",
                "Scrapes that were answered",
                labels,
            ),
            turns: Semaphore::new(SCRAPES_AT_ONCE),
            config,
        };
        Self {
            converter: Converter::new(&shown.config),
            shown: Arc::new(shown),
            dropped: dropped.into(),
            serving: Mutex::new(None),
        }
    }

    fn serving(&self) -> MutexGuard<'_, Option<Serving>> {
        self.serving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Exporter for Prometheus {
    async fn start(&self) -> Result<(), RunError> {
        let server = Server::bind(&self.shown.config.server())
            .await
            .map_err(|error| RunError::Other(describe(&error)))?;
        let at = server
            .local_addr()
            .map_or_else(|| self.shown.config.endpoint.clone(), |address| address.to_string());
        tracing::info!(address = at, path = PATH, "serving metrics for Prometheus");
        let shown = Arc::clone(&self.shown);
        let handler = move |request: Request<_>| {
            let shown = Arc::clone(&shown);
            async move { shown.answer(&request).await }
        };
        let trigger = ShutdownTrigger::default();
        let shutdown = trigger.listener();
        let task = tokio::spawn(server.serve(handler, async move { shutdown.requested().await }));
        *self.serving() = Some(Serving { trigger, task });
        Ok(())
    }

    async fn export(&self, batch: Batch) -> Result<(), ExportError> {
        let Batch::Metrics(metrics) = batch else { return Ok(()) };
        let now = self.shown.clock.now();
        let (losses, n_series) = {
            let mut store = self.shown.store();
            (self.converter.take(&metrics, &mut store, now), store.len())
        };
        self.shown.series.set(n_series as f64);
        let counted = losses.iter().zip(&self.dropped).filter(|((_, points), _)| *points > 0);
        for ((why, points), (_, counter)) in counted {
            counter.add(points);
            tracing::debug!(points, reason = %why, "points are not shown");
        }
        Ok(())
    }

    async fn shutdown(&self) -> Result<(), ExportError> {
        let Some(Serving { trigger, mut task }) = self.serving().take() else { return Ok(()) };
        trigger.trigger();
        match tokio::time::timeout(PATIENCE, &mut task).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(ExportError::permanent(format!("the server ended badly: {error}"))),
            Err(_) => {
                task.abort();
                Ok(())
            }
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        if let Some(serving) = self.serving().take() {
            serving.task.abort();
        }
    }
}

impl Shown {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer<B>(self: Arc<Self>, request: &Request<B>) -> Response<Full<Bytes>> {
        if request.uri().path() != PATH {
            return refusal(StatusCode::NOT_FOUND, "metrics are at /metrics\n");
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut refusal = refusal(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
            refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refusal;
        }
        let format = negotiate::format(request.headers(), self.config.enable_open_metrics);
        let gzip = negotiate::accepts_gzip(request.headers());
        // Never closed; and if it were, to answer would be right.
        let _turn = self.turns.acquire().await;
        let shown = Arc::clone(&self);
        let page = tokio::task::spawn_blocking(move || {
            let text = Bytes::from(shown.render(format));
            if gzip { Compression::Gzip.encode(&text) } else { Ok(text) }
        });
        match page.await {
            Ok(Ok(body)) => {
                self.scrapes.add(1);
                page_of(body, format, gzip)
            }
            Ok(Err(error)) => {
                tracing::warn!(error = describe(&error), "cannot compress metrics");
                refusal(StatusCode::INTERNAL_SERVER_ERROR, "cannot compress\n")
            }
            Err(error) => {
                tracing::error!(%error, "cannot write metrics");
                refusal(StatusCode::INTERNAL_SERVER_ERROR, "cannot write metrics\n")
            }
        }
    }

    /// Everything that is shown, as text. Exports go on between one metric and the next.
    fn render(&self, format: Format) -> String {
        let mut page = Page::new(format, self.config.send_timestamps);
        let names = {
            let mut store = self.store();
            store.expire(self.clock.now());
            self.series.set(store.len() as f64);
            page.targets(&store.targets());
            store.names()
        };
        for name in names {
            if let Some(family) = self.store().get(&name) {
                page.family(family);
            }
        }
        page.finish()
    }
}

fn page_of(body: Bytes, format: Format, gzip: bool) -> Response<Full<Bytes>> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
    if gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let mut response = Response::new(Full::new(body));
    *response.headers_mut() = headers;
    response
}

fn refusal(code: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
