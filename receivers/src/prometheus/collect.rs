//! One scrape's samples, brought together into OTLP points.
//!
//! In: a body, the target that served it, and what is remembered of the target. Out: [`MetricsData`] with the points,
//! the marks of vanished series, and the scrape's own series. A scrape is taken as a whole or not at all.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use pdata::Timestamp;
use pdata::proto::metrics::MetricsData;

use super::declared::{Declarations, Declared, Role, trim_suffixes};
use super::labels::{Labels, NAME};
use super::output::{Output, Place};
use super::points::Group;
use super::relabel;
use super::series::{Family, Memory, Shape, Touch, write_key};
use super::target::Target;
use super::text::{Entry, Format, MetricType, ParseError, Parser, Sample};
use super::units;

/// Why a scrape's body was refused as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ScrapeError {
    /// The text is malformed.
    #[error("malformed exposition: {0}")]
    Parse(#[from] ParseError),
    /// `sample_limit`.
    #[error("more than {limit} samples")]
    TooManySamples {
        /// The limit.
        limit: u64,
    },
    /// `label_limit`, `label_name_length_limit` or `label_value_length_limit`.
    #[error("line {line}: {what} exceeds the limit of {limit}")]
    Label {
        /// Counted from 1.
        line: usize,
        /// What exceeds it.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

/// How many samples a scrape had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// The target exposed.
    pub(super) scraped: u64,
    /// Were left after `metric_relabel_configs`.
    pub(super) kept: u64,
    /// Belong to series that the last scrape did not have.
    pub(super) added: u64,
    /// Could not be used: a second value for the same series, or a time before 1970.
    pub(super) unusable: u64,
}

/// Where the samples of a name belong.
#[derive(Clone)]
struct Resolved<'a> {
    name: Cow<'a, str>,
    family: Arc<Family>,
    family_index: u32,
    role: Role,
}

/// A number for every metric of a scrape.
type Families = HashMap<(String, Shape), u32, RandomState>;

/// One scrape in the making.
pub(super) struct Collect<'a> {
    target: &'a Target,
    memory: &'a mut Memory,
    declarations: Declarations<'a>,
    families: Families,
    last: Option<Resolved<'a>>,
    groups: Vec<Group>,
    key: Vec<u8>,
    last_key: Vec<u8>,
    last_slot: usize,
    output: Output,
    counts: Counts,
}

impl<'a> Collect<'a> {
    pub(super) fn new(target: &'a Target, memory: &'a mut Memory) -> Self {
        memory.begin();
        Self {
            target,
            memory,
            declarations: Declarations::default(),
            families: HashMap::default(),
            last: None,
            groups: Vec::new(),
            key: Vec::new(),
            last_key: Vec::new(),
            last_slot: usize::MAX,
            output: Output::new(target.scheme, Arc::clone(&target.job.external)),
            counts: Counts::default(),
        }
    }

    /// Takes a body. After an error only [`Collect::fail`] makes sense.
    pub(super) fn read(&mut self, body: &'a [u8], format: Format) -> Result<(), ScrapeError> {
        let mut parser = Parser::new(body, format)?;
        let mut labels = Labels::default();
        while let Some(entry) = parser.read(labels.parser_buffer())? {
            match entry {
                Entry::Sample(sample) => {
                    labels.drop_empty();
                    self.sample(sample, &mut labels, parser.line())?;
                }
                Entry::Type { name, kind } => self.declare(name).kind = kind,
                Entry::Help { name, text } => self.declare(name).help = text,
                Entry::Unit { name, unit } => self.declare(name).unit = unit,
            }
        }
        Ok(())
    }

    pub(super) const fn counts(&self) -> Counts {
        self.counts
    }

    fn declare(&mut self, name: Cow<'a, str>) -> &mut Declared<'a> {
        // The same name may mean something else from here on.
        self.last = None;
        self.declarations.of(name)
    }

    fn sample(
        &mut self,
        mut sample: Sample<'a>,
        labels: &mut Labels<'a>,
        line: usize,
    ) -> Result<(), ScrapeError> {
        self.counts.scraped += 1;
        self.target.add_labels(labels);
        let rules = &self.target.job.metric_rules;
        let mut renamed = None;
        if !rules.is_empty() {
            labels.set(NAME, sample.name.clone());
            if !relabel::apply(rules, labels) {
                return Ok(());
            }
            let name = labels.take(NAME).unwrap_or_default();
            if name.is_empty() {
                return Ok(());
            }
            renamed = (name != sample.name).then_some(name);
        }
        self.target.job.limits.check(labels, line)?;
        self.counts.kept += 1;
        let limit = self.target.job.config.sample_limit;
        if limit > 0 && self.counts.kept > limit {
            return Err(ScrapeError::TooManySamples { limit });
        }
        if !self.target.job.config.honor_timestamps {
            sample.timestamp = None;
        }
        if sample.timestamp.is_some_and(|time| time <= 0) {
            self.counts.unusable += 1;
            return Ok(());
        }
        let resolved = self.resolve(&sample.name, renamed.as_deref());
        match resolved.family.name.as_str() {
            "target_info" => self.output.target_info(labels),
            "otel_scope_info" => self.output.scope_info(labels),
            _ => self.put(&resolved, sample, labels),
        }
        Ok(())
    }

    /// Puts a sample into its point.
    fn put(&mut self, resolved: &Resolved<'a>, sample: Sample<'a>, labels: &mut Labels<'a>) {
        let own_label = resolved.role.own_label(resolved.family.shape);
        let at = match own_label {
            "" => f64::NAN,
            label => labels.get(label).parse().unwrap_or(f64::NAN),
        };
        write_key(&mut self.key, &resolved.family.name, labels, own_label);
        if self.key != self.last_key || self.last_slot == usize::MAX {
            // A scrape has fewer points than bytes, and bodies are bounded.
            let next = self.groups.len() as u32;
            let (id, touch) = self.memory.touch(&self.key, &resolved.family, next);
            if touch == Touch::Again {
                self.last_slot = self.memory.get(id).slot as usize;
            } else {
                let place = self.output.place(labels, own_label);
                self.groups.push(Group::new(id, resolved.family_index, place, touch == Touch::New));
                self.last_slot = next as usize;
            }
            std::mem::swap(&mut self.key, &mut self.last_key);
        }
        let group = &mut self.groups[self.last_slot];
        self.counts.added += u64::from(group.is_new);
        if !group.add(resolved.role, at, sample) {
            self.counts.unusable += 1;
        }
    }

    /// Where a sample's name belongs. A name that `metric_relabel_configs` changed keeps the type of the old one.
    fn resolve(&mut self, name: &Cow<'a, str>, renamed: Option<&str>) -> Resolved<'a> {
        if renamed.is_none()
            && let Some(last) = &self.last
            && last.name == *name
        {
            return last.clone();
        }
        let (base, suffix, role) = self.declarations.find(name);
        let declared = self.declarations.get(base).cloned().unwrap_or_default();
        let mut shape = Shape::of(declared.kind);
        let mut role = role;
        let target_name = renamed.unwrap_or(name);
        let mut family_name = target_name;
        if matches!(shape, Shape::Histogram | Shape::Summary) {
            match target_name.strip_suffix(suffix) {
                Some(stripped) if !stripped.is_empty() => family_name = stripped,
                _ => (shape, role) = (Shape::Gauge, Role::Value),
            }
        } else if role == Role::Created {
            // Counters of OpenMetrics: the point that it belongs to ends with `_total`.
            let stripped = target_name.strip_suffix("_created").unwrap_or(target_name);
            let total = format!("{stripped}_total");
            return self.resolved(name, renamed.is_some(), &total, &declared, shape, role);
        }
        let family_name = family_name.to_owned();
        self.resolved(name, renamed.is_some(), &family_name, &declared, shape, role)
    }

    fn resolved(
        &mut self,
        name: &Cow<'a, str>,
        is_renamed: bool,
        family_name: &str,
        declared: &Declared<'a>,
        shape: Shape,
        role: Role,
    ) -> Resolved<'a> {
        let name_out = if self.target.job.trim_suffixes {
            trim_suffixes(family_name, shape, declared.unit)
        } else {
            family_name
        };
        let family = self.memory.family(Family {
            name: name_out.to_owned(),
            description: declared.help.clone().into_owned(),
            unit: units::to_ucum(declared.unit).to_owned(),
            kind: declared.kind,
            shape,
        });
        let next = self.families.len() as u32;
        let family_index = *self.families.entry((family.name.clone(), shape)).or_insert(next);
        let resolved = Resolved { name: name.clone(), family, family_index, role };
        if !is_renamed {
            self.last = Some(resolved.clone());
        }
        resolved
    }

    /// Ends a scrape that succeeded. `report` makes the scrape's own series.
    pub(super) fn finish(
        mut self,
        time: Timestamp,
        report: impl FnOnce(Counts) -> Vec<Report>,
    ) -> (MetricsData, Counts) {
        let track_timestamps = self.target.job.config.track_timestamps_staleness;
        for group in std::mem::take(&mut self.groups) {
            if !group.emit(self.memory, &mut self.output, time, track_timestamps) {
                self.counts.unusable += 1;
            }
        }
        let (output, families) = (&mut self.output, &mut self.families);
        self.memory.end(|family, labels| stale(output, families, family, &labels, time));
        let counts = self.counts;
        (self.end(time, &report(counts)), counts)
    }

    /// Ends a scrape that failed: what was collected is forgotten, and every series is marked as vanished.
    pub(super) fn fail(mut self, time: Timestamp, report: &[Report]) -> MetricsData {
        self.output = Output::new(self.target.scheme, Arc::clone(&self.target.job.external));
        let (output, families) = (&mut self.output, &mut self.families);
        self.memory.fail(|family, labels| stale(output, families, family, &labels, time));
        self.end(time, report)
    }

    fn end(mut self, time: Timestamp, report: &[Report]) -> MetricsData {
        let mut labels = Labels::default();
        self.target.add_labels(&mut labels);
        for (i, row) in report.iter().enumerate() {
            let place = self.output.place(&labels, "");
            let family = row.family();
            let index = u32::MAX - i as u32;
            self.output.push_value(index, &family, place, row.value, time);
        }
        self.output.finish()
    }
}

fn stale(
    output: &mut Output,
    families: &mut Families,
    family: &Family,
    labels: &Labels<'_>,
    time: Timestamp,
) {
    let next = families.len() as u32;
    let index = *families.entry((family.name.clone(), family.shape)).or_insert(next);
    let place: Place = output.place(labels, "");
    output.push_stale(index, family, place, time);
}

/// One of the scrape's own series, such as `up`.
pub(super) struct Report {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) unit: &'static str,
    pub(super) value: f64,
}

impl Report {
    fn family(&self) -> Family {
        Family {
            name: self.name.to_owned(),
            description: self.description.to_owned(),
            unit: self.unit.to_owned(),
            kind: MetricType::Gauge,
            shape: Shape::Gauge,
        }
    }
}
