//! What was worked out for a resource, remembered by the resource's encoded bytes: most streams repeat a few resources.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use pdata::Batch;
use pdata::proto::common::KeyValue;
use pdata::rewrite_resources;
use pdata::view::ResourceView;

/// How many resources are remembered; when there are more, it starts afresh.
const CAPACITY: usize = 4096;

/// Changed attributes by encoded resource; `None` where nothing changes.
#[derive(Default)]
pub(crate) struct ResourceCache(HashMap<Box<[u8]>, Option<Vec<KeyValue>>, RandomState>);

impl ResourceCache {
    /// What `change` makes of the attributes of `resource`, or made of them earlier. `extra` is what else the change
    /// depends on.
    pub(crate) fn changed(
        &mut self,
        resource: ResourceView<'_>,
        extra: &str,
        change: impl FnOnce(&mut Vec<KeyValue>),
    ) -> Option<Vec<KeyValue>> {
        let mut joined = Vec::new();
        let key = if extra.is_empty() {
            resource.bytes()
        } else {
            joined.extend_from_slice(resource.bytes());
            // No encoded resource has a field with this number.
            joined.push(0);
            joined.extend_from_slice(extra.as_bytes());
            &joined
        };
        if let Some(known) = self.0.get(key) {
            return known.clone();
        }
        let before = resource.attributes().to_owned();
        let mut after = before.clone();
        change(&mut after);
        let changed = (after != before).then_some(after);
        if self.0.len() >= CAPACITY {
            self.0.clear();
        }
        self.0.insert(key.into(), changed.clone());
        changed
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Gives the resources of a batch other attributes, where `change` returns some.
pub(crate) fn rewrite(batch: &Batch, change: impl FnMut(ResourceView<'_>) -> Option<Vec<KeyValue>>) -> Batch {
    match batch {
        Batch::Traces(traces) => rewrite_resources(traces, change).into(),
        Batch::Metrics(metrics) => rewrite_resources(metrics, change).into(),
        Batch::Logs(logs) => rewrite_resources(logs, change).into(),
        Batch::Events(_) => batch.clone(),
    }
}
