//! Exponential back-off with jitter, as the collector's `retry_on_failure`.

use std::time::Duration;

use component::delivery::RetrySettings;

/// The waits between attempts to deliver one batch.
pub(crate) struct BackOff {
    next: f64,
    max: f64,
    multiplier: f64,
    randomness: f64,
    seed: u64,
}

impl BackOff {
    /// The waits that `settings` ask for; `seed` decides the jitter.
    pub(crate) fn new(settings: &RetrySettings, seed: u64) -> Self {
        Self {
            next: settings.initial_interval.get().as_secs_f64(),
            max: settings.max_interval.get().as_secs_f64(),
            multiplier: settings.multiplier,
            randomness: settings.randomization_factor,
            seed,
        }
    }

    /// The next wait; at least `asked`, if the other side asked for one.
    pub(crate) fn next(&mut self, asked: Option<Duration>) -> Duration {
        // SplitMix64: jitter needs no better randomness, and a seed makes it repeatable.
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let uniform = ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64;
        let wait = self.next * (1.0 + self.randomness * (2.0 * uniform - 1.0));
        self.next = (self.next * self.multiplier).min(self.max);
        let wait =
            Duration::try_from_secs_f64(wait.clamp(0.0, self.max.max(0.0) * 2.0)).unwrap_or(Duration::MAX);
        wait.max(asked.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_maximum_within_the_jitter() {
        let mut back_off = BackOff::new(&RetrySettings::default(), 7);
        let waits: Vec<_> = (0..20).map(|_| back_off.next(None).as_secs_f64()).collect();
        assert!((2.5..=7.5).contains(&waits[0]), "{waits:?}");
        assert!((15.0..=45.0).contains(&waits[19]), "{waits:?}");
    }

    #[test]
    fn waits_as_long_as_the_other_side_asks() {
        let mut back_off = BackOff::new(&RetrySettings::default(), 7);
        assert_eq!(back_off.next(Some(Duration::from_secs(60))), Duration::from_secs(60));
    }
}
