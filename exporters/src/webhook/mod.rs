#![doc = include_str!("README.md")]

mod config;
pub(crate) mod message;
mod settled;
mod signature;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use component::delivery::{DeliverySettings, QueueSettings};
use component::{
    BuildError, Clock, ConfigSpec, Context, Counter, ExportError, Exporter, ExporterFactory, HealthReporter,
    Stability,
};
use pdata::{Batch, Event, Signal, SignalSet};
use reqwest::StatusCode;
use reqwest::header::HeaderValue;

pub use self::config::{Config, EventType, Format};
use self::message::Message;
use self::settled::{Fate, Settled};
use self::signature::Key;
use crate::http_outcome;

/// Builds `webhook` exporters.
pub const FACTORY: ExporterFactory = ExporterFactory {
    type_name: "webhook",
    aliases: &[],
    stability: Stability::Beta,
    signals: SignalSet::of(&[Signal::Events]),
    config: ConfigSpec::of::<Config>(),
    delivery: in_order,
    create: |section, context| {
        let config: Config = section.parse()?;
        let keys = config
            .keys()
            .map_err(|invalid| BuildError::Config(section.error(&invalid.field, invalid.message)))?;
        let client = http_outcome::client(&config.client())?;
        Ok(Box::new(Webhook::new(config, keys, client, context)))
    },
};

/// One request at a time: the update of an incident must not arrive before the incident.
pub(crate) fn in_order() -> DeliverySettings {
    let sending_queue = QueueSettings { num_consumers: 1, ..QueueSettings::default() };
    DeliverySettings { sending_queue, ..DeliverySettings::default() }
}

struct Webhook {
    config: Config,
    keys: Vec<Key>,
    client: reqwest::Client,
    clock: Clock,
    health: HealthReporter,
    delivered: Counter,
    refused: Counter,
    settled: Mutex<Settled>,
}

#[async_trait]
impl Exporter for Webhook {
    async fn export(&self, batch: Batch) -> Result<(), ExportError> {
        let Batch::Events(events) = batch else { return Ok(()) };
        let mut refused = None;
        for event in events.iter().filter(|event| self.config.events.contains(&EventType::of(event))) {
            match self.send(event).await {
                Ok(()) => {}
                Err(ExportError::Permanent { reason }) => refused = Some(reason),
                Err(retryable) => return Err(retryable),
            }
        }
        refused.map_or(Ok(()), |reason| Err(ExportError::Permanent { reason }))
    }
}

impl Webhook {
    fn new(config: Config, keys: Vec<Key>, client: reqwest::Client, context: &Context) -> Self {
        let id = context.key.id.to_string();
        let counter = |outcome| {
            context.telemetry.counter(
                "otelcol_exporter_webhook_events",
                "Events sent to the webhook, by outcome",
                &[("exporter", &id), ("outcome", outcome)],
            )
        };
        Self {
            delivered: counter("delivered"),
            refused: counter("refused"),
            clock: context.clock.clone(),
            health: context.health.clone(),
            settled: Mutex::default(),
            config,
            keys,
            client,
        }
    }

    /// Sends one event, unless its fate is known from an earlier attempt at the same batch.
    async fn send(&self, event: &Event) -> Result<(), ExportError> {
        let message = Message::new(event, self.config.format, &self.config.source).map_err(|error| {
            ExportError::permanent(format!("the event cannot be written as JSON: {error}"))
        })?;
        if let Some(fate) = self.settled().get(&message.id) {
            return fate.clone().map_err(ExportError::permanent);
        }
        let id = message.id.clone();
        let outcome = self.post(message).await;
        match &outcome {
            Ok(()) => {
                self.delivered.add(1);
                self.settle(id, Ok(()));
            }
            Err(ExportError::Permanent { reason }) => {
                self.refused.add(1);
                self.settle(id, Err(reason.clone()));
            }
            Err(ExportError::Retryable { .. }) => {}
        }
        outcome
    }

    async fn post(&self, message: Message) -> Result<(), ExportError> {
        let timestamp = self.clock.now().as_nanos() / 1_000_000_000;
        let mut headers = message.headers;
        // An id that may not stand in a header could not be verified either.
        let id = HeaderValue::from_str(&message.id)
            .map_err(|_| ExportError::permanent("the event's id may not stand in a header"))?;
        headers.insert("webhook-id", id);
        headers.insert("webhook-timestamp", timestamp.into());
        if !self.keys.is_empty() {
            let signature = signature::header(&self.keys, &message.id, timestamp, &message.body);
            if let Ok(signature) = HeaderValue::from_str(&signature) {
                headers.insert("webhook-signature", signature);
            }
        }
        let request = self.client.post(self.config.url.reveal()).headers(headers).body(message.body);
        let answer = request.send().await.map_err(http_outcome::of_failure)?;
        if answer.status() == StatusCode::GONE {
            self.health.failed("the server answered 410 Gone: this webhook no longer exists");
        }
        http_outcome::of_answer(answer.status(), answer.headers(), self.clock.now())
    }

    fn settle(&self, id: String, fate: Fate) {
        self.settled().insert(id, fate);
    }

    fn settled(&self) -> std::sync::MutexGuard<'_, Settled> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
