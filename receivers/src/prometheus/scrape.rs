//! Scrapes one target again and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use component::{Clock, Counter, Ingress, Permit, Shutdown};
use pdata::proto::metrics::MetricsData;
use pdata::{Metrics, Signal, Timestamp};
use reqwest::Client;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::collect::{Collect, Counts, Report};
use super::fetch::{self, FetchError, Fetched};
use super::series::Memory;
use super::target::Target;

/// What the scrapers of a receiver share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) ingress: Ingress,
    pub(super) shutdown: Shutdown,
    pub(super) clock: Clock,
    pub(super) succeeded: Counter,
    pub(super) failed: Counter,
}

/// Scrapes one target.
pub(super) struct Scraper {
    target: Arc<Target>,
    client: Client,
    shared: Shared,
    /// The job has more targets than it may.
    over_limit: Arc<AtomicBool>,
    memory: Memory,
    last_bytes: usize,
    last_points: usize,
    was_up: bool,
}

/// What became of a scrape.
struct Digest {
    data: MetricsData,
    counts: Counts,
    error: Option<String>,
}

/// A body larger than this is parsed beside the runtime, not on it.
const BLOCKING: usize = 1 << 20;

impl Scraper {
    pub(super) fn new(target: Target, client: Client, over_limit: Arc<AtomicBool>, shared: Shared) -> Self {
        Self {
            target: Arc::new(target),
            client,
            shared,
            over_limit,
            memory: Memory::default(),
            last_bytes: 0,
            last_points: 0,
            was_up: true,
        }
    }

    /// Scrapes until the shutdown, or until `removed`: then every series is marked as vanished.
    pub(super) async fn run(mut self, removed: CancellationToken) {
        let offset = self.target.offset(self.shared.clock.now());
        let mut ticks = tokio::time::interval_at(Instant::now() + offset, self.target.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let shutdown = self.shared.shutdown.clone();
        loop {
            tokio::select! {
                biased;
                () = shutdown.requested() => return,
                () = removed.cancelled() => return self.end().await,
                _ = ticks.tick() => {}
            }
            tokio::select! {
                biased;
                () = shutdown.requested() => return,
                permit = self.admit() => {
                    let Some(permit) = permit else { continue };
                    let started = (self.shared.clock.now(), Instant::now());
                    let fetched = tokio::select! {
                        biased;
                        () = shutdown.requested() => return,
                        () = removed.cancelled() => return self.end().await,
                        fetched = self.fetch() => fetched,
                    };
                    self.take(fetched, started, permit).await;
                }
            }
        }
    }

    /// Room for a body as large as the last one. If there is none, this scrape is left out, and counted.
    async fn admit(&self) -> Option<Permit> {
        match self.shared.ingress.admission().admit(self.last_bytes).await {
            Ok(permit) => Some(permit),
            Err(refusal) => {
                tracing::debug!(url = %self.target.url, %refusal, "scrape left out");
                self.shared.ingress.count_refused(Signal::Metrics, self.last_points as u64);
                None
            }
        }
    }

    async fn fetch(&self) -> Result<Fetched, FetchError> {
        if self.over_limit.load(Ordering::Acquire) {
            return Err(FetchError::TooManyTargets { limit: self.target.job.config.target_limit });
        }
        fetch::fetch(&self.client, &self.target).await
    }

    async fn take(
        &mut self,
        fetched: Result<Fetched, FetchError>,
        (time, started): (Timestamp, Instant),
        mut permit: Permit,
    ) {
        let elapsed = started.elapsed();
        let size = fetched.as_ref().map_or(0, |fetched| fetched.body.len());
        let (target, mut memory) = (Arc::clone(&self.target), std::mem::take(&mut self.memory));
        let work = move || {
            let digest = digest(&target, &mut memory, &fetched, time, elapsed);
            (digest, memory)
        };
        let done = if size > BLOCKING { tokio::task::spawn_blocking(work).await.ok() } else { Some(work()) };
        // A scrape that is torn down with the runtime has nobody to report to.
        let Some((digest, memory)) = done else { return };
        self.memory = memory;
        self.note(&digest);
        let metrics = Metrics::from_message(digest.data);
        permit.resize(size.max(metrics.encoded_len()));
        (self.last_bytes, self.last_points) = (permit.bytes(), metrics.items());
        self.deliver(metrics, Some(permit)).await;
    }

    fn note(&mut self, digest: &Digest) {
        if digest.counts.unusable > 0 {
            self.shared.ingress.count_failed(Signal::Metrics, digest.counts.unusable);
        }
        let url = &self.target.url;
        match &digest.error {
            None => {
                self.shared.succeeded.add(1);
                if !self.was_up {
                    tracing::info!(%url, "target is up again");
                }
            }
            Some(error) => {
                self.shared.failed.add(1);
                if self.was_up {
                    tracing::warn!(%url, error, "scrape failed");
                } else {
                    tracing::debug!(%url, error, "scrape failed again");
                }
            }
        }
        self.was_up = digest.error.is_none();
    }

    async fn deliver(&self, metrics: Metrics, permit: Option<Permit>) {
        if let Err(nack) = self.shared.ingress.deliver(metrics, permit).await {
            // Counted by the ingress; the next scrape brings the state of then.
            tracing::debug!(url = %self.target.url, %nack, "scrape was not delivered");
        }
    }

    /// The target is gone.
    async fn end(mut self) {
        let time = self.shared.clock.now();
        let data = Collect::new(&self.target, &mut self.memory).fail(time, &[]);
        let metrics = Metrics::from_message(data);
        if metrics.items() > 0 {
            self.deliver(metrics, None).await;
        }
    }
}

/// Makes OTLP of a scrape, failed or not.
fn digest(
    target: &Target,
    memory: &mut Memory,
    fetched: &Result<Fetched, FetchError>,
    time: Timestamp,
    elapsed: Duration,
) -> Digest {
    let mut collect = Collect::new(target, memory);
    let size = fetched.as_ref().map_or(0, |fetched| fetched.body.len());
    let error = match fetched {
        Ok(fetched) => collect.read(&fetched.body, fetched.format).err().map(|error| error.to_string()),
        Err(error) => Some(transport::describe(error)),
    };
    let report = |counts: Counts| reports(target, counts, error.is_none(), elapsed, size);
    let (data, counts) = match error {
        None => collect.finish(time, report),
        Some(_) => {
            let counts = Counts { added: 0, unusable: 0, ..collect.counts() };
            (collect.fail(time, &report(counts)), counts)
        }
    };
    Digest { data, counts, error }
}

/// The scrape's own series.
fn reports(target: &Target, counts: Counts, is_up: bool, elapsed: Duration, size: usize) -> Vec<Report> {
    let row = |name, description, unit, value| Report { name, description, unit, value };
    let mut rows = vec![
        row("up", "The scraping was successful", "", f64::from(u8::from(is_up))),
        row("scrape_duration_seconds", "Duration of the scrape", "s", elapsed.as_secs_f64()),
        row("scrape_samples_scraped", "The number of samples the target exposed", "", counts.scraped as f64),
        row(
            "scrape_samples_post_metric_relabeling",
            "The number of samples remaining after metric relabeling was applied",
            "",
            counts.kept as f64,
        ),
        row(
            "scrape_series_added",
            "The approximate number of new series in this scrape",
            "",
            counts.added as f64,
        ),
    ];
    if target.job.extra_reports {
        let limit = target.job.config.sample_limit as f64;
        rows.push(row("scrape_timeout_seconds", "The configured timeout", "s", target.timeout.as_secs_f64()));
        rows.push(row("scrape_sample_limit", "The configured limit of samples, 0 for none", "", limit));
        rows.push(row(
            "scrape_body_size_bytes",
            "The size of the body after decompression",
            "By",
            size as f64,
        ));
    }
    rows
}
