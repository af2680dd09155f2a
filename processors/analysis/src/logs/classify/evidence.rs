//! Evidence for and against classes, added up in log-odds.

use super::{Class, N_CLASSES};

/// What speaks against every class before a word is read: most messages are not about most things.
const PRIOR: f32 = -4.0;

/// How much weaker every further term counts than the strongest: terms of a class occur together, so they are
/// not independent witnesses.
const FURTHER: f32 = 0.35;

/// How much a term says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strength {
    /// Nothing else is meant.
    Certain,
    /// Rarely is anything else meant.
    Strong,
    /// Enough together with something else, such as an error's severity.
    Likely,
    /// Supports other evidence.
    Hint,
    /// Looks like the class, but something else is meant.
    Against,
}

impl Strength {
    const fn log_odds(self) -> f32 {
        match self {
            Self::Certain => 7.0,
            Self::Strong => 5.2,
            Self::Likely => 3.4,
            Self::Hint => 1.5,
            Self::Against => -4.0,
        }
    }
}

/// Evidence about one message.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Evidence {
    strongest: [f32; N_CLASSES],
    further: [f32; N_CLASSES],
    against: [f32; N_CLASSES],
}

impl Evidence {
    /// Adds a term.
    pub(super) fn add(&mut self, class: Class, strength: Strength) {
        let at = class as usize;
        let log_odds = strength.log_odds();
        if log_odds < 0.0 {
            self.against[at] += log_odds;
        } else if log_odds > self.strongest[at] {
            self.further[at] += self.strongest[at];
            self.strongest[at] = log_odds;
        } else {
            self.further[at] += log_odds;
        }
    }

    /// Adds to what speaks against a class.
    pub(super) fn weaken(&mut self, class: Class, log_odds: f32) {
        self.against[class as usize] -= log_odds;
    }

    /// Whether anything speaks for the class.
    pub(super) fn has(&self, class: Class) -> bool {
        self.strongest[class as usize] > 0.0
    }

    /// The log-odds of every class.
    pub(super) fn log_odds(&self) -> [f32; N_CLASSES] {
        std::array::from_fn(|at| {
            PRIOR + self.strongest[at] + (FURTHER * self.further[at]).min(4.0) + self.against[at]
        })
    }

    /// The probability of a class.
    #[cfg(test)]
    pub(super) fn probability(&self, class: Class) -> f32 {
        sigmoid(self.log_odds()[class as usize])
    }
}

/// From log-odds to a probability.
pub(super) fn sigmoid(log_odds: f32) -> f32 {
    1.0 / (1.0 + (-log_odds).exp())
}
