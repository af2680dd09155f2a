//! The collector's `memory_limiter` settings, and the limits that follow from them.

use config::{Duration, Invalid, Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const MIB: u64 = 1 << 20;

/// When memory is short. Keys as in the collector.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MemoryLimiterConfig {
    /// How often memory is measured. (The collector's default is 0s, which it refuses.)
    pub check_interval: Duration,
    /// The hard limit in MiB, for this process's own memory. Goes before `limit_percentage`.
    pub limit_mib: u64,
    /// How far below the hard limit the soft limit is, in MiB; 0 means a fifth of the hard limit.
    pub spike_limit_mib: u64,
    /// The hard limit in percent of the memory that there is: the cgroup's limit, or else the machine's total.
    pub limit_percentage: u64,
    /// How far below the hard limit the soft limit is, in percent of the memory that there is; 0 means a fifth of the
    /// hard limit.
    pub spike_limit_percentage: u64,
    /// How much time is at least between two attempts to give memory back while above the soft limit.
    pub min_gc_interval_when_soft_limited: Duration,
    /// How much time is at least between two attempts to give memory back while above the hard limit.
    pub min_gc_interval_when_hard_limited: Duration,
}

impl Default for MemoryLimiterConfig {
    fn default() -> Self {
        Self {
            check_interval: Duration::from_secs(1),
            limit_mib: 0,
            spike_limit_mib: 0,
            limit_percentage: 0,
            spike_limit_percentage: 0,
            min_gc_interval_when_soft_limited: Duration::from_secs(10),
            min_gc_interval_when_hard_limited: Duration::from_secs(0),
        }
    }
}

impl Validate for MemoryLimiterConfig {
    fn validate(&self) -> Result<(), Invalid> {
        let limited = self.limit_mib > 0 || self.limit_percentage > 0;
        Invalid::unless(!self.check_interval.is_zero(), "check_interval", "must be more than 0s")?;
        Invalid::unless(limited, "limit_mib", "is required, or `limit_percentage`")?;
        Invalid::unless(self.limit_percentage <= 100, "limit_percentage", "must be at most 100")?;
        Invalid::unless(self.spike_limit_percentage <= 100, "spike_limit_percentage", "must be at most 100")?;
        let spike_fits = self.limit_mib == 0 || self.spike_limit_mib < self.limit_mib;
        Invalid::unless(spike_fits, "spike_limit_mib", "must be less than `limit_mib`")?;
        let spike_fits = self.limit_percentage == 0 || self.spike_limit_percentage < self.limit_percentage;
        Invalid::unless(spike_fits, "spike_limit_percentage", "must be less than `limit_percentage`")?;
        let ordered = self.min_gc_interval_when_hard_limited <= self.min_gc_interval_when_soft_limited;
        let message = "must be at most `min_gc_interval_when_soft_limited`";
        Invalid::unless(ordered, "min_gc_interval_when_hard_limited", message)
    }
}

impl MemoryLimiterConfig {
    /// The limits that hold where `available` bytes are for this process (see [`super::MemoryProbe::limit`]).
    pub fn limits(&self, available: u64) -> MemoryLimits {
        let percent = |percentage: u64| {
            u64::try_from(u128::from(available) * u128::from(percentage) / 100).unwrap_or(u64::MAX)
        };
        let (hard, spike, scope) = if self.limit_mib > 0 {
            let bytes = |mib: u64| mib.saturating_mul(MIB);
            (bytes(self.limit_mib), bytes(self.spike_limit_mib), Scope::Process)
        } else {
            (percent(self.limit_percentage), percent(self.spike_limit_percentage), Scope::Cgroup)
        };
        let spike = if spike == 0 { hard / 5 } else { spike };
        MemoryLimits { soft: hard.saturating_sub(spike), hard, scope }
    }
}

/// Where memory becomes short, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Above it, receivers refuse.
    pub soft: u64,
    /// Above it, caches are given back too.
    pub hard: u64,
    /// Whose memory counts.
    pub scope: Scope,
}

/// Whose memory counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// This process's: for a limit that was given in MiB.
    Process,
    /// That of everything in this process's cgroup: for a share of the cgroup's limit, because the kernel kills by the
    /// sum.
    Cgroup,
}
