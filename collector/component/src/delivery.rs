//! How the engine delivers to an exporter: `sending_queue`, `retry_on_failure`, `timeout`, `dead_letter`.
//!
//! Keys and defaults are the collector's, with one difference: `wait_for_result` is true by default, because a sender is
//! told that its data is safe only when it is (see docs/configuration.md).

use config::{ByteSize, ComponentId, Duration, Invalid, Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The keys of an exporter's section that are the engine's.
pub const KEYS: &[&str] = &["sending_queue", "retry_on_failure", "timeout", "dead_letter"];

/// How the engine delivers to an exporter.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DeliverySettings {
    /// How long one attempt may take. `0s` means without bound.
    pub timeout: Duration,
    /// What waits in front of the exporter.
    pub sending_queue: QueueSettings,
    /// What happens when an attempt fails.
    pub retry_on_failure: RetrySettings,
    /// An exporter that gets what this one could not deliver; without one it is dropped and counted.
    pub dead_letter: Option<ComponentId>,
}

impl Default for DeliverySettings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            sending_queue: QueueSettings::default(),
            retry_on_failure: RetrySettings::default(),
            dead_letter: None,
        }
    }
}

impl DeliverySettings {
    /// For exporters that write to this machine: no retry, one batch after the other, in order.
    pub fn local() -> Self {
        Self {
            sending_queue: QueueSettings { num_consumers: 1, ..QueueSettings::default() },
            retry_on_failure: RetrySettings { enabled: false, ..RetrySettings::default() },
            ..Self::default()
        }
    }
}

/// What waits in front of an exporter.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct QueueSettings {
    /// Without a queue, batches wait in the pipeline's own one, which has room for a few.
    pub enabled: bool,
    /// How many batches are sent at once.
    pub num_consumers: usize,
    /// How much fits, in units of `sizer`.
    pub queue_size: u64,
    /// What `queue_size` counts.
    pub sizer: Sizer,
    /// When full: wait (true) or refuse with a retryable error (false).
    pub block_on_overflow: bool,
    /// Whether a sender is answered only after its data was delivered (true), or as soon as it is in the queue
    /// (false, the collector's default). With `storage` a batch counts as delivered once it is on disk.
    pub wait_for_result: bool,
    /// A storage extension that keeps the queue over restarts.
    pub storage: Option<ComponentId>,
    /// Joins small batches and splits large ones on their way out.
    pub batch: Option<BatchSettings>,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            num_consumers: 10,
            queue_size: 1000,
            sizer: Sizer::Requests,
            block_on_overflow: false,
            wait_for_result: true,
            storage: None,
            batch: None,
        }
    }
}

/// What a size counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sizer {
    /// Batches.
    #[default]
    Requests,
    /// Spans, data points, log records or events.
    Items,
    /// Encoded bytes.
    Bytes,
}

/// How batches are joined and split.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BatchSettings {
    /// A batch goes out as soon as it is this large.
    pub min_size: u64,
    /// No batch is larger than this; `0` means without bound.
    pub max_size: u64,
    /// A smaller batch goes out after this long.
    pub flush_timeout: Duration,
    /// What the sizes count: `items` or `bytes`.
    pub sizer: Sizer,
}

impl Default for BatchSettings {
    fn default() -> Self {
        Self { min_size: 8192, max_size: 0, flush_timeout: Duration::from_millis(200), sizer: Sizer::Items }
    }
}

/// What happens when an attempt to deliver fails: exponential back-off with jitter.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RetrySettings {
    /// Whether to try again.
    pub enabled: bool,
    /// How long to wait before the second attempt.
    pub initial_interval: Duration,
    /// The longest wait between two attempts.
    pub max_interval: Duration,
    /// When to give up, counted from the first attempt; `0s` means never.
    pub max_elapsed_time: Duration,
    /// How much longer each wait is than the one before.
    pub multiplier: f64,
    /// How much of each wait is random, in [0, 1].
    pub randomization_factor: f64,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            enabled: true,
            initial_interval: Duration::from_secs(5),
            max_interval: Duration::from_secs(30),
            max_elapsed_time: Duration::from_secs(300),
            multiplier: 1.5,
            randomization_factor: 0.5,
        }
    }
}

impl Validate for DeliverySettings {
    fn validate(&self) -> Result<(), Invalid> {
        let queue = &self.sending_queue;
        Invalid::unless(queue.num_consumers > 0, "sending_queue.num_consumers", "must be at least 1")?;
        Invalid::unless(queue.queue_size > 0, "sending_queue.queue_size", "must be at least 1")?;
        if let Some(batch) = &queue.batch {
            let fits = batch.max_size == 0 || batch.max_size >= batch.min_size;
            Invalid::unless(fits, "sending_queue.batch.max_size", "must be 0 or at least `min_size`")?;
            let sized = batch.sizer != Sizer::Requests;
            Invalid::unless(sized, "sending_queue.batch.sizer", "must be `items` or `bytes`")?;
        }
        let retry = &self.retry_on_failure;
        Invalid::unless(retry.multiplier >= 1.0, "retry_on_failure.multiplier", "must be at least 1")?;
        let random = (0.0..=1.0).contains(&retry.randomization_factor);
        Invalid::unless(random, "retry_on_failure.randomization_factor", "must be in [0, 1]")
    }

    fn references(&self) -> Vec<ComponentId> {
        self.sending_queue.storage.iter().chain(&self.dead_letter).cloned().collect()
    }
}

/// The size of a batch in a sizer's units.
pub fn size(batch: &pdata::Batch, sizer: Sizer) -> u64 {
    match sizer {
        Sizer::Requests => 1,
        Sizer::Items => batch.items() as u64,
        Sizer::Bytes => ByteSize(batch.encoded_len() as u64).0,
    }
}
