//! Settings of the `batch` processor.

use config::{Duration, Invalid, Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the `batch` processor.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// A batch goes out at the latest this long after its first item came in. `0s` means at once: then only
    /// `send_batch_max_size` has an effect.
    pub timeout: Duration,
    /// A batch goes out as soon as it holds this many spans, data points or log records. `0` means at once.
    pub send_batch_size: usize,
    /// No batch holds more; larger ones are split. `0` means without bound.
    pub send_batch_max_size: usize,
    /// Refused unless empty: the sender's request metadata does not travel with the data here.
    pub metadata_keys: Vec<String>,
    /// Accepted for the collector's sake; without `metadata_keys` it has no effect.
    pub metadata_cardinality_limit: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            timeout: Duration::from_millis(200),
            send_batch_size: 8192,
            send_batch_max_size: 0,
            metadata_keys: Vec::new(),
            metadata_cardinality_limit: 1000,
        }
    }
}

impl Validate for Config {
    fn validate(&self) -> Result<(), Invalid> {
        let fits = self.send_batch_max_size == 0 || self.send_batch_max_size >= self.send_batch_size;
        Invalid::unless(fits, "send_batch_max_size", "must be 0 or at least `send_batch_size`")?;
        Invalid::unless(
            self.metadata_keys.is_empty(),
            "metadata_keys",
            "must be empty: request metadata does not travel with the data; to keep senders apart use one pipeline each",
        )
    }
}
