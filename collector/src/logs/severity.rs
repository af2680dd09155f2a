//! How bad lines are.

use clap::ValueEnum;
use serde::Serialize;

/// How bad a line is, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    /// It does not say.
    #[default]
    Unset,
    /// Of interest to a developer at most.
    Trace,
    /// Of interest to a developer.
    Debug,
    /// Business as usual.
    Info,
    /// Something may be wrong.
    Warn,
    /// Something is wrong.
    Error,
    /// Nothing works any more.
    Fatal,
}

impl Severity {
    /// All of them, in order.
    pub(super) const ALL: [Self; 7] =
        [Self::Unset, Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Fatal];

    /// By OpenTelemetry's number.
    pub(super) const fn of(number: i32) -> Self {
        match number {
            1..=4 => Self::Trace,
            5..=8 => Self::Debug,
            9..=12 => Self::Info,
            13..=16 => Self::Warn,
            17..=20 => Self::Error,
            21..=24 => Self::Fatal,
            _ => Self::Unset,
        }
    }

    /// Its name; `-` if there is none.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Unset => "-",
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }
}

/// How many lines are how bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spread([u64; 7]);

impl Spread {
    /// Counts a line.
    pub(super) fn count(&mut self, severity: Severity) {
        self.0[severity as usize] += 1;
    }

    /// Adds what was counted elsewhere.
    pub(super) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(own, other)| *own += other);
    }

    /// The severities that occur, the most frequent first, and how often.
    pub(super) fn by_count(&self) -> Vec<(Severity, u64)> {
        let mut found: Vec<_> = self.iter().collect();
        found.sort_by_key(|(severity, count)| (std::cmp::Reverse(*count), std::cmp::Reverse(*severity)));
        found
    }

    /// The severities that occur, and how often.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Severity, u64)> {
        Severity::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0)
    }

    /// The worst that occurs.
    pub(super) fn worst(&self) -> Severity {
        self.iter().map(|(severity, _)| severity).max().unwrap_or_default()
    }
}
