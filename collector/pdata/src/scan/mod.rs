//! Checking and counting encoded OTLP without building structs.
//!
//! In: bytes from anywhere. Out: how many items they hold, or what is wrong and where. One pass, no allocation, and it
//! accepts exactly what prost accepts, save for values that nest deeper than anyone's telemetry does.

#[cfg(test)]
mod tests;

use crate::proto::{
    logs::LogsData,
    metrics::{MetricsData, metric::Data},
    trace::TracesData,
};
use crate::reshape::{self, Level};
use crate::schema::{self, Kind, Schema};
use crate::wire::{self, MAX_DEPTH};
use crate::{DecodeError, Payload, Signal, event, view};

/// What a scan found out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// Spans, data points or log records.
    pub items: usize,
    /// Whether some log record's event name begins with `watchfire.`.
    pub holds_events: bool,
    /// Whether some message that should occur at most once occurs again, so that the occurrences must be merged.
    pub needs_merging: bool,
}

/// Scans `bytes` as the message that `schema` describes.
fn scan(signal: Signal, schema: &'static Schema, bytes: &[u8]) -> Result<Scan, DecodeError> {
    let mut scanner = Scanner { found: Scan::default(), reason: "", unread: 0 };
    match scanner.message(schema, bytes, 0) {
        Ok(()) => Ok(scanner.found),
        Err(Fault) => Err(DecodeError::Malformed {
            signal,
            reason: scanner.reason,
            offset: scanner.unread.saturating_sub(bytes.as_ptr().addr()),
        }),
    }
}

/// That the scan stopped; the scanner knows why.
struct Fault;

struct Scanner {
    found: Scan,
    reason: &'static str,
    /// The address of the first byte that was not accepted.
    unread: usize,
}

impl Scanner {
    fn message(&mut self, schema: &'static Schema, bytes: &[u8], depth: u32) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return Err(self.fault("values nest too deeply", bytes));
        }
        self.found.items += schema.items;
        let mut rest = bytes;
        let mut seen = 0_u32;
        while !rest.is_empty() {
            let field = rest;
            let Some((tag, wire_type)) = wire::key(&mut rest) else {
                return Err(self.fault("not a field", field));
            };
            match (schema.kind(tag), wire_type) {
                (Kind::Many(inner), 2) => {
                    let inner_bytes = self.delimited(&mut rest)?;
                    if std::ptr::eq(inner, &raw const schema::KEY_VALUE) && is_plain_attribute(inner_bytes) {
                        continue;
                    }
                    self.message(inner, inner_bytes, depth + 1)?;
                }
                (Kind::One(inner), 2) => {
                    // Alternatives share a bit: the later one replaces the earlier, items and all.
                    let bit = schema.bit(tag);
                    self.found.needs_merging |= seen & bit != 0;
                    seen |= bit;
                    let inner_bytes = self.delimited(&mut rest)?;
                    if std::ptr::eq(inner, &raw const schema::ANY_VALUE) && is_plain_value(inner_bytes) {
                        continue;
                    }
                    self.message(inner, inner_bytes, depth + 1)?;
                }
                (kind, wire_type) => self.scalar(kind, tag, wire_type, &mut rest, depth)?,
            }
        }
        Ok(())
    }

    #[inline]
    fn scalar(
        &mut self,
        kind: Kind,
        tag: u32,
        wire_type: u8,
        rest: &mut &[u8],
        depth: u32,
    ) -> Result<(), Fault> {
        let start = *rest;
        let good = match (kind, wire_type) {
            (Kind::Text | Kind::EventName | Kind::Texts, 2) => {
                let text = self.delimited(rest)?;
                if matches!(kind, Kind::EventName) && text.starts_with(event::NAME_PREFIX.as_bytes()) {
                    self.found.holds_events = true;
                }
                if !is_utf8(text) {
                    return Err(self.fault("text is not UTF-8", start));
                }
                true
            }
            (Kind::Varint | Kind::Varints, 0) => wire::varint(rest).is_some(),
            (Kind::Fixed64 | Kind::Fixed64s, 1) => wire::array::<8>(rest).is_some(),
            (Kind::Fixed32, 5) => wire::array::<4>(rest).is_some(),
            (Kind::Bytes, 2) => wire::delimited(rest).is_some(),
            (Kind::Fixed64s, 2) => self.delimited(rest)?.len().is_multiple_of(8),
            (Kind::Varints, 2) => {
                let mut packed = self.delimited(rest)?;
                while !packed.is_empty() && wire::varint(&mut packed).is_some() {}
                packed.is_empty()
            }
            (Kind::Unknown, _) => wire::value(rest, tag, wire_type, depth).is_some(),
            _ => return Err(self.fault("field of a wrong type", start)),
        };
        if good { Ok(()) } else { Err(self.fault("broken value", start)) }
    }

    #[inline]
    fn delimited<'a>(&mut self, rest: &mut &'a [u8]) -> Result<&'a [u8], Fault> {
        let start = *rest;
        match wire::delimited(rest) {
            Some(bytes) => Ok(bytes),
            None => Err(self.fault("longer than what holds it", start)),
        }
    }

    #[cold]
    fn fault(&mut self, reason: &'static str, unread: &[u8]) -> Fault {
        self.reason = reason;
        self.unread = unread.as_ptr().addr();
        Fault
    }
}

/// Whether an encoded `KeyValue` is a short key with a plain value, as nearly all are, and valid: the way past the
/// tables for most of the bytes of most batches. Any other valid form is not "plain" and takes the tables.
#[inline]
fn is_plain_attribute(bytes: &[u8]) -> bool {
    let [0x0a, key_len @ 0..0x80, rest @ ..] = bytes else { return false };
    let Some((key, rest)) = rest.split_at_checked(usize::from(*key_len)) else { return false };
    let [0x12, value_len @ 0..0x80, value @ ..] = rest else { return false };
    usize::from(*value_len) == value.len() && is_plain_value(value) && is_utf8(key)
}

/// Whether an encoded `AnyValue` is a short text, a truth value or a number, and valid.
#[inline]
fn is_plain_value(bytes: &[u8]) -> bool {
    match bytes {
        [0x0a, len @ 0..0x80, text @ ..] => usize::from(*len) == text.len() && is_utf8(text),
        [0x10 | 0x18, rest @ ..] => {
            let mut rest = rest;
            wire::varint(&mut rest).is_some() && rest.is_empty()
        }
        [0x21, double @ ..] => double.len() == 8,
        _ => false,
    }
}

#[inline]
fn is_utf8(bytes: &[u8]) -> bool {
    bytes.is_ascii() || simdutf8::basic::from_utf8(bytes).is_ok()
}

impl Payload for TracesData {
    type Item<'a> = view::SpanView<'a>;

    const SIGNAL: Signal = Signal::Traces;
    const LEVELS: &'static [Level] = reshape::RECORDS;
    const TRACE_ID: u32 = 1;

    fn scan(bytes: &[u8]) -> Result<Scan, DecodeError> {
        scan(Self::SIGNAL, &schema::TRACES, bytes)
    }

    fn count(&self) -> usize {
        self.resource_spans
            .iter()
            .flat_map(|resource| &resource.scope_spans)
            .map(|scope| scope.spans.len())
            .sum()
    }
}

impl Payload for LogsData {
    type Item<'a> = view::LogRecordView<'a>;

    const SIGNAL: Signal = Signal::Logs;
    const LEVELS: &'static [Level] = reshape::RECORDS;
    const TRACE_ID: u32 = 9;

    fn scan(bytes: &[u8]) -> Result<Scan, DecodeError> {
        scan(Self::SIGNAL, &schema::LOGS, bytes)
    }

    fn count(&self) -> usize {
        self.resource_logs
            .iter()
            .flat_map(|resource| &resource.scope_logs)
            .map(|scope| scope.log_records.len())
            .sum()
    }

    fn holds_events(&self) -> bool {
        self.resource_logs
            .iter()
            .flat_map(|resource| &resource.scope_logs)
            .flat_map(|scope| &scope.log_records)
            .any(|record| record.event_name.starts_with(event::NAME_PREFIX))
    }
}

impl Payload for MetricsData {
    type Item<'a> = view::MetricView<'a>;

    const SIGNAL: Signal = Signal::Metrics;
    const LEVELS: &'static [Level] = reshape::POINTS;
    const TRACE_ID: u32 = 0;

    fn scan(bytes: &[u8]) -> Result<Scan, DecodeError> {
        scan(Self::SIGNAL, &schema::METRICS, bytes)
    }

    fn count(&self) -> usize {
        let metrics = self.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
        metrics
            .flat_map(|scope| &scope.metrics)
            .map(|metric| match &metric.data {
                Some(Data::Gauge(gauge)) => gauge.data_points.len(),
                Some(Data::Sum(sum)) => sum.data_points.len(),
                Some(Data::Histogram(histogram)) => histogram.data_points.len(),
                Some(Data::ExponentialHistogram(histogram)) => histogram.data_points.len(),
                Some(Data::Summary(summary)) => summary.data_points.len(),
                None => 0,
            })
            .sum()
    }
}
