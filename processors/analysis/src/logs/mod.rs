//! Log intelligence: from log lines to templates, and from templates to meaning.
//!
//! Lines go in; what comes out is which template each belongs to, what varies in it, and the line without its secrets.
//! Nothing in here does I/O, reads a clock or depends on the order of a hash map.
//!
//! - [`anomaly`]: what comes more or less often than usual, stops, or is new;
//! - [`attributes`]: how records carry it;
//! - [`classify`]: what a message is about;
//! - [`cluster`]: which templates say the same in other words;
//! - [`mod@format`]: what a line says about itself: severity, time, trace, and which part of it is the message;
//! - [`join`]: which lines are one record;
//! - [`mask`]: what varies in a line, and what is secret;
//! - [`miner`]: which template a line is of;
//! - [`template`]: a template and the identity it has on every node.

pub mod anomaly;
pub mod attributes;
pub mod classify;
pub mod cluster;
pub mod format;
pub mod join;
pub mod mask;
pub mod miner;
pub mod template;
mod words;

pub use miner::Miner;
pub use template::{Template, TemplateId};
