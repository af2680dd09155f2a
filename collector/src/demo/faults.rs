//! What can go wrong in the simulated shop, and what the truth about it is.

use std::time::Duration;

use pdata::Timestamp;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The product database answers slowly.
    SlowDependency,
    /// The payment service fails many requests.
    ErrorBurst,
    /// The recommendation service leaks memory until it is killed.
    MemoryLeak,
    /// The cart service crashes again and again.
    CrashLoop,
}

impl Fault {
    /// All faults, in the order in which the demo shows them.
    pub(super) const ALL: [Self; 4] =
        [Self::SlowDependency, Self::ErrorBurst, Self::MemoryLeak, Self::CrashLoop];

    /// The name on the command line.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::SlowDependency => "slow-dependency",
            Self::ErrorBurst => "error-burst",
            Self::MemoryLeak => "memory-leak",
            Self::CrashLoop => "crash-loop",
        }
    }

    /// The service or peer that is at the root.
    pub(super) const fn root(self) -> &'static str {
        match self {
            Self::SlowDependency => "postgres",
            Self::ErrorBurst => "payment",
            Self::MemoryLeak => "recommendation",
            Self::CrashLoop => "cart",
        }
    }

    /// What happens, in words.
    pub(super) const fn story(self) -> &'static str {
        match self {
            Self::SlowDependency => "postgres, the product database, answers fifteen times slower",
            Self::ErrorBurst => "payment fails four of ten charges",
            Self::MemoryLeak => "recommendation leaks memory until it is killed and starts anew",
            Self::CrashLoop => "cart crashes soon after every start",
        }
    }
}

/// A fault that was put into the simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Injected {
    /// Which.
    pub(super) fault: Fault,
    /// From when.
    pub(super) begin: Timestamp,
    /// Until when.
    pub(super) end: Timestamp,
}

impl Injected {
    /// Whether it is in force.
    pub(super) fn is_active(&self, now: Timestamp) -> bool {
        self.begin <= now && now < self.end
    }
}

/// When which fault is injected.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    /// The faults, in order.
    pub(super) faults: Vec<Injected>,
    /// When everything is over.
    pub(super) end: Timestamp,
}

/// How long the shop runs undisturbed at first.
const WARM_UP: Duration = Duration::from_secs(480);
/// How long a fault lasts.
const LASTS: Duration = Duration::from_secs(240);
/// How long the shop may recover from it.
const RECOVERY: Duration = Duration::from_secs(300);
/// How long a run without faults takes.
const CALM: Duration = Duration::from_secs(1800);

impl Schedule {
    /// `faults` one after the other, beginning after the warm-up: each once, or again and again as long as there is time
    /// for one and the recovery from it.
    pub(super) fn new(start: Timestamp, faults: &[Fault], duration: Option<Duration>) -> Self {
        let mut at = start + WARM_UP;
        let mut injected = Vec::new();
        let rounds = if duration.is_some() { usize::MAX } else { 1 };
        let last = start + duration.unwrap_or(Duration::MAX);
        for fault in faults.iter().cycle().take(faults.len().saturating_mul(rounds)) {
            let next = at + LASTS + RECOVERY;
            if next > last {
                break;
            }
            injected.push(Injected { fault: *fault, begin: at, end: at + LASTS });
            at = next;
        }
        let end = if faults.is_empty() { start + CALM } else { at };
        Self { faults: injected, end: duration.map_or(end, |duration| start + duration) }
    }

    /// The fault in force.
    pub(super) fn active(&self, now: Timestamp) -> Option<Fault> {
        self.faults.iter().find(|injected| injected.is_active(now)).map(|injected| injected.fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_injected_once_or_as_often_as_there_is_time() {
        let start = Timestamp::from_secs(1_000_000);
        let names = |schedule: Schedule| -> Vec<&str> {
            schedule.faults.iter().map(|injected| injected.fault.name()).collect()
        };
        assert_eq!(names(Schedule::new(start, &Fault::ALL, None)).len(), 4);
        let two = [Fault::ErrorBurst, Fault::CrashLoop];
        let hour = Some(Duration::from_secs(3600));
        let five = ["error-burst", "crash-loop", "error-burst", "crash-loop", "error-burst"];
        assert_eq!(names(Schedule::new(start, &two, hour)), five);
        assert!(names(Schedule::new(start, &two, Some(Duration::from_secs(60)))).is_empty());
        assert_eq!(Schedule::new(start, &[], None).end, start + CALM);
    }
}
