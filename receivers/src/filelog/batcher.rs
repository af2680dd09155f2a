//! Collects encoded records into batches of a useful size.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::encode;
use super::identity::{FileId, Mark};

/// Records, and how far each file has been read when all of them are delivered.
#[derive(Debug, Default)]
pub(super) struct Packet {
    /// An encoded `LogsData`.
    pub(super) bytes: Vec<u8>,
    /// How many records it holds.
    pub(super) items: usize,
    /// The new marks of the files that it is from.
    pub(super) marks: BTreeMap<FileId, Mark>,
}

/// Collects encoded records.
#[derive(Debug, Default)]
pub(super) struct Batcher {
    packet: Packet,
    /// Records of the current group, not yet in the packet.
    records: Vec<u8>,
    resource: Arc<[u8]>,
    scope_name: String,
}

impl Batcher {
    /// Where to append records of this resource.
    pub(super) fn records(&mut self, resource: &Arc<[u8]>, scope_name: &str) -> &mut Vec<u8> {
        let same_resource = Arc::ptr_eq(&self.resource, resource) || self.resource == *resource;
        // Nearly no file has a scope; what is asked for every line must cost nothing.
        let same_scope = scope_name.is_empty() && self.scope_name.is_empty() || self.scope_name == scope_name;
        if !same_resource || !same_scope {
            self.end_group();
            self.resource = Arc::clone(resource);
            scope_name.clone_into(&mut self.scope_name);
        }
        &mut self.records
    }

    /// Counts records that were appended.
    pub(super) const fn count(&mut self, items: usize) {
        self.packet.items += items;
    }

    /// Notes how far a file has been read.
    pub(super) fn mark(&mut self, file: FileId, mark: Mark) {
        self.packet.marks.insert(file, mark);
    }

    /// Bytes collected so far.
    pub(super) const fn len(&self) -> usize {
        self.packet.bytes.len() + self.records.len()
    }

    /// What was collected, if anything was.
    pub(super) fn take(&mut self) -> Option<Packet> {
        self.end_group();
        let packet = std::mem::take(&mut self.packet);
        (packet.items > 0 || !packet.marks.is_empty()).then_some(packet)
    }

    fn end_group(&mut self) {
        if !self.records.is_empty() {
            encode::resource_logs(&mut self.packet.bytes, &self.resource, &self.scope_name, &self.records);
            self.records.clear();
        }
    }
}
