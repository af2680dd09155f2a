//! What tables say about their rows besides the numbers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use pdata::Timestamp;

/// What a row is labelled as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    /// Nobody says: a part to learn from.
    Unknown,
    /// Known to be ordinary.
    Ordinary,
    /// Known to be out of the ordinary.
    Odd,
}

/// The rows of each service, in the order in which they were read.
pub(crate) type Labelled = BTreeMap<String, Vec<(Timestamp, Label)>>;

/// Takes the labels of tables, for whoever wants them; by default nobody does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labels(Option<Arc<Mutex<Labelled>>>);

impl Labels {
    /// Somebody wants them.
    pub(crate) fn wanted() -> Self {
        Self(Some(Arc::default()))
    }

    /// A row of a service.
    pub(super) fn add(&self, service: &str, time: Timestamp, label: Label) {
        let Some(labelled) = &self.0 else { return };
        let mut labelled = labelled.lock().unwrap_or_else(PoisonError::into_inner);
        match labelled.get_mut(service) {
            Some(rows) => rows.push((time, label)),
            None => _ = labelled.insert(service.to_owned(), vec![(time, label)]),
        }
    }

    /// What came so far.
    pub(crate) fn take(&self) -> Labelled {
        let Some(labelled) = &self.0 else { return Labelled::default() };
        std::mem::take(&mut labelled.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
