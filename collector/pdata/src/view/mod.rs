//! Borrowed views over encoded OTLP: reading without building structs.
//!
//! In: the bytes of a batch of spans, metrics or log records. Out: small `Copy` structs that borrow from them. A
//! view reads a record's own fields once; attributes, events, points and so on are read while they are iterated.
//!
//! Views never fail and never panic. On bytes that were not scanned (there are none in a batch) a view may show less
//! than there is. As protobuf wants it, of several occurrences of a field the last one counts. Several occurrences of
//! a message that should occur once must be merged; batches that have such are rewritten when they come in, so that
//! views need not know.

mod exemplar;
mod json;
mod logs;
mod metrics;
mod points;
mod traces;
mod value;

#[cfg(test)]
pub(crate) mod owned;
#[cfg(test)]
mod tests;

use std::marker::PhantomData;

pub use exemplar::{ExemplarView, NumberValue};
pub use logs::LogRecordView;
pub use metrics::{
    ExponentialHistogramPoints, HistogramPoints, MetricKind, MetricView, NumberPoints, SummaryPoints,
    Temporality,
};
pub use points::{
    BucketsView, ExponentialHistogramPointView, HistogramPointView, NumberPointView, SummaryPointView,
};
pub use traces::{LinkView, SpanEventView, SpanKind, SpanView, StatusCode};
pub use value::{AnyValueView, ArrayView, Attributes, KvListView};

use crate::wire::{Fields, Repeated, Slices, Value, text};
use crate::{Otlp, Payload};

/// All of a batch of spans.
pub type TracesView<'a> = View<'a, SpanView<'a>>;
/// One resource's spans.
pub type ResourceSpansView<'a> = ResourceGroup<'a, SpanView<'a>>;
/// One scope's spans.
pub type ScopeSpansView<'a> = ScopeGroup<'a, SpanView<'a>>;
/// All of a batch of metrics.
pub type MetricsView<'a> = View<'a, MetricView<'a>>;
/// One resource's metrics.
pub type ResourceMetricsView<'a> = ResourceGroup<'a, MetricView<'a>>;
/// One scope's metrics.
pub type ScopeMetricsView<'a> = ScopeGroup<'a, MetricView<'a>>;
/// All of a batch of log records.
pub type LogsView<'a> = View<'a, LogRecordView<'a>>;
/// One resource's log records.
pub type ResourceLogsView<'a> = ResourceGroup<'a, LogRecordView<'a>>;
/// One scope's log records.
pub type ScopeLogsView<'a> = ScopeGroup<'a, LogRecordView<'a>>;

impl<T: Payload> Otlp<T> {
    /// The contents, without building structs.
    pub fn view(&self) -> View<'_, T::Item<'_>> {
        View::new(self.bytes())
    }
}

/// Something that a scope holds: a span, a metric or a log record.
pub trait Item<'a>: Copy + private::Sealed {
    /// Reads the item's own fields.
    #[doc(hidden)]
    fn read(bytes: &'a [u8]) -> Self;
}

mod private {
    pub trait Sealed {}
    impl Sealed for super::SpanView<'_> {}
    impl Sealed for super::MetricView<'_> {}
    impl Sealed for super::LogRecordView<'_> {}
}

/// A batch.
#[derive(Clone, Copy, Debug)]
pub struct View<'a, I> {
    bytes: &'a [u8],
    item: PhantomData<I>,
}

impl<'a, I: Item<'a>> View<'a, I> {
    /// The view of an encoded batch.
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, item: PhantomData }
    }

    /// The resources, each with what it sent.
    pub fn resources(self) -> impl Iterator<Item = ResourceGroup<'a, I>> + Clone {
        Repeated::within(self.bytes).slices(1).map(ResourceGroup::read)
    }

    /// Every item, with the resource and the scope it belongs to.
    pub fn items(self) -> impl Iterator<Item = (ResourceView<'a>, ScopeView<'a>, I)> {
        self.resources().flat_map(|group| {
            let resource = group.resource();
            group.scopes().flat_map(move |group| {
                let scope = group.scope();
                group.items().map(move |item| (resource, scope, item))
            })
        })
    }
}

/// Everything that one resource sent.
#[derive(Clone, Copy, Debug)]
pub struct ResourceGroup<'a, I> {
    bytes: &'a [u8],
    item: PhantomData<I>,
}

impl<'a, I: Item<'a>> ResourceGroup<'a, I> {
    const fn read(bytes: &'a [u8]) -> Self {
        Self { bytes, item: PhantomData }
    }

    /// Who sent it.
    pub fn resource(self) -> ResourceView<'a> {
        ResourceView { bytes: last_bytes(self.bytes, 1).unwrap_or_default() }
    }

    /// Whether the sender named a resource at all.
    pub fn has_resource(self) -> bool {
        last_bytes(self.bytes, 1).is_some()
    }

    /// The schema that the resource's attributes follow.
    pub fn schema_url(self) -> &'a str {
        text(last_bytes(self.bytes, 3).unwrap_or_default())
    }

    /// The scopes, each with what it recorded.
    pub fn scopes(self) -> impl Iterator<Item = ScopeGroup<'a, I>> + Clone {
        Repeated::within(self.bytes).slices(2).map(ScopeGroup::read)
    }
}

/// Everything that one instrumentation scope recorded.
#[derive(Clone, Copy, Debug)]
pub struct ScopeGroup<'a, I> {
    bytes: &'a [u8],
    item: PhantomData<I>,
}

impl<'a, I: Item<'a>> ScopeGroup<'a, I> {
    const fn read(bytes: &'a [u8]) -> Self {
        Self { bytes, item: PhantomData }
    }

    /// Which library recorded it.
    pub fn scope(self) -> ScopeView<'a> {
        ScopeView { bytes: last_bytes(self.bytes, 1).unwrap_or_default() }
    }

    /// Whether the sender named a scope at all.
    pub fn has_scope(self) -> bool {
        last_bytes(self.bytes, 1).is_some()
    }

    /// The scope's name.
    pub fn name(self) -> &'a str {
        self.scope().name()
    }

    /// The schema that the items follow.
    pub fn schema_url(self) -> &'a str {
        text(last_bytes(self.bytes, 3).unwrap_or_default())
    }

    /// Spans, metrics or log records.
    pub const fn items(self) -> Items<'a, I> {
        Items { slices: Repeated::within(self.bytes).slices(2), item: PhantomData }
    }
}

impl<'a> ScopeSpansView<'a> {
    /// The spans.
    pub const fn spans(self) -> Items<'a, SpanView<'a>> {
        self.items()
    }
}

impl<'a> ScopeMetricsView<'a> {
    /// The metrics.
    pub const fn metrics(self) -> Items<'a, MetricView<'a>> {
        self.items()
    }
}

impl<'a> ScopeLogsView<'a> {
    /// The log records.
    pub const fn records(self) -> Items<'a, LogRecordView<'a>> {
        self.items()
    }
}

/// Spans, metrics or log records, in order.
#[derive(Clone, Copy, Debug)]
pub struct Items<'a, I> {
    slices: Slices<'a>,
    item: PhantomData<I>,
}

impl<'a, I: Item<'a>> Iterator for Items<'a, I> {
    type Item = I;

    #[inline]
    fn next(&mut self) -> Option<I> {
        self.slices.next().map(I::read)
    }
}

/// The last occurrence of a field. It is looked for only when it is asked for: to find it, everything that a resource
/// or a scope holds must be stepped over.
fn last_bytes(bytes: &[u8], tag: u32) -> Option<&[u8]> {
    Repeated::within(bytes).slices(tag).last()
}

/// Who sent something: a service's process, a host, a pod.
#[derive(Clone, Copy, Debug)]
pub struct ResourceView<'a> {
    bytes: &'a [u8],
}

impl<'a> ResourceView<'a> {
    /// The view of an encoded resource.
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The encoded resource: equal bytes mean the same resource.
    pub const fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The attributes.
    pub const fn attributes(self) -> Attributes<'a> {
        Attributes::new(Repeated::within(self.bytes), 1)
    }

    /// The first attribute with this key.
    pub fn attribute(self, key: &str) -> Option<AnyValueView<'a>> {
        self.attributes().get(key)
    }

    /// `service.name`, or nothing.
    pub fn service_name(self) -> &'a str {
        self.attributes().get_str("service.name").unwrap_or_default()
    }

    /// How many attributes the sender left out.
    pub fn dropped_attributes_count(self) -> u32 {
        last_u32(self.bytes, 2)
    }
}

/// Which library recorded something.
#[derive(Clone, Copy, Debug)]
pub struct ScopeView<'a> {
    bytes: &'a [u8],
}

impl<'a> ScopeView<'a> {
    /// The view of an encoded scope.
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The encoded scope: equal bytes mean the same scope.
    pub const fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The library's name.
    pub fn name(self) -> &'a str {
        Repeated::within(self.bytes).slices(1).last().map(text).unwrap_or_default()
    }

    /// The library's version.
    pub fn version(self) -> &'a str {
        Repeated::within(self.bytes).slices(2).last().map(text).unwrap_or_default()
    }

    /// The attributes.
    pub const fn attributes(self) -> Attributes<'a> {
        Attributes::new(Repeated::within(self.bytes), 3)
    }

    /// The first attribute with this key.
    pub fn attribute(self, key: &str) -> Option<AnyValueView<'a>> {
        self.attributes().get(key)
    }

    /// How many attributes the sender left out.
    pub fn dropped_attributes_count(self) -> u32 {
        last_u32(self.bytes, 4)
    }
}

fn last_u32(bytes: &[u8], wanted: u32) -> u32 {
    let mut last = 0;
    for field in Fields::of(bytes) {
        if let (tag, Value::Varint(number)) = field
            && tag == wanted
        {
            last = number as u32;
        }
    }
    last
}
