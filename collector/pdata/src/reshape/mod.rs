//! Joining, splitting, sorting and editing batches by their encoded bytes, without building structs.
//!
//! In: batches. Out: batches with the same items. Records are copied as slices; the headers of resources and scopes
//! that end up in several batches are repeated in each. A batch that need not change is shared, not copied.

mod edit;
mod parts;
#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;

use bytes::{BufMut, BytesMut};
pub use edit::{EncodedAttributes, RecordEdit};
pub use parts::Level;
use parts::{Containers, Output, Part, bytes_field, count, message_key, walk};
pub(crate) use parts::{POINTS, RECORDS};
use prost::Message;
use prost::encoding::{encode_varint, encoded_len_varint};

use crate::proto::common::KeyValue;
use crate::view::{Item, ResourceView, ScopeView};
use crate::{Otlp, Payload};

/// Joins batches into one.
pub fn merge<T: Payload>(batches: impl IntoIterator<Item = Otlp<T>>) -> Otlp<T> {
    let mut batches: Vec<_> = batches.into_iter().filter(|batch| batch.encoded_len() > 0).collect();
    if let [_] = batches.as_slice() {
        return batches.remove(0);
    }
    // A protobuf message's bytes followed by another's are the bytes of both merged: repeated fields are appended.
    let mut bytes = BytesMut::with_capacity(batches.iter().map(Otlp::encoded_len).sum());
    batches.iter().for_each(|batch| bytes.put_slice(batch.bytes()));
    let items = batches.iter().map(Otlp::items).sum();
    let holds_events = batches.iter().any(Otlp::may_hold_events);
    Otlp::from_scanned(bytes.freeze(), items, holds_events)
}

/// How large the parts may be into which [`split`] splits a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// At most so many items.
    pub items: Option<NonZeroUsize>,
    /// At most so many bytes; an item that is larger on its own is sent on its own.
    pub bytes: Option<NonZeroUsize>,
}

impl Limits {
    /// At most `items` items each. Zero means no limit, as in the collector's configuration.
    pub const fn items(items: usize) -> Self {
        Self { items: NonZeroUsize::new(items), bytes: None }
    }

    /// At most `bytes` bytes each. Zero means no limit.
    pub const fn bytes(bytes: usize) -> Self {
        Self { items: None, bytes: NonZeroUsize::new(bytes) }
    }

    fn exceeded_by(self, items: usize, bytes: usize) -> bool {
        self.items.is_some_and(|limit| items > limit.get())
            || self.bytes.is_some_and(|limit| bytes > limit.get())
    }
}

/// Splits a batch into parts within `limits`, in order. A batch within the limits is the only part.
pub fn split<T: Payload>(batch: &Otlp<T>, limits: Limits) -> Vec<Otlp<T>> {
    if !limits.exceeded_by(batch.items(), batch.encoded_len()) {
        return vec![batch.clone()];
    }
    let mut containers = Containers::default();
    let mut outputs = vec![Output::default()];
    walk(T::LEVELS, batch.bytes(), &mut containers, &mut |containers, path, part| {
        let items = usize::from(part.is_item);
        let mut current = outputs.pop().unwrap_or_default();
        let size = current.size + current.cost(containers, path, part);
        if current.size > 0 && limits.exceeded_by(current.items + items, size) {
            outputs.push(std::mem::take(&mut current));
        }
        current.push(containers, path, part, items);
        outputs.push(current);
    });
    outputs.into_iter().map(|output| finish(batch, output, &containers)).collect()
}

/// Sorts what each resource sent into `n` batches, by the number that `key` gives the resource (modulo `n`).
pub fn partition<T: Payload>(
    batch: &Otlp<T>,
    n: NonZeroUsize,
    mut key: impl FnMut(ResourceView<'_>) -> usize,
) -> Vec<Otlp<T>> {
    let [resources, below @ ..] = T::LEVELS else { return vec![batch.clone()] };
    distribute(batch, n, &[*resources], |_, part| {
        (key(ResourceView::new(bytes_field(part.message, 1))), count(below, part.message))
    })
}

/// Sorts spans or log records into `n` batches, by the number that `key` gives their resource and trace id (modulo
/// `n`). The trace id of a record without one, and of every metric, is empty.
pub fn partition_by_trace<T: Payload>(
    batch: &Otlp<T>,
    n: NonZeroUsize,
    mut key: impl FnMut(ResourceView<'_>, &[u8]) -> usize,
) -> Vec<Otlp<T>> {
    if T::TRACE_ID == 0 {
        return partition(batch, n, |resource| key(resource, &[]));
    }
    distribute(batch, n, T::LEVELS, |resource, part| {
        (key(ResourceView::new(resource), bytes_field(part.message, T::TRACE_ID)), usize::from(part.is_item))
    })
}

/// Sends each part of `batch` to the output that `place` names; it also says how many items the part holds.
fn distribute<'a, T: Payload>(
    batch: &'a Otlp<T>,
    n: NonZeroUsize,
    levels: &[Level],
    mut place: impl FnMut(&'a [u8], Part<'a>) -> (usize, usize),
) -> Vec<Otlp<T>> {
    let mut containers = Containers::default();
    let mut outputs: Vec<_> = (0..n.get()).map(|_| Output::default()).collect();
    walk(levels, batch.bytes(), &mut containers, &mut |containers, path, part| {
        let (shard, items) = place(containers.subject(path, 0), part);
        if let Some(output) = outputs.get_mut(shard % n) {
            output.push(containers, path, part, items);
        }
    });
    let used = outputs.iter().filter(|output| output.size > 0).count();
    outputs
        .into_iter()
        .map(|output| match used {
            _ if output.size == 0 => Otlp::empty(),
            1 => batch.clone(),
            _ => finish(batch, output, &containers),
        })
        .collect()
}

impl<T: Payload> Otlp<T> {
    /// A batch of the spans, metrics or log records that `keep` wants, copied as they are; scopes and resources that
    /// lose all of theirs go too. If nothing is lost the batch is shared.
    #[must_use]
    pub fn retain(
        &self,
        mut keep: impl for<'a> FnMut(ResourceView<'a>, ScopeView<'a>, T::Item<'a>) -> bool,
    ) -> Self {
        let (_, below) = T::LEVELS.split_at(RECORDS.len());
        let mut containers = Containers::default();
        let mut output = Output::default();
        let mut lost = false;
        walk(RECORDS, self.bytes(), &mut containers, &mut |containers, path, part| {
            let resource = ResourceView::new(containers.subject(path, 0));
            let scope = ScopeView::new(containers.subject(path, 1));
            if part.is_item && !keep(resource, scope, T::Item::read(part.message)) {
                lost = true;
            } else {
                let items = if part.is_item { count(below, part.message) } else { 0 };
                output.push(containers, path, part, items);
            }
        });
        if lost { finish(self, output, &containers) } else { self.clone() }
    }
}

fn finish<'a, T: Payload>(whole: &Otlp<T>, output: Output<'a>, containers: &Containers<'a>) -> Otlp<T> {
    let items = output.items;
    Otlp::from_scanned(output.finish(containers), items, whole.may_hold_events())
}

/// Gives resources other attributes, where `change` returns some; everything else stays byte for byte. If nothing
/// changes the batch is shared.
pub fn rewrite_resources<T: Payload>(
    batch: &Otlp<T>,
    mut change: impl FnMut(ResourceView<'_>) -> Option<Vec<KeyValue>>,
) -> Otlp<T> {
    let source = batch.bytes();
    let mut out = None;
    let mut copied = 0;
    let mut read = 0;
    for (tag, field, group) in parts::fields(source) {
        let start = read;
        read += field.len();
        let Some(group) = group.filter(|_| tag == 1) else { continue };
        let resource = bytes_field(group, 1);
        let Some(attributes) = change(ResourceView::new(resource)) else { continue };
        let out = out.get_or_insert_with(|| BytesMut::with_capacity(source.len() + source.len() / 8));
        out.put_slice(&source[copied..start]);
        put_group(out, group, &resource_with(resource, &attributes));
        copied = read;
    }
    let Some(mut out) = out else { return batch.clone() };
    out.put_slice(&source[copied..]);
    Otlp::from_scanned(out.freeze(), batch.items(), batch.may_hold_events())
}

/// A resource's bytes with other attributes.
fn resource_with(resource: &[u8], attributes: &[KeyValue]) -> Vec<u8> {
    let mut out = Vec::with_capacity(resource.len() + 64);
    for attribute in attributes {
        encode_varint(u64::from(message_key(1)), &mut out);
        encode_varint(attribute.encoded_len() as u64, &mut out);
        attribute.encode_raw(&mut out);
    }
    for (tag, field, _) in parts::fields(resource) {
        if tag != 1 {
            out.put_slice(field);
        }
    }
    out
}

/// Writes a resource's group with another resource.
fn put_group(out: &mut BytesMut, group: &[u8], resource: &[u8]) {
    let rest = || parts::fields(group).filter(|(tag, ..)| *tag != 1).map(|(_, field, _)| field);
    let header = 1 + encoded_len_varint(resource.len() as u64) + resource.len();
    let len = header + rest().map(<[u8]>::len).sum::<usize>();
    for (len, key) in [(len, message_key(1)), (resource.len(), message_key(1))] {
        encode_varint(u64::from(key), out);
        encode_varint(len as u64, out);
    }
    out.put_slice(resource);
    rest().for_each(|field| out.put_slice(field));
}
