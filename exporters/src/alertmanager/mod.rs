#![doc = include_str!("README.md")]

mod active;
mod alert;
mod config;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use component::{
    Clock, ConfigSpec, Context, Counter, ExportError, Exporter, ExporterFactory, Gauge, RunError, Shutdown,
    ShutdownTrigger, Stability,
};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use pdata::{Batch, Event, Signal, SignalSet};

use self::active::{Active, Due};
use self::alert::Alert;
pub use self::config::{BasicAuth, Config};
use crate::{http_outcome, webhook};

/// Builds `alertmanager` exporters.
pub const FACTORY: ExporterFactory = ExporterFactory {
    type_name: "alertmanager",
    aliases: &[],
    stability: Stability::Beta,
    signals: SignalSet::of(&[Signal::Events]),
    config: ConfigSpec::of::<Config>(),
    delivery: webhook::in_order,
    create: |section, context| {
        let config: Config = section.parse()?;
        let client = http_outcome::client(&config.client())?;
        Ok(Box::new(Alertmanager {
            inner: Arc::new(Inner::new(config, client, context)),
            ending: ShutdownTrigger::default(),
        }))
    },
};

/// How many alerts one request carries.
const MOST_ALERTS: usize = 64;
/// How long to wait for the other Alertmanagers after one has answered.
const GRACE: Duration = Duration::from_secs(1);
/// How long a repetition may take; new alerts wait meanwhile.
const LONGEST_REPETITION: Duration = Duration::from_secs(3);

struct Alertmanager {
    inner: Arc<Inner>,
    ending: ShutdownTrigger,
}

struct Inner {
    config: Config,
    urls: Vec<String>,
    client: reqwest::Client,
    clock: Clock,
    active: Mutex<Active>,
    /// One set of alerts at a time: a repetition must not overtake the end of the alert that it repeats.
    sending: tokio::sync::Mutex<()>,
    sent: Counter,
    failed: Counter,
    firing: Gauge,
}

#[async_trait]
impl Exporter for Alertmanager {
    async fn start(&self) -> Result<(), RunError> {
        let inner = Arc::downgrade(&self.inner);
        let ending = self.ending.listener();
        let interval = self.inner.config.resend_interval.get();
        tokio::spawn(async move {
            while wait(interval, &ending).await {
                let Some(inner) = inner.upgrade() else { return };
                inner.repeat().await;
            }
        });
        Ok(())
    }

    async fn export(&self, batch: Batch) -> Result<(), ExportError> {
        let Batch::Events(events) = batch else { return Ok(()) };
        self.inner.export(&events).await
    }

    async fn shutdown(&self) -> Result<(), ExportError> {
        self.ending.trigger();
        Ok(())
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        self.ending.trigger();
    }
}

/// Waits for the next repetition; false if it is time to end.
async fn wait(interval: Duration, ending: &Shutdown) -> bool {
    tokio::select! {
        () = tokio::time::sleep(interval) => true,
        () = ending.requested() => false,
    }
}

impl Inner {
    fn new(config: Config, client: reqwest::Client, context: &Context) -> Self {
        let id = context.key.id.to_string();
        let labels = &[("exporter", id.as_str())];
        Self {
            urls: config.urls(),
            client,
            clock: context.clock.clone(),
            active: Mutex::default(),
            sending: tokio::sync::Mutex::default(),
            sent: context.telemetry.counter(
                "otelcol_exporter_alertmanager_alerts",
                "Alerts taken by an Alertmanager, repetitions included",
                labels,
            ),
            failed: context.telemetry.counter(
                "otelcol_exporter_alertmanager_failed_requests",
                "Requests that an Alertmanager did not take",
                labels,
            ),
            firing: context.telemetry.gauge(
                "otelcol_exporter_alertmanager_firing",
                "Incidents whose alerts are kept firing",
                labels,
            ),
            config,
        }
    }

    async fn export(&self, events: &[Event]) -> Result<(), ExportError> {
        let _one_at_a_time = self.sending.lock().await;
        let due = self.due(events);
        self.send(&due).await
    }

    /// Best effort: a repetition that fails is made up for by the next one.
    async fn repeat(&self) {
        let _one_at_a_time = self.sending.lock().await;
        let due = {
            let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
            let due = active.repeat(self.clock.now(), self.config.resolve_timeout.get());
            self.firing.set(active.firing() as f64);
            due
        };
        // Without a bound a server that never answers would hold up new alerts for ever.
        let sending = tokio::time::timeout(LONGEST_REPETITION, self.send(&due));
        match sending.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "alerts could not be repeated"),
            Err(_) => tracing::warn!("alerts could not be repeated: no answer in time"),
        }
    }

    fn due(&self, events: &[Event]) -> Vec<Due> {
        let now = self.clock.now();
        let timeout = self.config.resolve_timeout.get();
        let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        for event in events {
            match event {
                Event::Incident(incident) => {
                    let alert = Alert::of_incident(incident, &self.config);
                    due.extend(active.update(incident, alert, now, timeout));
                }
                Event::Anomaly(anomaly) if self.config.anomalies => {
                    let alert = Alert::of_anomaly(anomaly, &self.config);
                    due.push(Due { alert, ends: now + timeout });
                }
                Event::Anomaly(_)
                | Event::Score(_)
                | Event::Forecast(_)
                | Event::Change(_)
                | Event::Action(_) => {}
            }
        }
        self.firing.set(active.firing() as f64);
        due
    }

    async fn send(&self, due: &[Due]) -> Result<(), ExportError> {
        for part in due.chunks(MOST_ALERTS) {
            let alerts: Vec<_> =
                part.iter().map(|due| due.alert.posted(due.ends, &self.config.generator_url)).collect();
            let body = serde_json::to_vec(&alerts).map_err(|error| {
                ExportError::permanent(format!("alerts cannot be written as JSON: {error}"))
            })?;
            self.send_to_all(&body).await?;
            self.sent.add(part.len() as u64);
        }
        Ok(())
    }

    /// Delivered when one Alertmanager has taken it: the repetition brings it to the others once they are back.
    async fn send_to_all(&self, body: &[u8]) -> Result<(), ExportError> {
        let mut requests: FuturesUnordered<_> =
            self.urls.iter().map(|url| async move { (url, self.post(url, body.to_vec()).await) }).collect();
        let mut delivered = false;
        let mut failure = None;
        loop {
            let next = if delivered {
                // One that hangs must not make the others wait.
                tokio::time::timeout(GRACE, requests.next()).await.unwrap_or(None)
            } else {
                requests.next().await
            };
            match next {
                None => break,
                Some((_, Ok(()))) => delivered = true,
                Some((url, Err(error))) => {
                    self.failed.add(1);
                    tracing::warn!(endpoint = host(url), %error, "an Alertmanager did not take alerts");
                    // If one of them may take it later, trying again is worth it.
                    if failure.is_none() || matches!(error, ExportError::Retryable { .. }) {
                        failure = Some(error);
                    }
                }
            }
        }
        if !delivered && let Some(error) = failure {
            return Err(error);
        }
        self.failed.add(requests.len() as u64);
        Ok(())
    }

    async fn post(&self, url: &str, body: Vec<u8>) -> Result<(), ExportError> {
        let mut request =
            self.client.post(url).header(http::header::CONTENT_TYPE, "application/json").body(body);
        if let Some(auth) = &self.config.basic_auth {
            request = request.basic_auth(&auth.username, Some(auth.password.reveal()));
        }
        let answer = request.send().await.map_err(http_outcome::of_failure)?;
        http_outcome::of_answer(answer.status(), answer.headers(), self.clock.now())
    }
}

/// The host of a URL: the rest may hold a password.
fn host(url: &str) -> String {
    reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}
