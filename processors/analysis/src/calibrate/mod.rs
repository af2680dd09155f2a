//! From scores, which every detector has on a scale of its own, to p-values, which mean the same everywhere.
//!
//! In: a score a point, at least 0, larger is odder. Out: how often a score of this series is at least so large when nothing is wrong. A bound on
//! p-values is a bound on false alarms: at 0.0001 one point in ten thousand. [`Spot`] does
//! that; [`Budget`] decides what is worth an alert.

mod array;
mod budget;
mod spot;
#[cfg(test)]
mod tests;

pub use budget::{Budget, Decision};
pub use spot::Spot;
