//! Puts points together as OTLP: resource, scope, metric, point.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use pdata::Timestamp;
use pdata::proto::common::{InstrumentationScope, KeyValue};
use pdata::proto::metrics::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, MetricsData, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, metric::Data, number_data_point,
};
use pdata::proto::resource::Resource;

use super::config::Scheme;
use super::labels::Labels;
use super::series::{Family, Shape};
use super::text::MetricType;
use crate::emit::text;

/// The flag of a point that says: the series has ended here.
const NO_RECORDED_VALUE: u32 = 1;
/// The scope of metrics that name none.
const SCOPE: &str = "watchfire/receiver/prometheus";
const SCOPE_PREFIX: &str = "otel_scope_";

/// Where a point belongs.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub(super) resource: u32,
    pub(super) scope: u32,
    pub(super) attributes: Vec<KeyValue>,
}

/// OTLP in the making.
pub(super) struct Output {
    scheme: Scheme,
    external: Arc<Labels<'static>>,
    resources: Vec<ResourceDraft>,
    scopes: Vec<ScopeDraft>,
    /// Where a metric stands: resource, scope and family to the position in the scope.
    metrics: HashMap<(u32, u32, u32), usize, RandomState>,
}

struct ResourceDraft {
    job: String,
    instance: String,
    info: Vec<KeyValue>,
    scopes: Vec<(u32, Vec<Metric>)>,
}

#[derive(Default, PartialEq)]
struct ScopeDraft {
    name: String,
    version: String,
    schema_url: String,
    attributes: Vec<KeyValue>,
    /// From `otel_scope_info`.
    info: Vec<KeyValue>,
}

impl Output {
    pub(super) fn new(scheme: Scheme, external: Arc<Labels<'static>>) -> Self {
        let scopes = vec![ScopeDraft { name: SCOPE.to_owned(), ..ScopeDraft::default() }];
        Self { scheme, external, resources: Vec::new(), scopes, metrics: HashMap::default() }
    }

    /// Where a series with these labels belongs. `except` is no attribute of it.
    pub(super) fn place(&mut self, labels: &Labels<'_>, except: &str) -> Place {
        let (mut job, mut instance) = ("", "");
        let mut in_scope = false;
        let mut attributes = Vec::with_capacity(labels.len() + self.external.len());
        for (name, value) in labels.iter() {
            match name {
                "job" => job = value,
                "instance" => instance = value,
                _ if name == except => {}
                _ if name.starts_with(SCOPE_PREFIX) => in_scope = true,
                _ => attributes.push(text(name, value)),
            }
        }
        for (name, value) in self.external.iter().filter(|(name, _)| !labels.contains(name)) {
            attributes.push(text(name, value));
        }
        let scope = if in_scope { self.scope(labels) } else { 0 };
        Place { resource: self.resource(job, instance), scope, attributes }
    }

    fn resource(&mut self, job: &str, instance: &str) -> u32 {
        let same = |draft: &ResourceDraft| draft.job == job && draft.instance == instance;
        // Nearly always there is one, or the last one is it.
        let found = self.resources.iter().rposition(same).unwrap_or_else(|| {
            self.resources.push(ResourceDraft {
                job: job.to_owned(),
                instance: instance.to_owned(),
                info: Vec::new(),
                scopes: Vec::new(),
            });
            self.resources.len() - 1
        });
        found as u32
    }

    fn scope(&mut self, labels: &Labels<'_>) -> u32 {
        let mut draft = ScopeDraft::default();
        for (name, value) in labels.iter() {
            match name.strip_prefix(SCOPE_PREFIX) {
                Some("name") => value.clone_into(&mut draft.name),
                Some("version") => value.clone_into(&mut draft.version),
                Some("schema_url") => value.clone_into(&mut draft.schema_url),
                Some(other) => draft.attributes.push(text(other, value)),
                None => {}
            }
        }
        let same = |known: &ScopeDraft| {
            known.name == draft.name
                && known.version == draft.version
                && known.schema_url == draft.schema_url
                && known.attributes == draft.attributes
        };
        let found = self.scopes.iter().rposition(same).unwrap_or_else(|| {
            self.scopes.push(draft);
            self.scopes.len() - 1
        });
        found as u32
    }

    /// Labels of `target_info` describe the resource.
    pub(super) fn target_info(&mut self, labels: &Labels<'_>) {
        let place = self.place(labels, "");
        let info = &mut self.resources[place.resource as usize].info;
        for attribute in place.attributes.into_iter().filter(|attribute| labels.contains(&attribute.key)) {
            if info.iter().all(|known| known.key != attribute.key) {
                info.push(attribute);
            }
        }
    }

    /// Labels of `otel_scope_info` describe the scope.
    pub(super) fn scope_info(&mut self, labels: &Labels<'_>) {
        let place = self.place(labels, "");
        let mut info = place.attributes;
        info.retain(|attribute| labels.contains(&attribute.key));
        self.scopes[place.scope as usize].info = info;
    }

    fn metric(&mut self, index: u32, family: &Family, (resource, scope): (u32, u32)) -> &mut Metric {
        let scopes = &mut self.resources[resource as usize].scopes;
        let at = scopes.iter().rposition(|(known, _)| *known == scope).unwrap_or_else(|| {
            scopes.push((scope, Vec::new()));
            scopes.len() - 1
        });
        let metrics = &mut scopes[at].1;
        let position = *self.metrics.entry((resource, scope, index)).or_insert_with(|| {
            metrics.push(empty_metric(family));
            metrics.len() - 1
        });
        &mut metrics[position]
    }

    pub(super) fn push_number(
        &mut self,
        index: u32,
        family: &Family,
        at: (u32, u32),
        point: NumberDataPoint,
    ) {
        match &mut self.metric(index, family, at).data {
            Some(Data::Gauge(gauge)) => gauge.data_points.push(point),
            Some(Data::Sum(sum)) => sum.data_points.push(point),
            _ => {}
        }
    }

    pub(super) fn push_histogram(
        &mut self,
        index: u32,
        family: &Family,
        at: (u32, u32),
        point: HistogramDataPoint,
    ) {
        if let Some(Data::Histogram(histogram)) = &mut self.metric(index, family, at).data {
            histogram.data_points.push(point);
        }
    }

    pub(super) fn push_summary(
        &mut self,
        index: u32,
        family: &Family,
        at: (u32, u32),
        point: SummaryDataPoint,
    ) {
        if let Some(Data::Summary(summary)) = &mut self.metric(index, family, at).data {
            summary.data_points.push(point);
        }
    }

    /// A gauge's point.
    pub(super) fn push_value(
        &mut self,
        index: u32,
        family: &Family,
        place: Place,
        value: f64,
        time: Timestamp,
    ) {
        let point = NumberDataPoint {
            attributes: place.attributes,
            time_unix_nano: time.as_nanos(),
            value: Some(number_data_point::Value::AsDouble(value)),
            ..NumberDataPoint::default()
        };
        self.push_number(index, family, (place.resource, place.scope), point);
    }

    /// The mark that a series has vanished.
    pub(super) fn push_stale(&mut self, index: u32, family: &Family, place: Place, time: Timestamp) {
        let (at, attributes) = ((place.resource, place.scope), place.attributes);
        let (time_unix_nano, flags) = (time.as_nanos(), NO_RECORDED_VALUE);
        match family.shape {
            Shape::Gauge | Shape::Sum { .. } => {
                let point = NumberDataPoint { attributes, time_unix_nano, flags, ..Default::default() };
                self.push_number(index, family, at, point);
            }
            Shape::Histogram => {
                let point = HistogramDataPoint { attributes, time_unix_nano, flags, ..Default::default() };
                self.push_histogram(index, family, at, point);
            }
            Shape::Summary => {
                let point = SummaryDataPoint { attributes, time_unix_nano, flags, ..Default::default() };
                self.push_summary(index, family, at, point);
            }
        }
    }

    pub(super) fn finish(self) -> MetricsData {
        let Self { scheme, resources, scopes, .. } = self;
        let resource_metrics = resources
            .into_iter()
            .filter(|draft| !draft.scopes.is_empty())
            .map(|draft| ResourceMetrics {
                resource: Some(Resource { attributes: draft.attributes(scheme), ..Resource::default() }),
                scope_metrics: draft
                    .scopes
                    .into_iter()
                    .map(|(scope, metrics)| scopes[scope as usize].with(metrics))
                    .collect(),
                schema_url: String::new(),
            })
            .collect();
        MetricsData { resource_metrics }
    }
}

impl ResourceDraft {
    fn attributes(&self, scheme: Scheme) -> Vec<KeyValue> {
        let (host, port) = self.instance.rsplit_once(':').unwrap_or((&self.instance, ""));
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let own = [
            ("service.name", &*self.job),
            ("service.instance.id", &self.instance),
            ("server.address", host),
            ("server.port", port),
            ("url.scheme", scheme.name()),
        ];
        let own = own.into_iter().filter(|(_, value)| !value.is_empty());
        let mut attributes: Vec<_> = own.map(|(key, value)| text(key, value)).collect();
        for info in &self.info {
            if attributes.iter().all(|known| known.key != info.key) {
                attributes.push(info.clone());
            }
        }
        attributes
    }
}

impl ScopeDraft {
    fn with(&self, metrics: Vec<Metric>) -> ScopeMetrics {
        let scope = InstrumentationScope {
            name: self.name.clone(),
            version: self.version.clone(),
            attributes: self.attributes.iter().chain(&self.info).cloned().collect(),
            ..InstrumentationScope::default()
        };
        ScopeMetrics { scope: Some(scope), metrics, schema_url: self.schema_url.clone() }
    }
}

fn empty_metric(family: &Family) -> Metric {
    let aggregation_temporality = AggregationTemporality::Cumulative as i32;
    let data = match family.shape {
        Shape::Gauge => Data::Gauge(Gauge::default()),
        Shape::Sum { monotonic } => {
            Data::Sum(Sum { data_points: Vec::new(), aggregation_temporality, is_monotonic: monotonic })
        }
        Shape::Histogram => Data::Histogram(Histogram { data_points: Vec::new(), aggregation_temporality }),
        Shape::Summary => Data::Summary(Summary::default()),
    };
    Metric {
        name: family.name.clone(),
        description: family.description.clone(),
        unit: family.unit.clone(),
        metadata: vec![text("prometheus.type", type_name(family.kind))],
        data: Some(data),
    }
}

const fn type_name(kind: MetricType) -> &'static str {
    match kind {
        MetricType::Counter => "counter",
        MetricType::Gauge => "gauge",
        MetricType::Histogram => "histogram",
        MetricType::GaugeHistogram => "gaugehistogram",
        MetricType::Summary => "summary",
        MetricType::Info => "info",
        MetricType::StateSet => "stateset",
        MetricType::Unknown => "unknown",
    }
}
