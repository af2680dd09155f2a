//! What a log message can be about.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! classes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// What a log message is about. A message can be about several things, or about none of them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Class {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Class {
            /// All classes, in the order of their bits and scores.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name, which never changes.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

classes! {
    /// A connection could not be made, was refused, reset or lost.
    Connectivity = "connectivity",
    /// Something took longer than it was allowed to.
    Timeout = "timeout",
    /// A name could not be resolved, or the resolver is in trouble.
    Dns = "dns",
    /// A TLS handshake or a certificate.
    TlsCert = "tls_cert",
    /// Somebody was not let in, or not allowed to do something.
    AuthDenied = "auth_denied",
    /// Memory is exhausted or scarce.
    ResourceMemory = "resource_memory",
    /// Disk space or inodes are exhausted or scarce.
    ResourceDisk = "resource_disk",
    /// Processor time is scarce or withheld.
    ResourceCpuThrottle = "resource_cpu_throttle",
    /// Another limit was reached: file descriptors, threads, connections, queues.
    ResourceLimit = "resource_limit",
    /// A program crashed or was killed.
    CrashPanic = "crash_panic",
    /// A program starts, stops or starts again.
    Restart = "restart",
    /// The configuration is wrong or incomplete.
    ConfigError = "config_error",
    /// Something that is needed does not serve.
    DependencyUnavailable = "dependency_unavailable",
    /// Data is not what was written.
    DataCorruption = "data_corruption",
    /// Reading, writing or mounting storage fails or is slow.
    StorageIo = "storage_io",
    /// A network link or path changes, or loses packets.
    NetworkLink = "network_link",
    /// A device reports a fault.
    Hardware = "hardware",
    /// Work finds no place, or is moved from it.
    SchedulingEviction = "scheduling_eviction",
    /// Requests are refused because there were too many.
    RateLimitQuota = "rate_limit_quota",
    /// Locks: deadlocks, waits, work that hangs.
    DeadlockLock = "deadlock_lock",
    /// Somebody changes what runs: versions, replicas, settings.
    DeploymentChange = "deployment_change",
    /// An attack, or what looks like one.
    Security = "security",
}

/// How many classes there are.
pub const N_CLASSES: usize = Class::ALL.len();

impl Class {
    /// Whether it is a problem by itself. The others are things that happen.
    pub const fn is_problem(self) -> bool {
        !matches!(
            self,
            Self::Restart
                | Self::SchedulingEviction
                | Self::DeploymentChange
                | Self::NetworkLink
                | Self::Security
        )
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no class of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no log class `{0}`; there are {names}", names = Class::ALL.iter().map(|class| class.name()).collect::<Vec<_>>().join(", "))]
pub struct UnknownClass(String);

impl FromStr for Class {
    type Err = UnknownClass;

    fn from_str(name: &str) -> Result<Self, UnknownClass> {
        let class = Self::ALL.iter().find(|class| class.name() == name);
        class.copied().ok_or_else(|| UnknownClass(name.to_owned()))
    }
}

/// A set of classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ClassSet(u32);

impl ClassSet {
    /// No class.
    pub const EMPTY: Self = Self(0);

    /// Every class.
    pub const ALL: Self = Self((1 << N_CLASSES) - 1);

    /// Adds a class.
    pub const fn insert(&mut self, class: Class) {
        self.0 |= 1 << class as u8;
    }

    /// Takes a class out.
    pub const fn remove(&mut self, class: Class) {
        self.0 &= !(1 << class as u8);
    }

    /// Whether the class is in it.
    pub const fn contains(self, class: Class) -> bool {
        self.0 & (1 << class as u8) != 0
    }

    /// Whether no class is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many classes are in it.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// The classes that are in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The classes that are in either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The classes, in order.
    pub fn iter(self) -> impl Iterator<Item = Class> {
        Class::ALL.iter().copied().filter(move |class| self.contains(*class))
    }
}

impl FromIterator<Class> for ClassSet {
    fn from_iter<I: IntoIterator<Item = Class>>(classes: I) -> Self {
        classes.into_iter().fold(Self::EMPTY, |mut set, class| {
            set.insert(class);
            set
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_classes() {
        for class in Class::ALL {
            assert_eq!(class.name().parse(), Ok(*class));
        }
        assert!("oops".parse::<Class>().is_err_and(|error| error.to_string().contains("crash_panic")));
    }

    #[test]
    fn a_set_has_what_was_put_in() {
        let mut set: ClassSet = [Class::Security, Class::Dns].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [Class::Dns, Class::Security]);
        set.remove(Class::Dns);
        assert!(!set.contains(Class::Dns) && set.len() == 1 && ClassSet::ALL.len() == N_CLASSES);
    }
}
