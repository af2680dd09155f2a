//! The series of one metric of one resource, bounded.

use foldhash::fast::FixedState;
use indexmap::IndexMap;
use pdata::Timestamp;
use pdata::proto::common::{AnyValue, KeyValue, any_value::Value};

/// What the series of all further spans has, once there are as many as there may be (OpenTelemetry SDK specification, "cardinality limits").
const OVERFLOW: &str = "otel.metric.overflow";
/// Its place.
const OVERFLOW_KEY: u64 = u64::MAX;

/// One series.
#[derive(Debug)]
pub(super) struct Series<T> {
    pub(super) attributes: Vec<KeyValue>,
    /// When it began, or was last emptied.
    pub(super) began: Timestamp,
    /// When it last changed.
    last: Timestamp,
    pub(super) value: T,
}

/// Series by a hash of their attributes, in the order in which they came up.
#[derive(Debug)]
pub(super) struct Family<T> {
    series: IndexMap<u64, Series<T>, FixedState>,
    limit: usize,
}

impl<T> Family<T> {
    /// An empty one; a `limit` of 0 is none.
    pub(super) fn new(limit: usize) -> Self {
        Self { series: IndexMap::default(), limit }
    }

    /// What is counted for the series `key`, or for all that there is no room for.
    pub(super) fn entry(
        &mut self,
        key: u64,
        now: Timestamp,
        attributes: impl FnOnce() -> Vec<KeyValue>,
        empty: impl FnOnce() -> T,
    ) -> &mut T {
        let is_full = self.limit > 0 && self.series.len() >= self.limit && !self.series.contains_key(&key);
        let key = if is_full { OVERFLOW_KEY } else { key };
        let series = self.series.entry(key).or_insert_with(|| {
            let attributes = if is_full { vec![overflow()] } else { attributes() };
            Series { attributes, began: now, last: now, value: empty() }
        });
        series.last = now;
        &mut series.value
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Series<T>> {
        self.series.values()
    }

    /// The same, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Series<T>> {
        self.series.values_mut()
    }

    /// Forgets all of them.
    pub(super) fn clear(&mut self) {
        self.series.clear();
    }

    /// Forgets those that did not change since `since`.
    pub(super) fn expire(&mut self, since: Timestamp) {
        self.series.retain(|_, series| series.last >= since);
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.series.is_empty()
    }
}

fn overflow() -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::BoolValue(true)) });
    KeyValue { key: OVERFLOW.to_owned(), value, ..KeyValue::default() }
}
