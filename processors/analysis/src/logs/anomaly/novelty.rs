//! How surprising it is that a service says something new.
//!
//! After Good (Biometrika 40, 1953) the chance that the next record is of a template never seen before is about the number of
//! templates seen once over the number of records. A service that keeps producing new templates has much of it and surprises nobody.

use serde::{Deserialize, Serialize};

use super::super::classify::{Class, ClassSet};
use super::baseline::DAY;

/// What is assumed when nothing new has been seen yet: so many templates seen once.
const PRIOR: f64 = 0.05;
/// The first severity number of errors, by OpenTelemetry.
pub(super) const ERROR: i32 = 17;
/// And of warnings.
pub(super) const WARNING: i32 = 13;
const FATAL: i32 = 21;

/// What new things are: errors and problems, or not. Each has its own unseen mass.
pub(super) const fn is_grave(severity: i32, classes: ClassSet) -> bool {
    severity >= ERROR || is_deadly(classes)
}

const fn is_deadly(classes: ClassSet) -> bool {
    classes.contains(Class::CrashPanic) || classes.contains(Class::DataCorruption)
}

/// How much a new template of this kind matters: the power to which its p-value is raised.
pub(super) fn weight(severity: i32, classes: ClassSet) -> f64 {
    let by_severity: f64 = match severity {
        FATAL.. => 1.3,
        ERROR.. => 1.0,
        WARNING.. => 0.7,
        9.. => 0.4,
        1.. => 0.3,
        // Not said.
        _ => 0.5,
    };
    if is_deadly(classes) {
        by_severity.max(1.0) * 1.3
    } else if classes.iter().any(Class::is_problem) {
        by_severity * 1.2
    } else {
        by_severity
    }
}

/// What is known about new templates of one service, over about a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Novelty {
    records: f64,
    grave: f64,
    other: f64,
}

impl Novelty {
    /// The chance that at least one of `records` is of a new template, if `singletons` of this kind were seen once.
    pub(super) fn p_value(&self, is_grave: bool, singletons: usize, records: f64) -> f64 {
        let seen = if is_grave { self.grave } else { self.grave + self.other };
        let mass = (seen.max(singletons as f64) + PRIOR) / (self.records + 1.0);
        1.0 - (-mass.min(1.0) * records.max(1.0)).exp()
    }

    /// Learns a bucket: its records and how many new templates there were among them.
    pub(super) fn learn(&mut self, records: f64, grave: usize, other: usize) {
        let fade = 1.0 - 1.0 / DAY;
        self.records = self.records * fade + records;
        self.grave = self.grave * fade + grave as f64;
        self.other = self.other * fade + other as f64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(n: u32, new_an_hour: usize) -> Novelty {
        let mut novelty = Novelty::default();
        for bucket in 0..n * 360 {
            let n_new = if bucket % 360 == 0 { new_an_hour } else { 0 };
            novelty.learn(50.0, n_new, n_new);
        }
        novelty
    }

    #[test]
    fn a_first_error_surprises_where_nothing_new_comes() {
        let p = |novelty: &Novelty, weight: f64| novelty.p_value(true, 0, 50.0).powf(weight);
        let quiet = hours(1, 0);
        assert!(p(&quiet, weight(17, ClassSet::EMPTY)) < 1e-3);
        assert!(p(&quiet, weight(9, ClassSet::EMPTY)) > 1e-3);
        let crash: ClassSet = [Class::CrashPanic].into_iter().collect();
        assert!(p(&quiet, weight(0, crash)) < 1e-3);
        assert!(p(&hours(5, 3), weight(17, ClassSet::EMPTY)) > 1e-3, "where new ones are routine");
    }
}
