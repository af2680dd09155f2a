//! A point in the making: the samples of one series, brought together.

use pdata::Timestamp;
use pdata::proto::metrics::{
    Exemplar, HistogramDataPoint, NumberDataPoint, SummaryDataPoint, exemplar, number_data_point,
    summary_data_point::ValueAtQuantile,
};

use super::declared::Role;
use super::output::{Output, Place};
use super::series::{Emitted, Memory, SeriesId, Shape};
use super::text::{self, Sample};
use crate::emit;

/// The samples of one series in one scrape.
pub(super) struct Group {
    id: SeriesId,
    family_index: u32,
    place: Place,
    pub(super) is_new: bool,
    timestamp: Option<i64>,
    value: Option<f64>,
    sum: Option<f64>,
    count: Option<f64>,
    /// Seconds since the epoch.
    created: Option<f64>,
    /// Upper bounds with cumulative counts, or quantiles with values.
    pairs: Vec<(f64, f64)>,
    exemplars: Vec<Exemplar>,
}

impl Group {
    pub(super) const fn new(id: SeriesId, family_index: u32, place: Place, is_new: bool) -> Self {
        Self {
            id,
            family_index,
            place,
            is_new,
            timestamp: None,
            value: None,
            sum: None,
            count: None,
            created: None,
            pairs: Vec::new(),
            exemplars: Vec::new(),
        }
    }

    /// Takes a sample; `at` is the bound or quantile that it is for. `false` if it has no place here.
    pub(super) fn add(&mut self, role: Role, at: f64, sample: Sample<'_>) -> bool {
        let single = match role {
            Role::Bucket | Role::Quantile => {
                if at.is_nan() || self.pairs.iter().rev().any(|(known, _)| *known == at) {
                    return false;
                }
                self.pairs.push((at, sample.value));
                None
            }
            Role::Value => Some(&mut self.value),
            Role::Sum => Some(&mut self.sum),
            Role::Count => Some(&mut self.count),
            Role::Created => Some(&mut self.created),
        };
        if let Some(single) = single {
            if single.is_some() {
                return false;
            }
            *single = Some(sample.value);
        }
        if role != Role::Created {
            self.timestamp = sample.timestamp.or(self.timestamp);
        }
        if let Some(example) = sample.exemplar {
            self.exemplars.push(exemplar(&example));
        }
        true
    }

    /// Puts the point out. `false` if its samples do not make one.
    pub(super) fn emit(
        mut self,
        memory: &mut Memory,
        output: &mut Output,
        scraped: Timestamp,
        track_timestamps: bool,
    ) -> bool {
        let family = std::sync::Arc::clone(&memory.get(self.id).family);
        let bucketed = self.pairs.iter().find(|(bound, _)| *bound == f64::INFINITY).map(|(_, count)| *count);
        let count = match family.shape {
            Shape::Gauge | Shape::Sum { .. } => self.value,
            Shape::Histogram => self.count.or(bucketed),
            Shape::Summary => self.count.or((!self.pairs.is_empty()).then_some(0.0)),
        };
        let Some(count) = count else { return false };
        let time = self.timestamp.and_then(|time| u64::try_from(time).ok()).unwrap_or(scraped.as_nanos());
        // Microseconds are what a number holds of today's times. `as` saturates; a time before 1970 or far in the future
        // is no start.
        let created = self.created.map(|seconds| ((seconds * 1e6).round() as u64).saturating_mul(1000));
        let created = created.filter(|start| (1..=time).contains(start));
        let tracked = track_timestamps || self.timestamp.is_none();
        let start = memory.emit(self.id, Emitted { created, count, time, tracked });
        let place = std::mem::take(&mut self.place);
        let (index, resource, scope) = (self.family_index, place.resource, place.scope);
        match family.shape {
            Shape::Gauge | Shape::Sum { .. } => {
                let point = NumberDataPoint {
                    attributes: place.attributes,
                    start_time_unix_nano: start,
                    time_unix_nano: time,
                    exemplars: self.exemplars,
                    value: Some(number_data_point::Value::AsDouble(count)),
                    flags: 0,
                };
                output.push_number(index, &family, (resource, scope), point);
            }
            Shape::Histogram => {
                let point = self.histogram(place, count, start, time);
                output.push_histogram(index, &family, (resource, scope), point);
            }
            Shape::Summary => {
                let point = self.summary(place, count, start, time);
                output.push_summary(index, &family, (resource, scope), point);
            }
        }
        true
    }

    fn histogram(mut self, place: Place, count: f64, start: u64, time: u64) -> HistogramDataPoint {
        self.pairs.retain(|(bound, _)| bound.is_finite());
        self.pairs.sort_unstable_by(|(a, _), (b, _)| a.total_cmp(b));
        let mut below = 0u64;
        let mut bucket_counts = Vec::with_capacity(self.pairs.len() + 1);
        for cumulative in self.pairs.iter().map(|(_, count)| *count).chain([count]) {
            // `as` saturates. Targets that count without a lock may show a bucket below the one before it.
            let cumulative = cumulative as u64;
            bucket_counts.push(cumulative.saturating_sub(below));
            below = below.max(cumulative);
        }
        HistogramDataPoint {
            attributes: place.attributes,
            start_time_unix_nano: start,
            time_unix_nano: time,
            // The parts must add up to the whole.
            count: bucket_counts.iter().fold(0, |sum, part| sum.saturating_add(*part)),
            sum: self.sum,
            bucket_counts,
            explicit_bounds: self.pairs.iter().map(|(bound, _)| *bound).collect(),
            exemplars: self.exemplars,
            flags: 0,
            min: None,
            max: None,
        }
    }

    fn summary(mut self, place: Place, count: f64, start: u64, time: u64) -> SummaryDataPoint {
        self.pairs.sort_unstable_by(|(a, _), (b, _)| a.total_cmp(b));
        SummaryDataPoint {
            attributes: place.attributes,
            start_time_unix_nano: start,
            time_unix_nano: time,
            count: count as u64,
            sum: self.sum.unwrap_or_default(),
            quantile_values: self
                .pairs
                .iter()
                .map(|(quantile, value)| ValueAtQuantile { quantile: *quantile, value: *value })
                .collect(),
            flags: 0,
        }
    }
}

/// An exemplar as it is in OTLP; `trace_id` and `span_id` go to fields of their own.
fn exemplar(example: &text::Exemplar<'_>) -> Exemplar {
    let mut result = Exemplar {
        value: Some(exemplar::Value::AsDouble(example.value)),
        time_unix_nano: example.timestamp.and_then(|time| u64::try_from(time).ok()).unwrap_or_default(),
        ..Exemplar::default()
    };
    for (name, value) in &example.labels {
        match (&**name, hex(value)) {
            ("trace_id", Some(id)) if id.len() == 16 => result.trace_id = id,
            ("span_id", Some(id)) if id.len() == 8 => result.span_id = id,
            _ => result.filtered_attributes.push(emit::text(name, value)),
        }
    }
    result
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes = text.as_bytes();
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    bytes.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}
