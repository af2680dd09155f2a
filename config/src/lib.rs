//! Configuration: loading, substitution, merging, and errors that say where.
//!
//! The collector's YAML in, a [`Config`] out. A component's own section stays a [`Section`] (an id and a tree whose
//! nodes know their place in the file) until its factory parses it: this crate knows no component.

mod error;
mod id;
mod section;
mod tree;
mod units;
mod validate;

pub use error::{ConfigError, Errors};
pub use id::ComponentId;
pub use section::Section;
pub use tree::{Location, Node, Value};
pub use units::{ByteSize, Duration, Opaque};
pub use validate::{Endpoint, Invalid, Validate};
