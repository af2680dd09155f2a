//! Counts the spans of each resource.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::{FixedState, FoldHasher};
use indexmap::IndexMap;
use pdata::proto::common::KeyValue;
use pdata::proto::metrics::{Exemplar, exemplar::Value};
use pdata::view::{AnyValueView, ResourceView, SpanEventView, SpanKind, SpanView, StatusCode};
use pdata::{Timestamp, Traces};

use super::config::{Config, Dimension, USUAL};
use super::durations::{Buckets, Calls, Durations, adjusted_count};
use super::series::Family;
use crate::values::string;

/// What is counted of one resource.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) attributes: Vec<KeyValue>,
    pub(super) calls: Family<Calls>,
    pub(super) durations: Family<Durations>,
    pub(super) events: Family<Calls>,
    last: Timestamp,
}

/// Resources by what tells them apart.
#[derive(Debug)]
pub(super) struct Resources {
    pub(super) known: IndexMap<u64, Resource, FixedState>,
    pub(super) evicted: u64,
    config: Config,
    buckets: Option<Buckets>,
    hashing: FixedState,
}

impl Resources {
    /// None yet. What hashes do not collide depends on `seed`.
    pub(super) fn new(config: Config, seed: u64) -> Self {
        let buckets = Buckets::of(&config);
        Self { known: IndexMap::default(), evicted: 0, config, buckets, hashing: FixedState::with_seed(seed) }
    }

    /// Counts the spans of a batch.
    pub(super) fn count(&mut self, traces: &Traces, now: Timestamp) {
        for group in traces.view().resources() {
            let view = group.resource();
            let key = self.key(view);
            self.make_room(key);
            let Self { known, config, buckets, hashing, .. } = self;
            let resource =
                known.entry(key).or_insert_with(|| Resource::new(view, config.aggregation_cardinality_limit));
            resource.last = now;
            let context = Of { config, hashing, resource: view, service: view.service_name(), now };
            for span in group.scopes().flat_map(|scope| scope.items()) {
                resource.span(span, &context, buckets.as_ref());
            }
        }
    }

    fn key(&self, resource: ResourceView<'_>) -> u64 {
        let wanted = &self.config.resource_metrics_key_attributes;
        if wanted.is_empty() {
            return self.hashing.hash_one(resource.attributes().bytes());
        }
        let mut hasher = self.hashing.build_hasher();
        for name in wanted {
            if let Some(value) = resource.attribute(name) {
                put(&mut hasher, name, value);
            }
        }
        hasher.finish()
    }

    /// Lets the resource go that had no spans for longest, if a new one needs its room.
    fn make_room(&mut self, key: u64) {
        if self.known.len() < self.config.resource_metrics_cache_size || self.known.contains_key(&key) {
            return;
        }
        let oldest = self.known.iter().min_by_key(|(_, resource)| resource.last).map(|(key, _)| *key);
        if let Some(oldest) = oldest {
            self.known.shift_remove(&oldest);
            self.evicted += 1;
        }
    }

    /// Forgets what had no spans since `since`.
    pub(super) fn expire(&mut self, since: Timestamp) {
        self.known.retain(|_, resource| {
            resource.calls.expire(since);
            resource.durations.expire(since);
            resource.events.expire(since);
            !resource.calls.is_empty()
        });
    }

    /// After a point of what was counted since the last one: what is counted begins anew.
    pub(super) fn begin_anew(&mut self) {
        for resource in self.known.values_mut() {
            resource.calls.clear();
            resource.durations.clear();
            resource.events.clear();
        }
    }

    /// After a point: exemplars are of the time since the last one.
    pub(super) fn forget_exemplars(&mut self) {
        let resources = self.known.values_mut();
        resources
            .flat_map(|resource| resource.durations.iter_mut())
            .for_each(|series| series.value.exemplars.clear());
    }
}

/// What the spans of a resource have in common.
struct Of<'a> {
    config: &'a Config,
    hashing: &'a FixedState,
    resource: ResourceView<'a>,
    service: &'a str,
    now: Timestamp,
}

impl Resource {
    fn new(view: ResourceView<'_>, limit: usize) -> Self {
        Self {
            attributes: view.attributes().to_owned(),
            calls: Family::new(limit),
            durations: Family::new(limit),
            events: Family::new(limit),
            last: Timestamp::default(),
        }
    }

    fn span(&mut self, span: SpanView<'_>, of: &Of<'_>, buckets: Option<&Buckets>) {
        let config = of.config;
        let count = adjusted_count(span.trace_state());
        let labels = Labels { of, span, event: None };
        let base = labels.base();
        let (own, now) = (&config.calls_dimensions, of.now);
        let calls = self.calls.entry(labels.key(&base, own), now, || labels.attributes(own), Calls::default);
        calls.add(count);
        if let Some(buckets) = buckets {
            let own = &config.histogram.dimensions;
            let key = labels.key(&base, own);
            let durations =
                self.durations.entry(key, now, || labels.attributes(own), || Durations::new(buckets));
            let duration = config.histogram.unit.of(span.duration());
            durations.record(duration, count);
            if config.exemplars.enabled && !span.trace_id().is_empty() {
                durations.exemplify(exemplar(span, duration), config.exemplars.max_per_data_point);
            }
        }
        if config.events.enabled {
            let own = &config.events.dimensions;
            for event in span.events() {
                let labels = Labels { event: Some(event), ..labels };
                let key = labels.key(&base, own);
                self.events.entry(key, now, || labels.attributes(own), Calls::default).add(count);
            }
        }
    }
}

fn exemplar(span: SpanView<'_>, duration: f64) -> Exemplar {
    Exemplar {
        time_unix_nano: span.end().as_nanos(),
        trace_id: span.trace_id().to_vec(),
        span_id: span.span_id().to_vec(),
        value: Some(Value::AsDouble(duration)),
        ..Exemplar::default()
    }
}

/// Where the attributes of a series come from.
#[derive(Clone, Copy)]
struct Labels<'a> {
    of: &'a Of<'a>,
    span: SpanView<'a>,
    event: Option<SpanEventView<'a>>,
}

impl<'a> Labels<'a> {
    fn usual(&self) -> impl Iterator<Item = (&'static str, &'a str)> {
        let values =
            [self.of.service, self.span.name(), kind(self.span.kind()), status(self.span.status_code())];
        let excluded = &self.of.config.exclude_dimensions;
        USUAL.into_iter().zip(values).filter(|(name, _)| !excluded.iter().any(|other| other == name))
    }

    /// Span before resource: the nearest knows best.
    fn value(&self, dimension: &'a Dimension) -> Option<AnyValueView<'a>> {
        let name = dimension.name.as_str();
        let of_event = self.event.and_then(|event| match name {
            "event.name" => Some(AnyValueView::Str(event.name())),
            _ => event.attributes().get(name),
        });
        of_event
            .or_else(|| self.span.attribute(name))
            .or_else(|| self.of.resource.attribute(name))
            .or(dimension.default.as_deref().map(AnyValueView::Str))
    }

    /// Hashes what all metrics of the span have in common.
    fn base(&self) -> FoldHasher<'a> {
        let mut hasher = self.of.hashing.build_hasher();
        self.usual().for_each(|(_, value)| put(&mut hasher, "", AnyValueView::Str(value)));
        self.put(&self.of.config.dimensions, &mut hasher);
        hasher
    }

    fn put(&self, dimensions: &'a [Dimension], hasher: &mut FoldHasher<'a>) {
        for dimension in dimensions {
            if let Some(value) = self.value(dimension) {
                put(hasher, &dimension.name, value);
            }
        }
    }

    fn key(&self, base: &FoldHasher<'a>, own: &'a [Dimension]) -> u64 {
        let mut hasher = base.clone();
        self.put(own, &mut hasher);
        hasher.finish()
    }

    fn attributes(&self, own: &'a [Dimension]) -> Vec<KeyValue> {
        let usual = self.usual().map(|(name, value)| (name, string(value)));
        let more = self.of.config.dimensions.iter().chain(own);
        let more =
            more.filter_map(|dimension| Some((dimension.name.as_str(), self.value(dimension)?.to_owned())));
        let entry = |(key, value): (&str, _)| KeyValue {
            key: key.to_owned(),
            value: Some(value),
            ..KeyValue::default()
        };
        usual.map(entry).chain(more.map(entry)).collect()
    }
}

fn put(hasher: &mut impl Hasher, name: &str, value: AnyValueView<'_>) {
    let text = value.to_text();
    hasher.write(name.as_bytes());
    hasher.write_usize(text.len());
    hasher.write(text.as_bytes());
}

const fn kind(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Unspecified => "SPAN_KIND_UNSPECIFIED",
        SpanKind::Internal => "SPAN_KIND_INTERNAL",
        SpanKind::Server => "SPAN_KIND_SERVER",
        SpanKind::Client => "SPAN_KIND_CLIENT",
        SpanKind::Producer => "SPAN_KIND_PRODUCER",
        SpanKind::Consumer => "SPAN_KIND_CONSUMER",
    }
}

const fn status(code: StatusCode) -> &'static str {
    match code {
        StatusCode::Unset => "STATUS_CODE_UNSET",
        StatusCode::Ok => "STATUS_CODE_OK",
        StatusCode::Error => "STATUS_CODE_ERROR",
    }
}
