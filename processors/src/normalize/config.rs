//! Settings of the `normalize` processor.

use std::path::PathBuf;

use config::{Duration, Invalid, Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the `normalize` processor.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Give every resource `service.name` and, where they can be known, `service.namespace`, `service.instance.id`,
    /// `deployment.environment.name`, `host.name` and `k8s.*`.
    pub identity: bool,
    /// The `service.name` of a resource that says nothing about its service.
    pub default_service_name: String,
    /// Rename attributes of older semantic conventions to today's, where their meaning has not changed.
    pub semantic_conventions: bool,
    /// Give log records that have only a severity text the number for it.
    pub severity: bool,
    /// Correct times that are missing, in the wrong unit, or far in the future.
    pub timestamps: bool,
    /// A time further ahead of the clock than this is set back to now. `0s` accepts any.
    pub max_future: Duration,
    /// A YAML or JSON file with attributes to add to services; see below for its form. Read again when it changes.
    pub service_registry: Option<PathBuf>,
    /// How often to look whether `service_registry` has changed.
    pub reload_interval: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            identity: true,
            default_service_name: "unknown_service".to_owned(),
            semantic_conventions: true,
            severity: true,
            timestamps: true,
            max_future: Duration::from_secs(600),
            service_registry: None,
            reload_interval: Duration::from_secs(10),
        }
    }
}

impl Validate for Config {
    fn validate(&self) -> Result<(), Invalid> {
        Invalid::unless(!self.default_service_name.is_empty(), "default_service_name", "must not be empty")?;
        Invalid::unless(!self.reload_interval.is_zero(), "reload_interval", "must not be 0")
    }
}
