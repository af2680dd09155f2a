//! What the engine hands to a component when it builds it.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use config::ComponentId;

use crate::{Admission, Clock, Health, HealthReporter, Storage, Telemetry};

/// A kind of component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Brings telemetry in.
    Receiver,
    /// Computes.
    Processor,
    /// Takes telemetry out.
    Exporter,
    /// Joins pipelines.
    Connector,
    /// Serves the others.
    Extension,
}

impl Kind {
    /// `receiver`, `processor` and so on.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Receiver => "receiver",
            Self::Processor => "processor",
            Self::Exporter => "exporter",
            Self::Connector => "connector",
            Self::Extension => "extension",
        }
    }

    /// The configuration's top-level key: `receivers`, `processors` and so on.
    pub const fn section(self) -> &'static str {
        match self {
            Self::Receiver => "receivers",
            Self::Processor => "processors",
            Self::Exporter => "exporters",
            Self::Connector => "connectors",
            Self::Extension => "extensions",
        }
    }
}

/// Identifies a running component.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ComponentKey {
    /// What it is.
    pub kind: Kind,
    /// Its id in the configuration.
    pub id: ComponentId,
    /// The pipeline it stands in; only processors belong to one.
    pub pipeline: Option<String>,
}

impl fmt::Display for ComponentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.name(), self.id)?;
        match &self.pipeline {
            Some(pipeline) => write!(f, "@{pipeline}"),
            None => Ok(()),
        }
    }
}

/// What a component may use. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// Who it is.
    pub key: ComponentKey,
    /// Where time comes from.
    pub clock: Clock,
    /// Where it says how it is.
    pub health: HealthReporter,
    /// Its own metrics.
    pub telemetry: Telemetry,
    /// The memory gate.
    pub admission: Admission,
    /// What components offer each other.
    pub handles: Handles,
    /// The storage extensions, by id.
    pub storages: Arc<HashMap<ComponentId, Arc<dyn Storage>>>,
    /// Which of the parallel copies of a keyed processor this is: below `shards`.
    pub shard: usize,
    /// How many parallel copies there are: at least 1.
    pub shards: usize,
}

impl Context {
    /// A context for tests and tools: manual clock at zero, fresh everything.
    pub fn detached(kind: Kind, id: &str) -> Self {
        let key = ComponentKey { kind, id: ComponentId::new(id, None), pipeline: None };
        Self {
            health: Health::default().reporter(key.clone()),
            key,
            clock: Clock::manual(pdata::Timestamp::default()),
            telemetry: Telemetry::default(),
            admission: Admission::default(),
            handles: Handles::default(),
            storages: Arc::default(),
            shard: 0,
            shards: 1,
        }
    }
}

/// What components offer each other, one of each type; as in `http::Extensions`. Cheap to clone.
#[derive(Clone, Default)]
pub struct Handles(Arc<RwLock<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>>);

impl Handles {
    /// Offers `handle` to the others; replaces an earlier one of its type.
    pub fn offer<T: Any + Send + Sync>(&self, handle: Arc<T>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(TypeId::of::<T>(), handle);
    }

    /// What somebody offered, if anybody did.
    pub fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let handles = self.0.read().unwrap_or_else(PoisonError::into_inner);
        handles.get(&TypeId::of::<T>()).cloned().and_then(|handle| handle.downcast().ok())
    }

    /// What somebody offered, or a default that everybody gets from now on.
    pub fn get_or_default<T: Any + Send + Sync + Default>(&self) -> Arc<T> {
        let mut handles = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let handle = handles.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default()));
        Arc::clone(handle).downcast().unwrap_or_default()
    }
}
