//! Memory: how much this process may use, how much it uses, and what follows from that.
//!
//! [`MemoryProbe`] reads the limit and the usage (cgroup v2 and v1, nested, or the machine's total);
//! [`MemoryLimiterConfig`] turns a limit into [`MemoryLimits`]; [`decide`] turns usage into a [`Pressure`]. The engine's
//! memory monitor joins the three. [`MemoryLimiters`] is how it finds the configuration. Nothing here keeps time.

mod cgroup;
mod settings;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

pub use self::settings::{MemoryLimiterConfig, MemoryLimits, Scope};
use crate::Pressure;
use cgroup::Cgroup;

/// Reads this process's memory limit and usage. Reading is a few small files of `/proc` and `/sys`.
#[derive(Clone, Debug)]
pub struct MemoryProbe {
    root: PathBuf,
    cgroup: Option<Cgroup>,
    total: u64,
}

/// Memory could not be read.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file does not say what it should.
    #[error("{} does not say {what}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
}

impl MemoryProbe {
    /// Finds out where this process's limits are. `root` is `/`, or where the host's root is mounted, or a test's.
    ///
    /// # Errors
    /// If not even the machine's total memory can be read. Unreadable cgroups count as no cgroup.
    pub fn detect(root: &Path) -> Result<Self, MemoryError> {
        let path = root.join("proc/meminfo");
        let total =
            kib_field(&read(&path)?, "MemTotal:").ok_or(MemoryError::Missing { path, what: "MemTotal" })?;
        Ok(Self { cgroup: Cgroup::detect(root), root: root.to_owned(), total })
    }

    /// The machine's memory in bytes.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// The tightest limit of this process's cgroup and those around it, in bytes, if there is one. Read anew on every
    /// call: limits can be changed in place.
    pub fn cgroup_limit(&self) -> Option<u64> {
        self.cgroup.as_ref().and_then(Cgroup::limit).filter(|limit| *limit < self.total)
    }

    /// How much memory there is for this process: the cgroup's limit, or else the machine's total.
    pub fn limit(&self) -> u64 {
        self.cgroup_limit().unwrap_or(self.total)
    }

    /// Bytes in use.
    ///
    /// For [`Scope::Cgroup`] that is what the kernel cannot take back from the cgroup without killing: its usage without
    /// page cache and reclaimable slabs, at least this process's own memory. Where no cgroup sets the limit, others in
    /// ours are no concern, and it is this process's own memory.
    ///
    /// # Errors
    /// If this process's own memory cannot be read. An unreadable cgroup counts as empty.
    pub fn usage(&self, scope: Scope) -> Result<u64, MemoryError> {
        let own = self.resident()?;
        Ok(match scope {
            Scope::Cgroup if self.cgroup_limit().is_some() => {
                self.cgroup.as_ref().and_then(Cgroup::unreclaimable).map_or(own, |all| all.max(own))
            }
            Scope::Cgroup | Scope::Process => own,
        })
    }

    /// This process's resident memory in bytes.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn resident(&self) -> Result<u64, MemoryError> {
        let path = self.root.join("proc/self/status");
        kib_field(&read(&path)?, "VmRSS:").ok_or(MemoryError::Missing { path, what: "VmRSS" })
    }
}

/// The settings of all `memory_limiter`s that there are; a handle that the engine and they share.
#[derive(Debug, Default)]
pub struct MemoryLimiters(Mutex<Vec<Weak<MemoryLimiterConfig>>>);

impl MemoryLimiters {
    /// Adds the settings of one that was just built. They count for as long as it keeps them, so that one which a reload
    /// removes, or which was built for a reload that failed, leaves nothing behind.
    pub fn add(&self, settings: &Arc<MemoryLimiterConfig>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|settings| settings.strong_count() > 0);
        all.push(Arc::downgrade(settings));
    }

    /// The settings of the one that was built last, of those that are still there.
    pub fn current(&self) -> Option<Arc<MemoryLimiterConfig>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().rev().find_map(Weak::upgrade)
    }
}

/// What follows from `usage`.
///
/// A state is entered above its limit and left only a twentieth of the limit below it, so that usage that hovers at a
/// limit does not make receivers refuse and accept in turn.
pub fn decide(usage: u64, limits: &MemoryLimits, previous: Pressure) -> Pressure {
    let over = |limit: u64, held: bool| usage > if held { limit - limit / 20 } else { limit };
    if over(limits.hard, previous == Pressure::Hard) {
        Pressure::Hard
    } else if over(limits.soft, previous > Pressure::Normal) {
        Pressure::Soft
    } else {
        Pressure::Normal
    }
}

fn read(path: &Path) -> Result<String, MemoryError> {
    std::fs::read_to_string(path).map_err(|source| MemoryError::Read { path: path.to_owned(), source })
}

/// The bytes of a line like `MemTotal:  16307408 kB`.
fn kib_field(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}
