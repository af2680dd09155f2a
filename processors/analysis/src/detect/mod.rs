//! Which series left their usual range, and why we think so.
//!
//! [`Series`] holds one series: a robust level over two memories and a first-difference detector ([`ensemble`]),
//! calibrated by the series' own tail, then an episode logic that reports a fault once ([`episode`]).

pub mod buckets;
pub mod ensemble;
pub mod episode;
pub mod findings;
pub mod level;
pub mod logs;
pub mod metrics;
pub mod point;
pub mod rates;
pub mod red;
pub mod series;
pub mod spans;
pub mod templates;
#[cfg(test)]
mod tests;
pub mod watcher;
pub mod windows;

pub use episode::Episode;
pub use findings::{Findings, Label, Named};
pub use point::{Direction, Nature, Point, Unit};
pub use series::{Ignored, Scored, Series, Settings};
pub use watcher::{Limits, Watcher};
