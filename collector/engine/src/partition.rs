//! Which shard of a keyed stage a batch, or a part of it, belongs to.
//!
//! The hash is stable between builds and machines: the same key meets the same shard on every run.

use std::num::NonZeroUsize;
use std::sync::Arc;

use component::Key;
use pdata::view::ResourceView;
use pdata::{Batch, Event, Otlp, Payload};

/// Splits `batch` by `key` over `shards` shards: the parts that are not empty, each with its shard. A batch that belongs
/// to one shard as a whole is not copied.
pub(crate) fn partition(batch: Batch, key: Key, shards: NonZeroUsize) -> Vec<(usize, Batch)> {
    match batch {
        Batch::Traces(traces) => parts(&traces, key, shards),
        Batch::Metrics(metrics) => parts(&metrics, key, shards),
        Batch::Logs(logs) => parts(&logs, key, shards),
        Batch::Events(events) => {
            let mut parts: Vec<Vec<Event>> = vec![Vec::new(); shards.get()];
            for event in Arc::unwrap_or_clone(events) {
                let shard = shard(Fnv::new().with(event.service().unwrap_or_default().as_bytes()), shards);
                parts[shard].push(event);
            }
            let parts = parts.into_iter().enumerate().filter(|(_, events)| !events.is_empty());
            parts.map(|(shard, events)| (shard, Batch::events(events))).collect()
        }
    }
}

fn parts<T: Payload>(batch: &Otlp<T>, key: Key, shards: NonZeroUsize) -> Vec<(usize, Batch)>
where
    Batch: From<Otlp<T>>,
{
    let parts = match key {
        Key::Service => pdata::partition(batch, shards, |resource| shard(service(resource), shards)),
        Key::Resource => pdata::partition(batch, shards, |resource| shard(identity(resource), shards)),
        Key::Trace => pdata::partition_by_trace(batch, shards, |resource, trace_id| {
            let hash = if trace_id.is_empty() { service(resource) } else { Fnv::new().with(trace_id) };
            shard(hash, shards)
        }),
    };
    let parts = parts.into_iter().enumerate().filter(|(_, part)| part.items() > 0);
    parts.map(|(shard, part)| (shard, part.into())).collect()
}

fn service(resource: ResourceView<'_>) -> Fnv {
    Fnv::new().with(resource.service_name().as_bytes())
}

/// Attributes count in any order: their hashes are added up.
fn identity(resource: ResourceView<'_>) -> Fnv {
    let hashes = resource.attributes().map(|(key, value)| {
        Fnv::new().with(key.as_bytes()).with(b"=").with(value.to_json().to_string().as_bytes()).0
    });
    Fnv(hashes.fold(0, u64::wrapping_add))
}

fn shard(hash: Fnv, shards: NonZeroUsize) -> usize {
    // FNV's low bits mix less than its high ones.
    usize::try_from((hash.0 >> 32) % shards.get() as u64).unwrap_or_default()
}

/// FNV-1a, 64 bits.
#[derive(Clone, Copy)]
struct Fnv(u64);

impl Fnv {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn with(self, bytes: &[u8]) -> Self {
        Self(bytes.iter().fold(self.0, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)))
    }
}
