//! Rate, errors and durations of one kind of request within a window, and what is carried over until there is enough
//! to speak of.

use pdata::Timestamp;
use serde::{Deserialize, Serialize};

use super::point::Point;
use super::windows::WIDTH;

/// How many durations are kept for quantiles.
const KEPT: usize = 512;
/// With so many requests, ratios and latencies mean something.
const ENOUGH: u64 = 10;
/// A kind of request that is rarer waits this long, then makes do with [`FEWEST`].
const LONGEST_CARRY: u64 = 60;
const FEWEST: u64 = 3;

/// How much the spread of a window's own values says about the noise of its mean and quantiles. A single outlier moves a mean
/// by one standard error, four of ten values by two and a half; with the usual threshold of six, two standard errors are out of the
/// ordinary.
pub(super) const OWN_SPREAD: f64 = 1.0 / 3.0;

/// The quantile that lies three standard errors (of a share of `count` values) below the quantile `q`: the two differ much
/// when few values decide.
pub(super) fn least_quantile(q: f64, count: f64) -> f64 {
    (q - 3.0 * (q * (1.0 - q) / count.max(1.0)).sqrt()).max(0.0)
}

/// Requests of one kind.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Red {
    count: u64,
    errors: u64,
    /// Errors that no request further down explains.
    origins: u64,
    seconds: f64,
    self_seconds: f64,
    /// Every `stride`th duration.
    durations: Vec<f32>,
    stride: u32,
}

/// One request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request {
    /// How long it took, in seconds.
    pub seconds: f64,
    /// How long of that nothing else was waited for.
    pub self_seconds: f64,
    /// Whether it failed.
    pub error: bool,
    /// Whether it failed by itself.
    pub origin: bool,
}

impl Red {
    /// Counts a request.
    pub fn add(&mut self, request: Request) {
        self.count += 1;
        self.errors += u64::from(request.error);
        self.origins += u64::from(request.origin);
        self.seconds += request.seconds;
        self.self_seconds += request.self_seconds;
        self.stride = self.stride.max(1);
        if self.count.is_multiple_of(u64::from(self.stride)) {
            if self.durations.len() >= KEPT {
                self.thin_out();
            }
            self.durations.push(request.seconds as f32);
        }
    }

    fn thin_out(&mut self) {
        let mut keep = false;
        self.durations.retain(|_| {
            keep = !keep;
            keep
        });
        self.stride = self.stride.saturating_mul(2);
    }

    /// Requests counted.
    pub const fn count(&self) -> u64 {
        self.count
    }

    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.errors += other.errors;
        self.origins += other.origins;
        self.seconds += other.seconds;
        self.self_seconds += other.self_seconds;
        self.durations.extend(&other.durations);
    }

    fn quantile(&mut self, q: f64) -> Option<f64> {
        let at = ((self.durations.len() as f64 * q) as usize).min(self.durations.len().checked_sub(1)?);
        let (_, value, _) = self.durations.select_nth_unstable_by(at, f32::total_cmp);
        Some(f64::from(*value))
    }

    /// Standard error of the mean duration as a share of it, by the spread of the durations that were kept.
    fn standard_error(&self) -> f64 {
        let n = self.durations.len() as f64;
        let mean = self.durations.iter().map(|seconds| f64::from(*seconds)).sum::<f64>() / n;
        if n < 2.0 || mean <= 0.0 {
            return 0.0;
        }
        let squares = self.durations.iter().map(|seconds| (f64::from(*seconds) - mean).powi(2)).sum::<f64>();
        (squares / (n - 1.0) / n).sqrt() / mean
    }
}

/// A statistic of one kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// Requests per second.
    Rate,
    /// Failed requests per request.
    ErrorRatio,
    /// Requests that failed by themselves, per request.
    OriginRatio,
    /// Mean duration.
    Mean,
    /// 95th percentile of durations.
    P95,
    /// Mean time in which nothing else was waited for.
    SelfTime,
}

/// What is carried over for one kind of request.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Carry {
    pending: Red,
    since: Timestamp,
}

impl Carry {
    /// Takes a window in and gives the points that there is enough for.
    pub fn window(&mut self, end: Timestamp, window: &Red) -> Vec<(Statistic, Point)> {
        let width = WIDTH.as_secs_f64();
        let noise = (window.count as f64 + 1.0).sqrt() / width;
        let rate = Point::new(end, window.count as f64 / width).with_noise(noise);
        let mut points = vec![(Statistic::Rate, rate)];
        if self.pending.count == 0 {
            self.since = end - WIDTH;
        }
        self.pending.merge(window);
        let due = end.since(self.since).as_secs() >= LONGEST_CARRY;
        if self.pending.count >= ENOUGH || (due && self.pending.count >= FEWEST) {
            let mut red = std::mem::take(&mut self.pending);
            points.extend(red.points(end));
        }
        points
    }
}

impl Red {
    fn points(&mut self, end: Timestamp) -> Vec<(Statistic, Point)> {
        /// The error ratio that is assumed when counting noise is estimated: services fail now and then.
        const SOME: f64 = 0.02;
        let count = self.count as f64;
        let ratio = |errors: u64| Point::new(end, errors as f64 / count).with_noise((SOME / count).sqrt());
        let spread = 1.0 / count.sqrt();
        let error = OWN_SPREAD * self.standard_error();
        let mean = |seconds: f64| {
            let mean = seconds / count;
            Point::new(end, mean).with_relative_noise(0.5 * spread).with_noise(error * mean)
        };
        let mut points = vec![
            (Statistic::ErrorRatio, ratio(self.errors)),
            (Statistic::OriginRatio, ratio(self.origins)),
            (Statistic::Mean, mean(self.seconds)),
            (Statistic::SelfTime, mean(self.self_seconds)),
        ];
        let below = self.quantile(least_quantile(0.95, count)).unwrap_or_default();
        if let Some(p95) = self.quantile(0.95) {
            let noise = OWN_SPREAD * (p95 - below);
            points.push((
                Statistic::P95,
                Point::new(end, p95).with_relative_noise(0.8 * spread).with_noise(noise),
            ));
        }
        points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_survive_thinning_out() {
        let mut red = Red::default();
        (0..100_000).for_each(|n| red.add(Request { seconds: f64::from(n % 1000), ..Request::default() }));
        assert!(red.durations.len() <= KEPT);
        let p95 = red.quantile(0.95).unwrap();
        assert!((930.0..970.0).contains(&p95), "{p95}");
    }

    /// How many standard deviations of noise the mean and the 95th percentile lie above a millisecond when so many of ten
    /// requests need half a second.
    fn deviations(slow: usize) -> [f64; 2] {
        let mut red = Red::default();
        for n in 0..10 {
            let seconds = if n < slow { 0.5 } else { 0.001 };
            red.add(Request { seconds, ..Request::default() });
        }
        let points = red.points(Timestamp::from_secs(1_000_000));
        [Statistic::Mean, Statistic::P95].map(|wanted| {
            let (_, point) = points.iter().find(|(statistic, _)| *statistic == wanted).unwrap();
            (point.value - 0.001) / (point.noise + point.relative_noise * 0.001)
        })
    }

    #[test]
    fn a_single_slow_request_among_few_is_noise_and_several_are_not() {
        for slow in [1, 2] {
            assert!(
                deviations(slow).iter().all(|deviation| *deviation < 6.0),
                "{slow}: {:?}",
                deviations(slow)
            );
        }
        for slow in [4, 10] {
            assert!(
                deviations(slow).iter().all(|deviation| *deviation > 6.0),
                "{slow}: {:?}",
                deviations(slow)
            );
        }
    }

    #[test]
    fn rare_requests_are_carried_over_until_there_are_enough() {
        let mut carry = Carry::default();
        let mut one = Red::default();
        one.add(Request { seconds: 1.0, error: true, ..Request::default() });
        let mut sizes = Vec::new();
        for n in 1..=12 {
            sizes.push(carry.window(Timestamp::from_secs(1_000_000 + n * 10), &one).len());
        }
        assert_eq!(sizes, [1, 1, 1, 1, 1, 6, 1, 1, 1, 1, 1, 6]);
    }
}
