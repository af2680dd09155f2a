//! Turns a validated configuration into running pipelines.

mod validate;

pub use validate::{signals, validate};
