//! Settings of the `resource` processor.

use config::{Invalid, Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::actions::{ActionConfig, Actions};

/// Settings of the `resource` processor.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What to do to the resource's attributes, in order.
    #[serde(alias = "actions")]
    pub attributes: Vec<ActionConfig>,
}

impl Config {
    pub(super) fn compile(&self) -> Result<Actions, Invalid> {
        Actions::new(&self.attributes, "attributes")
    }
}

impl Validate for Config {
    fn validate(&self) -> Result<(), Invalid> {
        Invalid::unless(!self.attributes.is_empty(), "attributes", "must name at least one action")?;
        self.compile().map(drop)
    }
}
