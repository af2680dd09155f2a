//! Aggregations that become data points.

mod exponential;

pub use exponential::ExponentialHistogram;
