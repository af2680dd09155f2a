//! The text formats: classic 0.0.4 and OpenMetrics 1.0.

use pdata::Timestamp;

use super::labels::{write_escaped, write_label};
use super::number::{put, write_float, write_open_metrics};
use super::store::{Family, Kind, Series, TARGET_INFO, TargetInfo};
use super::value::{Exemplar, Histogram, Summary, Value};

/// One of the formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Classic,
    OpenMetrics,
}

impl Format {
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    const fn type_name(self, kind: Kind) -> &'static str {
        match (kind, self) {
            (Kind::Counter, _) => "counter",
            (Kind::Histogram, _) => "histogram",
            (Kind::Summary, _) => "summary",
            (Kind::Info, Self::OpenMetrics) => "info",
            (Kind::StateSet, Self::OpenMetrics) => "stateset",
            (Kind::Unknown, Self::OpenMetrics) => "unknown",
            (Kind::Unknown, Self::Classic) => "untyped",
            (Kind::Gauge | Kind::Info | Kind::StateSet, _) => "gauge",
        }
    }
}

/// An exposition in the making.
pub(super) struct Page {
    pub(super) text: String,
    format: Format,
    timestamps: bool,
}

/// The samples of one series in the making.
struct Samples<'p> {
    page: &'p mut Page,
    /// The family's name, or of counters in OpenMetrics what is before `_total`.
    name: &'p str,
    labels: &'p str,
    time: Timestamp,
}

impl Page {
    pub(super) const fn new(format: Format, timestamps: bool) -> Self {
        Self { text: String::new(), format, timestamps }
    }

    /// The whole text.
    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    pub(super) fn targets(&mut self, targets: &[&TargetInfo]) {
        if targets.is_empty() {
            return;
        }
        self.header(TARGET_INFO, Kind::Info, "Target metadata", "");
        for target in targets {
            let (labels, time) = (target.labels.as_str(), target.time);
            let mut samples = Samples { page: self, name: TARGET_INFO, labels, time };
            samples.int("", "", 1);
        }
    }

    pub(super) fn family(&mut self, family: &Family) {
        let metric = &family.metric;
        self.header(&metric.name, metric.kind, &metric.help, &metric.unit);
        let mut all: Vec<_> = family.series.iter().collect();
        all.sort_unstable_by(|a, b| a.0.cmp(b.0));
        let is_total = metric.kind == Kind::Counter && self.format == Format::OpenMetrics;
        let name = if is_total { self.base(&metric.name, metric.kind) } else { &metric.name };
        for (labels, series) in all {
            let mut samples = Samples { page: self, name, labels, time: series.time };
            samples.series(series, metric.kind);
        }
    }

    /// The name of a family. In OpenMetrics it lacks the suffix that its samples have.
    fn base<'n>(&self, name: &'n str, kind: Kind) -> &'n str {
        let suffix = match (self.format, kind) {
            (Format::OpenMetrics, Kind::Counter) => "_total",
            (Format::OpenMetrics, Kind::Info) => "_info",
            _ => return name,
        };
        name.strip_suffix(suffix).unwrap_or(name)
    }

    fn header(&mut self, name: &str, kind: Kind, help: &str, unit: &str) {
        let name = self.base(name, kind);
        put(&mut self.text, format_args!("# TYPE {name} {}\n", self.format.type_name(kind)));
        let has_unit = name.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_'));
        if self.format == Format::OpenMetrics && !unit.is_empty() && has_unit {
            put(&mut self.text, format_args!("# UNIT {name} {unit}\n"));
        }
        if !help.is_empty() {
            put(&mut self.text, format_args!("# HELP {name} "));
            write_escaped(&mut self.text, help, self.format == Format::OpenMetrics);
            self.text.push('\n');
        }
    }

    fn float(&mut self, number: f64) {
        match self.format {
            Format::Classic => write_float(&mut self.text, number),
            Format::OpenMetrics => write_open_metrics(&mut self.text, number),
        }
    }

    /// In OpenMetrics seconds, to the nanosecond.
    fn seconds(&mut self, time: Timestamp) {
        let (seconds, nanos) = (time.as_nanos() / 1_000_000_000, time.as_nanos() % 1_000_000_000);
        let fraction = format!("{nanos:09}");
        let fraction = fraction.trim_end_matches('0');
        put(&mut self.text, format_args!("{seconds}.{}", if fraction.is_empty() { "0" } else { fraction }));
    }
}

impl Samples<'_> {
    fn series(&mut self, series: &Series, kind: Kind) {
        match &series.value {
            Value::Int(_) | Value::Double(_) => self.number(series, kind),
            Value::Histogram(histogram) => self.histogram(histogram, &series.exemplars),
            Value::Summary(summary) => self.summary(summary),
        }
        let counts = matches!(kind, Kind::Counter | Kind::Histogram | Kind::Summary);
        if counts && self.page.format == Format::OpenMetrics && !series.start.is_unknown() {
            self.begin("_created", "");
            self.page.seconds(series.start);
            self.end(None);
        }
    }

    fn number(&mut self, series: &Series, kind: Kind) {
        let is_total = kind == Kind::Counter && self.page.format == Format::OpenMetrics;
        self.begin(if is_total { "_total" } else { "" }, "");
        match series.value {
            Value::Int(number) => put(&mut self.page.text, format_args!("{number}")),
            Value::Double(number) => self.page.float(number),
            Value::Histogram(_) | Value::Summary(_) => {}
        }
        self.end(series.exemplars.last().filter(|_| is_total));
    }

    fn histogram(&mut self, histogram: &Histogram, exemplars: &[Exemplar]) {
        let buckets = histogram.cumulative();
        // The last bucket holds everything, whatever the sender counted.
        let count = buckets.last().map_or(0, |(_, count)| *count).max(histogram.count);
        let mut below = f64::NEG_INFINITY;
        for (bound, cumulative) in buckets.into_iter().chain([(f64::INFINITY, count)]) {
            self.begin_own("_bucket", "le", bound);
            put(&mut self.page.text, format_args!("{cumulative}"));
            let newest = exemplars.iter().rfind(|exemplar| below < exemplar.value && exemplar.value <= bound);
            self.end(newest);
            below = bound;
        }
        if let Some(sum) = histogram.sum {
            self.begin("_sum", "");
            self.page.float(sum);
            self.end(None);
        }
        self.int("_count", "", count);
    }

    fn summary(&mut self, summary: &Summary) {
        for (quantile, value) in &summary.quantiles {
            self.begin_own("", "quantile", *quantile);
            self.page.float(*value);
            self.end(None);
        }
        self.begin("_sum", "");
        self.page.float(summary.sum);
        self.end(None);
        self.int("_count", "", summary.count);
    }

    fn int(&mut self, suffix: &str, own_label: &str, value: u64) {
        self.begin(suffix, own_label);
        put(&mut self.page.text, format_args!("{value}"));
        self.end(None);
    }

    /// Begins a sample with a label whose value is a number.
    fn begin_own(&mut self, suffix: &str, label: &str, at: f64) {
        let mut number = String::new();
        match self.page.format {
            Format::Classic => write_float(&mut number, at),
            Format::OpenMetrics => write_open_metrics(&mut number, at),
        }
        let mut own_label = String::new();
        write_label(&mut own_label, label, &number);
        self.begin(suffix, &own_label);
    }

    fn begin(&mut self, suffix: &str, own_label: &str) {
        let text = &mut self.page.text;
        text.push_str(self.name);
        text.push_str(suffix);
        if !self.labels.is_empty() || !own_label.is_empty() {
            text.push('{');
            text.push_str(self.labels);
            if !self.labels.is_empty() && !own_label.is_empty() {
                text.push(',');
            }
            text.push_str(own_label);
            text.push('}');
        }
        text.push(' ');
    }

    fn end(&mut self, exemplar: Option<&Exemplar>) {
        if self.page.timestamps && !self.time.is_unknown() {
            self.page.text.push(' ');
            match self.page.format {
                Format::Classic => {
                    put(&mut self.page.text, format_args!("{}", self.time.as_nanos() / 1_000_000));
                }
                Format::OpenMetrics => self.page.seconds(self.time),
            }
        }
        if let Some(exemplar) = exemplar.filter(|_| self.page.format == Format::OpenMetrics) {
            put(&mut self.page.text, format_args!(" # {{{}}} ", exemplar.labels));
            self.page.float(exemplar.value);
            if !exemplar.time.is_unknown() {
                self.page.text.push(' ');
                self.page.seconds(exemplar.time);
            }
        }
        self.page.text.push('\n');
    }
}
