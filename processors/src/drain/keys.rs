//! Which stream a record is of.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use pdata::view::{AnyValueView, LogRecordView, ResourceView};

/// What tells streams of one resource apart.
const ATTRIBUTES: [&str; 4] = ["log.file.path", "log.file.name", "log.iostream", "k8s.container.name"];

/// Hashes what tells streams apart. A resource is hashed once for all its records, and attributes once for all records in a row that
/// have the same.
#[derive(Default)]
pub(super) struct Keys<'a> {
    last: Option<(*const u8, usize)>,
    resource: u64,
    attributes: Option<(u64, &'a [u8], u64)>,
}

impl<'a> Keys<'a> {
    pub(super) fn resource(&mut self, resource: ResourceView<'_>) -> u64 {
        let bytes = resource.bytes();
        let place = (bytes.as_ptr(), bytes.len());
        if self.last != Some(place) {
            self.last = Some(place);
            self.resource = FixedState::default().hash_one(bytes);
        }
        self.resource
    }

    pub(super) fn of(&mut self, resource: ResourceView<'_>, record: LogRecordView<'a>) -> u64 {
        let resource = self.resource(resource);
        let bytes = record.attributes().bytes();
        if let Some((of, attributes, key)) = self.attributes
            && of == resource
            && attributes == bytes
        {
            return key;
        }
        let mut hasher = FixedState::with_seed(resource).build_hasher();
        for (key, value) in record.attributes() {
            if let (Some(number), AnyValueView::Str(text)) =
                (ATTRIBUTES.iter().position(|name| *name == key), value)
            {
                hasher.write_usize(number);
                hasher.write(text.as_bytes());
            }
        }
        let key = hasher.finish();
        self.attributes = Some((resource, bytes, key));
        key
    }
}
