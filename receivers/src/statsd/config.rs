//! Settings of the `statsd` receiver: the collector's keys.

use config::{Duration, Endpoint, Invalid, Validate};
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the `statsd` receiver.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to listen: `host:port`, or a path for the Unix transports.
    pub endpoint: String,
    /// How senders reach it.
    pub transport: Transport,
    /// How long values are brought together before they go out.
    pub aggregation_interval: Duration,
    /// Say in the attribute `metric_type` what each metric is in StatsD.
    pub enable_metric_type: bool,
    /// Accept tags without a value; otherwise lines with such are malformed.
    pub enable_simple_tags: bool,
    /// Accepted for the collector's sake; values are brought together whoever sends them.
    pub enable_ip_only_aggregation: bool,
    /// Whether counters are monotonic: say so only if no sender ever counts down.
    pub is_monotonic_counter: bool,
    /// Whether counters are whole numbers.
    pub counter_type: CounterType,
    /// What becomes of timers, histograms and distributions.
    pub timer_histogram_mapping: Vec<Mapping>,
    /// The permissions of a Unix socket, in octal.
    pub socket_permissions: String,
    /// So many series are kept; values of further ones are dropped and counted.
    pub max_series: usize,
}

/// How senders reach the receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// UDP.
    #[default]
    #[serde(alias = "udp4", alias = "udp6")]
    Udp,
    /// TCP, one metric a line.
    #[serde(alias = "tcp4", alias = "tcp6")]
    Tcp,
    /// Datagrams over a Unix socket.
    Unixgram,
    /// A stream over a Unix socket, one metric a line.
    Unix,
}

/// Whether counters are whole numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CounterType {
    /// The interval's sum, rounded.
    #[default]
    Int,
    /// The interval's sum.
    Float,
}

/// What becomes of one kind of observations.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Mapping {
    /// The kind.
    pub statsd_type: ObservationType,
    /// What becomes of it.
    pub observer_type: Observer,
    /// Settings of the observer `histogram`.
    pub histogram: HistogramSettings,
    /// Settings of the observer `summary`.
    pub summary: SummarySettings,
}

/// A kind of observations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ObservationType {
    /// Timers (`ms`).
    #[default]
    #[serde(alias = "timing")]
    Timer,
    /// Histograms (`h`).
    Histogram,
    /// Distributions (`d`).
    Distribution,
}

/// What becomes of observations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Observer {
    /// A gauge with a point for every observation.
    #[default]
    Gauge,
    /// A summary for every interval.
    Summary,
    /// A histogram for every interval: exponential, or explicit where `explicit_buckets` match.
    Histogram,
    /// Nothing: observations of this kind are dropped on purpose.
    Disabled,
}

/// Settings of the observer `histogram`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HistogramSettings {
    /// So many buckets for each sign, at most, in exponential histograms.
    pub max_size: usize,
    /// Metrics that get buckets with given bounds; the first that matches counts.
    pub explicit_buckets: Vec<ExplicitBuckets>,
}

/// Bounds for some metrics.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ExplicitBuckets {
    /// A regular expression for metric names.
    pub matcher_pattern: String,
    /// Upper bounds, ascending.
    pub buckets: Vec<f64>,
}

/// Settings of the observer `summary`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SummarySettings {
    /// Which percentiles, from 0 to 100.
    pub percentiles: Vec<f64>,
}

impl Default for HistogramSettings {
    fn default() -> Self {
        Self { max_size: 160, explicit_buckets: Vec::new() }
    }
}

impl Default for SummarySettings {
    fn default() -> Self {
        Self { percentiles: vec![0.0, 10.0, 50.0, 90.0, 95.0, 100.0] }
    }
}

impl Default for Config {
    fn default() -> Self {
        let gauge = |statsd_type| Mapping { statsd_type, ..Mapping::default() };
        Self {
            endpoint: "localhost:8125".to_owned(),
            transport: Transport::Udp,
            aggregation_interval: Duration::from_secs(60),
            enable_metric_type: false,
            enable_simple_tags: false,
            enable_ip_only_aggregation: false,
            is_monotonic_counter: false,
            counter_type: CounterType::Int,
            timer_histogram_mapping: vec![
                gauge(ObservationType::Timer),
                gauge(ObservationType::Histogram),
                gauge(ObservationType::Distribution),
            ],
            socket_permissions: "0622".to_owned(),
            max_series: 100_000,
        }
    }
}

impl Config {
    /// The permissions of a Unix socket.
    pub(super) fn permissions(&self) -> Option<u32> {
        u32::from_str_radix(&self.socket_permissions, 8).ok().filter(|mode| *mode <= 0o7777)
    }
}

impl Mapping {
    fn validate(&self, at: &str) -> Result<(), Invalid> {
        let unless = |ok, key: &str, message| Invalid::unless(ok, &format!("{at}.{key}"), message);
        unless(
            (2..=1 << 16).contains(&self.histogram.max_size),
            "histogram.max_size",
            "must be from 2 to 65536",
        )?;
        let in_range = self.summary.percentiles.iter().all(|percentile| (0.0..=100.0).contains(percentile));
        unless(in_range, "summary.percentiles", "must be from 0 to 100")?;
        for (i, explicit) in self.histogram.explicit_buckets.iter().enumerate() {
            let key = format!("histogram.explicit_buckets.{i}");
            unless(
                Regex::new(&config::re2(&explicit.matcher_pattern)).is_ok(),
                &format!("{key}.matcher_pattern"),
                "is no regular expression",
            )?;
            let bounds = &explicit.buckets;
            let ascending = bounds.windows(2).all(|pair| pair[0] < pair[1]);
            let usable = !bounds.is_empty() && ascending && bounds.iter().all(|bound| bound.is_finite());
            unless(usable, &format!("{key}.buckets"), "must be finite and ascending")?;
        }
        Ok(())
    }
}

impl Validate for Config {
    fn validate(&self) -> Result<(), Invalid> {
        Invalid::unless(!self.endpoint.is_empty(), "endpoint", "must not be empty")?;
        if matches!(self.transport, Transport::Udp | Transport::Tcp) {
            let port = self.endpoint.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
            Invalid::unless(port.is_some(), "endpoint", "must be `host:port`")?;
        }
        let positive = !self.aggregation_interval.is_zero();
        Invalid::unless(positive, "aggregation_interval", "must be positive")?;
        Invalid::unless(self.max_series > 0, "max_series", "must be positive")?;
        Invalid::unless(self.permissions().is_some(), "socket_permissions", "must be octal, such as 0622")?;
        for (i, mapping) in self.timer_histogram_mapping.iter().enumerate() {
            mapping.validate(&format!("timer_histogram_mapping.{i}"))?;
            let kind = mapping.statsd_type;
            let first = self.timer_histogram_mapping.iter().position(|other| other.statsd_type == kind);
            let field = format!("timer_histogram_mapping.{i}.statsd_type");
            Invalid::unless(first == Some(i), &field, "has a mapping already")?;
        }
        Ok(())
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        vec![match self.transport {
            Transport::Udp => Endpoint::udp(&self.endpoint),
            Transport::Tcp => Endpoint::tcp(&self.endpoint),
            Transport::Unix | Transport::Unixgram => {
                Endpoint { network: "unix", address: self.endpoint.clone() }
            }
        }]
    }
}
