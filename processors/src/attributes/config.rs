//! Settings of the `attributes` processor.

use config::{Invalid, Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::actions::{ActionConfig, Actions};
use crate::matching::{MatchProperties, Selection};

/// Settings of the `attributes` processor.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What to do, in order.
    pub actions: Vec<ActionConfig>,
    /// Works only on what matches this.
    pub include: Option<MatchProperties>,
    /// Leaves alone what matches this, even if `include` matches it too.
    pub exclude: Option<MatchProperties>,
}

impl Config {
    pub(super) fn compile(&self) -> Result<(Actions, Selection), Invalid> {
        let actions = Actions::new(&self.actions, "actions")?;
        let selection = Selection::new(self.include.as_ref(), self.exclude.as_ref())?;
        Ok((actions, selection))
    }
}

impl Validate for Config {
    fn validate(&self) -> Result<(), Invalid> {
        Invalid::unless(!self.actions.is_empty(), "actions", "must name at least one action")?;
        self.compile().map(drop)
    }
}
