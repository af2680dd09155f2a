//! Settings of the `correlate` processor.

use analysis::correlate::Lifecycle;
use config::{Duration, Invalid, Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the `correlate` processor.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How far apart the beginnings of anomalies may be that belong to one incident. Choose at least two intervals of
    /// your slowest metrics.
    pub window: Duration,
    /// How long evidence is gathered, once there is enough of it, before an incident opens.
    pub hold: Duration,
    /// How long everything must be calm before an incident is resolved.
    pub resolve_after: Duration,
    /// The least time between two updates of an incident, unless it gets worse.
    pub update_interval: Duration,
}

impl Default for Config {
    fn default() -> Self {
        let lifecycle = Lifecycle::default();
        Self {
            window: lifecycle.window.into(),
            hold: lifecycle.hold.into(),
            resolve_after: lifecycle.resolve_after.into(),
            update_interval: lifecycle.update_interval.into(),
        }
    }
}

impl Config {
    pub(super) fn lifecycle(&self) -> Lifecycle {
        Lifecycle {
            window: self.window.get(),
            hold: self.hold.get(),
            resolve_after: self.resolve_after.get(),
            update_interval: self.update_interval.get(),
        }
    }
}

impl Validate for Config {
    fn validate(&self) -> Result<(), Invalid> {
        Invalid::unless(!self.window.is_zero(), "window", "must not be zero")
    }
}
