//! Posting to all Alertmanagers of a cluster at once.

use std::time::Duration;

use bytes::Bytes;
use component::{BuildError, Clock, Context, Counter, ExportError};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use reqwest::Url;
use tokio::time::timeout;
use transport::compression::Compression;
use transport::describe;

use super::config::Config;
use crate::http_outcome;

/// How long the others may take once one has accepted: a dead one must not hold up the living.
const PATIENCE: Duration = Duration::from_secs(1);
/// So much of what an Alertmanager says is quoted in an error.
const MOST_QUOTED: usize = 200;

/// The Alertmanagers.
pub(super) struct Cluster {
    client: reqwest::Client,
    compression: Compression,
    clock: Clock,
    members: Vec<Member>,
}

struct Member {
    url: Url,
    /// `host:port`: the rest of the URL may hold secrets.
    name: String,
    requests: Counter,
    failed: Counter,
}

impl Cluster {
    pub(super) fn new(config: &Config, context: &Context) -> Result<Self, BuildError> {
        let members = config.all_endpoints().into_iter().map(|endpoint| Member::new(endpoint, context));
        Ok(Self {
            client: http_outcome::client(&config.client())?,
            compression: config.compression,
            clock: context.clock.clone(),
            members: members.collect::<Result<_, _>>()?,
        })
    }

    /// Posts the bodies, in order, to every member. `Ok(true)` if every one accepted them all, `Ok(false)` if at least one
    /// did.
    ///
    /// # Errors
    /// If none did; it may pass if it may for any of them.
    pub(super) async fn post(&self, bodies: &[Bytes]) -> Result<bool, ExportError> {
        let mut answers: FuturesUnordered<_> = self
            .members
            .iter()
            .map(|member| async move { (member, self.post_to(member, bodies).await) })
            .collect();
        let mut accepted = 0;
        let mut worst: Option<ExportError> = None;
        loop {
            let next =
                if accepted > 0 { timeout(PATIENCE, answers.next()).await } else { Ok(answers.next().await) };
            match next {
                Ok(Some((_, Ok(())))) => accepted += 1,
                Ok(Some((member, Err(error)))) => {
                    tracing::warn!(endpoint = member.name, %error, "an Alertmanager did not take alerts");
                    worst = Some(worst.map_or(error.clone(), |known| worse(known, error)));
                }
                Ok(None) => break,
                Err(_) => {
                    tracing::warn!("an Alertmanager is slow; it gets its alerts with the next keep-alive");
                    break;
                }
            }
        }
        match worst {
            Some(error) if accepted == 0 => Err(error),
            _ => Ok(accepted == self.members.len()),
        }
    }

    async fn post_to(&self, member: &Member, bodies: &[Bytes]) -> Result<(), ExportError> {
        for body in bodies {
            member.requests.add(1);
            let result = self.request(&member.url, body).await;
            result.inspect_err(|_| member.failed.add(1))?;
        }
        Ok(())
    }

    async fn request(&self, url: &Url, body: &Bytes) -> Result<(), ExportError> {
        let encoded = self
            .compression
            .encode(body)
            .map_err(|error| ExportError::retryable(format!("cannot compress alerts: {error}")))?;
        let mut request =
            self.client.post(url.clone()).header(CONTENT_TYPE, "application/json").body(encoded);
        if let Some(encoding) = self.compression.header() {
            request = request.header(CONTENT_ENCODING, encoding);
        }
        let answer = request.send().await.map_err(http_outcome::of_failure)?;
        let outcome = http_outcome::of_answer(answer.status(), answer.headers(), self.clock.now());
        match outcome {
            Err(ExportError::Permanent { reason }) => match quote(answer).await {
                text if text.is_empty() => Err(ExportError::permanent(reason)),
                text => Err(ExportError::permanent(format!("{reason}: {text}"))),
            },
            other => other,
        }
    }
}

/// The beginning of what an Alertmanager says, on one line: it names the alert that it dislikes, and why.
async fn quote(mut answer: reqwest::Response) -> String {
    let mut text = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        text.extend_from_slice(&chunk[..chunk.len().min(MOST_QUOTED - text.len())]);
        if text.len() == MOST_QUOTED {
            break;
        }
    }
    let printable = String::from_utf8_lossy(&text).replace(char::is_control, " ");
    printable.trim().to_owned()
}

impl Member {
    fn new(endpoint: &str, context: &Context) -> Result<Self, BuildError> {
        let text = format!("{}/api/v2/alerts", endpoint.trim_end_matches('/'));
        let url = Url::parse(&text).map_err(|error| BuildError::other(describe(&error)))?;
        let host = url.host_str().unwrap_or_default();
        let name = url.port_or_known_default().map_or(host.to_owned(), |port| format!("{host}:{port}"));
        let id = context.key.id.to_string();
        let counter = |metric: &str, help: &str| {
            context.telemetry.counter(metric, help, &[("exporter", &id), ("endpoint", &name)])
        };
        Ok(Self {
            requests: counter("otelcol_exporter_alertmanager_requests", "Requests that were sent."),
            failed: counter(
                "otelcol_exporter_alertmanager_requests_failed",
                "Requests that an Alertmanager did not accept.",
            ),
            url,
            name,
        })
    }
}

/// Of two failures the one that gives more hope; of two hopeful ones the one that asks to wait longer.
fn worse(one: ExportError, other: ExportError) -> ExportError {
    let wait = |error: &ExportError| match error {
        ExportError::Retryable { after, .. } => Some(*after),
        ExportError::Permanent { .. } => None,
    };
    if wait(&other) > wait(&one) { other } else { one }
}
