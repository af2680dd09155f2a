//! Configuration: loading, substitution, merging, and errors that say where.
//!
//! The collector's YAML in, a [`Config`] out. A component's own section stays a [`Section`] (an id and a tree whose
//! nodes know their place in the file) until its factory parses it: this crate knows no component.

mod build;
mod check;
mod de;
mod error;
mod id;
mod load;
mod merge;
mod model;
#[cfg(test)]
mod parse_tests;
mod re2;
mod read;
mod section;
mod source;
mod substitute;
#[cfg(test)]
mod tests;
mod toml;
mod tree;
mod units;
mod validate;
mod yaml;

pub use de::DeError;
pub use error::{ConfigError, Errors};
pub use id::ComponentId;
pub use load::load;
pub use model::{
    Config, InvalidPipelineId, LogEncoding, LogLevel, LogSettings, MetricLevel, MetricSettings, Pipeline,
    PipelineId, PipelineSignal, Service, StateSettings, Telemetry,
};
pub use re2::re2;
pub use read::nearest;
pub use section::{Section, present};
pub use source::{InvalidSource, Source};
pub use tree::{Location, Node, Value};
pub use units::{ByteSize, Duration, Opaque};
pub use validate::{Endpoint, Invalid, Validate};
