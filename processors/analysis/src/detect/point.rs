//! What the detectors look at: one point of one series, and what is known about the series beforehand.

use pdata::Timestamp;
use serde::{Deserialize, Serialize};

/// One observation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When, in event time.
    pub time: Timestamp,
    /// What was seen.
    pub value: f64,
    /// Standard deviation that the observation itself brings along, such as the counting error of a ratio over few
    /// requests; 0 if it is exact.
    pub noise: f64,
    /// The same as a share of the level, such as that of a quantile over few requests.
    pub relative_noise: f64,
}

impl Point {
    /// An exact observation.
    pub const fn new(time: Timestamp, value: f64) -> Self {
        Self { time, value, noise: 0.0, relative_noise: 0.0 }
    }

    /// The same with sampling noise.
    #[must_use]
    pub const fn with_noise(mut self, noise: f64) -> Self {
        self.noise = noise;
        self
    }

    /// The same with sampling noise as a share of the level.
    #[must_use]
    pub const fn with_relative_noise(mut self, noise: f64) -> Self {
        self.relative_noise = noise;
        self
    }
}

/// Which departures matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// Any.
    #[default]
    Both,
    /// Only rises: nobody is woken because latency or errors fell.
    Up,
}

/// What is known about a series before its first point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Nature {
    /// Which departures matter.
    pub direction: Direction,
    /// Departures smaller than this many units are noise whatever the past says; 0 if unknown.
    pub unit_floor: f64,
    /// How values are written for a person.
    pub unit: Unit,
}

/// How values of a series are written for a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// A plain number.
    #[default]
    None,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Nanoseconds.
    Nanoseconds,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    BytesPerSecond,
    /// A share between 0 and 1.
    Ratio,
    /// Things per second.
    PerSecond,
}

impl Unit {
    /// The unit that OTLP's UCUM string names.
    pub fn parse(ucum: &str) -> Self {
        match ucum {
            "s" => Self::Seconds,
            "ms" => Self::Milliseconds,
            "us" => Self::Microseconds,
            "ns" => Self::Nanoseconds,
            "By" => Self::Bytes,
            "By/s" => Self::BytesPerSecond,
            "1" => Self::Ratio,
            _ if ucum.ends_with("/s") => Self::PerSecond,
            _ => Self::None,
        }
    }

    /// The unit of this quantity's change over a second.
    #[must_use]
    pub const fn per_second(self) -> Self {
        match self {
            Self::Bytes => Self::BytesPerSecond,
            // Seconds of processor time per second.
            Self::Seconds => Self::None,
            _ => Self::PerSecond,
        }
    }

    /// Departures below this are noise in any service.
    pub const fn floor(self) -> f64 {
        match self {
            Self::Seconds => 0.000_5,
            Self::Milliseconds => 0.5,
            Self::Microseconds => 500.0,
            Self::Nanoseconds => 500_000.0,
            Self::Bytes => 65_536.0,
            Self::BytesPerSecond => 256.0,
            Self::Ratio => 0.005,
            Self::PerSecond => 0.01,
            Self::None => 0.0,
        }
    }
}
