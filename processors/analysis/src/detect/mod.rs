//! Which series left their usual range, and why we think so.
//!
//! [`Series`] holds one series: a robust level over two memories and a first-difference detector ([`ensemble`]),
//! calibrated by the series' own tail, then an episode logic that reports a fault once ([`episode`]). Beside them [`novelty`] says how
//! new each point is to its series, which ranks points, and what is usual at this time of the day and week ([`season`]).

pub mod buckets;
pub mod budget;
pub mod ensemble;
pub mod episode;
pub mod excursions;
pub mod findings;
pub mod level;
pub mod logs;
pub mod metrics;
pub mod novelty;
pub mod point;
pub mod rarity;
pub mod rates;
pub mod red;
pub mod season;
pub mod series;
pub mod spans;
pub mod templates;
#[cfg(test)]
mod tests;
pub mod vectors;
pub mod watcher;
pub mod windows;

pub use episode::Episode;
pub use findings::{Findings, Label, Named};
pub use point::{Direction, Nature, Point, Unit};
pub use series::{Ignored, Scored, Series, Settings};
pub use watcher::{Limits, Watcher};
