//! What of a departure is news: one that has lasted for a while is known, though the model does not take it for usual for days.

use pdata::Timestamp;
use serde::{Deserialize, Serialize};

use crate::detect::series::Settings;

/// Below this share of the threshold everything is as usual again.
const CALM: f64 = 0.5;
/// What is known counts as news again when its energy is this much larger, as a logarithm: three times.
const WORSE: f64 = 1.1;

/// What is known already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct News {
    out: u32,
    out_since: Timestamp,
    /// The number up to which a departure is known.
    known: Option<f64>,
}

/// A frame's surprise, as far as it is news.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Told {
    pub(super) surprise: f64,
    /// The departure has just become known: there is an end to reporting it.
    pub(super) accepted: bool,
}

impl News {
    /// It is earlier than was thought.
    pub(super) fn turn_back(&mut self, now: Timestamp) {
        self.out_since = self.out_since.min(now);
    }

    /// Takes a frame's number and surprise in.
    pub(super) fn observe(
        &mut self,
        now: Timestamp,
        number: f64,
        surprise: f64,
        settings: &Settings,
    ) -> Told {
        if surprise < CALM * settings.threshold {
            *self = Self::default();
            return Told { surprise, accepted: false };
        }
        if self.known.is_some_and(|known| number <= known + WORSE) {
            return Told { surprise: 0.0, accepted: false };
        }
        if self.out == 0 {
            self.out_since = now;
        }
        self.out = self.out.saturating_add(1);
        let accepted = self.out >= settings.adapt_points && now.since(self.out_since) >= settings.adapt_after;
        if accepted {
            (self.known, self.out) = (Some(number), 0);
        }
        Told { surprise, accepted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lasting_departure_is_news_for_a_while_and_again_when_it_is_worse() {
        let (mut news, settings) = (News::default(), Settings::default());
        let mut observe = |n: u64, number, surprise| {
            news.observe(Timestamp::from_secs(1000 + 10 * n), number, surprise, &settings)
        };
        let told: Vec<Told> = (0..200).map(|n| observe(n, 3.0, 9.0)).collect();
        assert_eq!(told.iter().position(|told| told.accepted), Some(90));
        assert!(
            told[..=90].iter().all(|told| told.surprise == 9.0)
                && told[91..].iter().all(|told| told.surprise == 0.0)
        );
        assert_eq!(observe(201, 4.0, 11.0).surprise, 0.0);
        assert_eq!(observe(202, 4.5, 12.0).surprise, 12.0);
        observe(203, 0.0, 0.0);
        assert_eq!(observe(204, 3.0, 9.0).surprise, 9.0, "after a calm frame it is another one");
    }
}
