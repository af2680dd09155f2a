//! Which series left their usual range, and why we think so.
//!
//! [`Series`] holds one series: a robust level over two memories and a first-difference detector ([`ensemble`]),
//! calibrated by the series' own tail, then an episode logic that reports a fault once ([`episode`]).

pub mod ensemble;
pub mod episode;
pub mod level;
pub mod point;
pub mod series;
#[cfg(test)]
mod tests;

pub use episode::{Episode, Notice};
pub use point::{Direction, Nature, Point, Unit};
pub use series::{Ignored, Scored, Series, Settings};
