//! Settings of the `forward` connector: there are none.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `forward` connector has no settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

impl config::Validate for Config {}
