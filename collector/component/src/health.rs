//! How every component is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::ComponentKey;

/// How a component is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Not ready yet.
    Starting,
    /// Working.
    Ok,
    /// Not working now, but it may recover by itself.
    Recovering,
    /// Not working, and will not without help.
    Failed,
    /// Ended.
    Stopped,
}

impl Status {
    /// The collector's name for it: `StatusOK` and so on.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "StatusStarting",
            Self::Ok => "StatusOK",
            Self::Recovering => "StatusRecoverableError",
            Self::Failed => "StatusPermanentError",
            Self::Stopped => "StatusStopped",
        }
    }
}

/// How a component is, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentStatus {
    /// How it is.
    pub status: Status,
    /// Why, if it is not well.
    pub message: Option<String>,
    /// How often it was restarted after a panic or an error.
    pub restarts: u64,
}

/// The status of every component. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<BTreeMap<ComponentKey, ComponentStatus>>>);

impl Health {
    /// The reporter for one component.
    pub fn reporter(&self, key: ComponentKey) -> HealthReporter {
        HealthReporter { key, health: self.clone() }
    }

    /// Every component's status, in a stable order.
    pub fn snapshot(&self) -> BTreeMap<ComponentKey, ComponentStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether every component is working.
    pub fn is_ok(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().all(|entry| entry.status == Status::Ok)
    }

    /// Forgets a component that no longer exists.
    pub fn forget(&self, key: &ComponentKey) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// Says how one component is.
#[derive(Clone, Debug)]
pub struct HealthReporter {
    key: ComponentKey,
    health: Health,
}

impl HealthReporter {
    /// Not ready yet.
    pub fn starting(&self) {
        self.set(Status::Starting, None);
    }

    /// Working.
    pub fn ok(&self) {
        self.set(Status::Ok, None);
    }

    /// Not working now, but it may recover by itself.
    pub fn recovering(&self, why: impl Into<String>) {
        self.set(Status::Recovering, Some(why.into()));
    }

    /// Not working, and will not without help.
    pub fn failed(&self, why: impl Into<String>) {
        self.set(Status::Failed, Some(why.into()));
    }

    /// Ended.
    pub fn stopped(&self) {
        self.set(Status::Stopped, None);
    }

    /// Counts a restart.
    pub fn restarted(&self) {
        let mut statuses = self.health.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = statuses.get_mut(&self.key) {
            entry.restarts += 1;
        }
    }

    fn set(&self, status: Status, message: Option<String>) {
        let mut statuses = self.health.0.lock().unwrap_or_else(PoisonError::into_inner);
        let restarts = statuses.get(&self.key).map_or(0, |entry| entry.restarts);
        statuses.insert(self.key.clone(), ComponentStatus { status, message, restarts });
    }
}
