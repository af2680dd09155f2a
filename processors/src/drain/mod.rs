#![doc = include_str!("README.md")]

mod change;
mod config;
mod held;
mod keys;
#[cfg(test)]
mod line_tests;
mod lines;
mod merges;
mod message;
mod rules;
mod stream;
mod telemetry;
#[cfg(test)]
mod tests;
mod unfinished;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use analysis::logs::attributes::TEMPLATE_ID;
use analysis::logs::mask::Masker;
use analysis::logs::{Miner, TemplateId};
use component::{
    Ack, Affinity, BuildError, Clock, ConfigSpec, Context, Key, Output, ProcessError, Processor,
    ProcessorFactory, Stability,
};
use foldhash::fast::FixedState;
use pdata::proto::common::KeyValue;
use pdata::view::{AnyValueView, Attributes, LogRecordView};
use pdata::{Batch, EncodedAttributes, Logs, RecordEdit, Signal, SignalSet, Timestamp};
use regex::Regex;

use self::change::{Body, Change};
pub use self::config::{Config, Join, MaskingRule};
use self::held::{Held, Patience, Waiting};
use self::rules::{parameters, with_rules};
use self::stream::{Earlier, Reading, Record, Role, Streams};
use self::telemetry::Counters;
use self::unfinished::{Store, Unfinished};

/// The shortest and the longest time between two looks at what is held back.
const TICKS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// Builds `drain` processors.
pub const FACTORY: ProcessorFactory = ProcessorFactory {
    type_name: "drain",
    aliases: &[],
    stability: Stability::Alpha,
    signals: SignalSet::of(&[Signal::Logs]),
    affinity: Affinity::ByKey(Key::Service),
    config: ConfigSpec::of::<Config>(),
    create: |section, context| {
        let config: Config = section.parse()?;
        let rules = config
            .rules()
            .map_err(|invalid| BuildError::Config(section.error(&invalid.field, invalid.message)))?;
        Ok(Box::new(Drain::new(config, rules, context)))
    },
};

/// What records of each template get while no line is learned.
type Annotations = HashMap<TemplateId, EncodedAttributes, FixedState>;

struct Drain {
    clock: Clock,
    masker: Masker,
    clean: message::Clean,
    miner: Miner,
    streams: Streams,
    unfinished: Store,
    waiting: Waiting,
    is_warm: bool,
    n_held: usize,
    /// By how many bytes a record grows, about.
    growth: f32,
    rules: Vec<(String, Regex)>,
    counters: Counters,
    config: Config,
}

impl Processor for Drain {
    fn process(&mut self, batch: Batch, output: &mut Output) -> Result<(), ProcessError> {
        let Batch::Logs(logs) = batch else {
            output.emit(batch);
            return Ok(());
        };
        let now = self.clock.now();
        self.finish(|streams, stream| streams.is_due(stream, now), now, output);
        let taken = if self.unfinished.is_empty() {
            Vec::new()
        } else {
            let keys = Streams::keys(&logs);
            self.unfinished.take(|stream| keys.contains(&stream))
        };
        self.take_in(logs, taken, now, output);
        self.publish_merges(now, output);
        self.counters.report(&self.miner, self.n_held);
        Ok(())
    }

    fn tick(&mut self, now: Timestamp, output: &mut Output) {
        self.finish(|streams, stream| streams.is_due(stream, now), now, output);
        self.release_due(now, output);
        self.counters.report(&self.miner, self.n_held);
    }

    fn tick_interval(&self) -> Duration {
        let (least, most) = TICKS;
        self.config.join.limits().map_or(most, |limits| (limits.wait / 4).clamp(least, most))
    }

    fn flush(&mut self, now: Timestamp, output: &mut Output) {
        self.finish(|_, _| true, now, output);
        let held = self.waiting.all();
        self.release(held, output);
        self.publish_merges(now, output);
        self.counters.report(&self.miner, self.n_held);
    }

    fn snapshot(&self) -> Option<Vec<u8>> {
        self.miner
            .snapshot()
            .inspect_err(|error| tracing::error!(%error, "cannot save what was learned"))
            .ok()
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), ProcessError> {
        self.miner.restore(snapshot).map_err(|error| ProcessError::Permanent(error.to_string()))?;
        self.is_warm = self.is_warm || self.miner.len() >= self.config.warmup_min_clusters;
        Ok(())
    }
}

impl Drain {
    fn new(config: Config, rules: Vec<(String, Regex)>, context: &Context) -> Self {
        // Nothing that is seen from outside depends on the seed. A replay has always the same.
        let is_replay = context.clock.is_manual();
        let seed = if is_replay { 0 } else { RandomState::new().hash_one(&context.key) };
        let patience = Patience {
            records: if is_replay && config.hold_records > 0 { usize::MAX } else { config.hold_records },
            time: if is_replay { config.replay_hold_time.get() } else { config.hold_time.get() },
            bytes: config.max_held_bytes.as_usize(),
        };
        let mut drain = Self {
            clock: context.clock.clone(),
            masker: Masker::new(config.mask()),
            clean: message::Clean::default(),
            miner: Miner::new(config.miner(context.shards, seed)),
            streams: Streams::new(config.join.limits()),
            unfinished: Store::default(),
            waiting: Waiting::new(patience),
            is_warm: config.warmup_min_clusters == 0,
            n_held: 0,
            growth: 0.0,
            rules,
            counters: Counters::new(context),
            config,
        };
        drain.seed();
        drain
    }

    fn seed(&mut self) {
        for template in self.config.seed_templates.iter().filter(|text| !text.trim().is_empty()) {
            self.miner.seed_template(template);
        }
        for line in self.config.seed_logs.iter().filter(|text| !text.trim().is_empty()) {
            let line = with_rules(line, &self.rules, &mut |_, _| {});
            self.miner.seed_line(&self.masker.mask(&line));
        }
        self.miner.take_merges();
    }

    /// The services of the batch if one of them is new.
    fn new_services(&mut self, logs: &Logs, now: Timestamp) -> Vec<Box<str>> {
        if !self.waiting.is_wanted() {
            return Vec::new();
        }
        let mut is_any_new = false;
        let mut services: Vec<Box<str>> = Vec::new();
        for group in logs.view().resources() {
            let service = group.resource().service_name();
            let records = || group.scopes().map(|scope| scope.records().count()).sum();
            is_any_new |= self.waiting.is_new(service, records, now);
            services.push(service.into());
        }
        if is_any_new { services } else { Vec::new() }
    }

    /// Lets go of records that no more lines will come for.
    fn finish(&mut self, is_wanted: impl Fn(&Streams, u64) -> bool, now: Timestamp, output: &mut Output) {
        let streams = &self.streams;
        for Unfinished { earlier, logs, ack } in self.unfinished.take(|stream| is_wanted(streams, stream)) {
            let reading = self.read(&logs, &[earlier], false, now);
            let changes = self.learn(&logs, &reading);
            drop(reading);
            self.pass_on(logs, changes, Some(ack), now, output);
        }
    }

    /// Takes in a batch, behind those records of `taken` that its lines may belong to.
    fn take_in(&mut self, logs: Logs, taken: Vec<Unfinished>, now: Timestamp, output: &mut Output) {
        let earlier: Vec<Earlier> = taken.iter().map(|unfinished| unfinished.earlier).collect();
        let logs = match taken.is_empty() {
            true => logs,
            false => pdata::merge(taken.iter().map(|unfinished| unfinished.logs.clone()).chain([logs])),
        };
        let has_room = self.unfinished.has_room(logs.encoded_len(), self.config.max_held_bytes.as_usize());
        let reading = self.read(&logs, &earlier, has_room, now);
        let changes = self.learn(&logs, &reading);
        if taken.is_empty() && !reading.holds_any() {
            drop(reading);
            return self.pass_on(logs, changes, None, now, output);
        }
        let (rest, ack) = self.unfinished.split(&logs, &reading, taken, output.hold());
        if rest.items() == 0 {
            // The records that are held back have the duty now.
            return ack.done();
        }
        self.pass_on(rest, changes, Some(ack), now, output);
    }

    fn read<'a>(
        &mut self,
        logs: &'a Logs,
        earlier: &[Earlier],
        may_go_on: bool,
        now: Timestamp,
    ) -> Reading<'a> {
        if self.config.parse || self.config.join.enabled {
            self.streams.read(logs, earlier, may_go_on, now)
        } else {
            Reading::default()
        }
    }

    /// Hands a batch on or holds it back, whoever is to be answered for it: `None` is the sender of the batch that is being
    /// processed.
    fn pass_on(
        &mut self,
        logs: Logs,
        changes: Vec<Change>,
        ack: Option<Ack>,
        now: Timestamp,
        output: &mut Output,
    ) {
        let services = self.new_services(&logs, now);
        if !services.is_empty() {
            let ack = ack.unwrap_or_else(|| output.hold());
            self.waiting.push(logs, ack, changes, services);
            self.n_held += 1;
            return self.release_due(now, output);
        }
        // What came earlier goes first.
        self.release_due(now, output);
        let logs = self.changed(&logs, &changes);
        match ack {
            Some(ack) => output.emit_held(logs, ack),
            None => output.emit(logs),
        }
    }

    /// Learns from every record that is not held back. Returns what is to change about each.
    fn learn(&mut self, logs: &Logs, reading: &Reading<'_>) -> Vec<Change> {
        let mut changes = Vec::with_capacity(logs.items());
        let mut done = Vec::new();
        let mut learn = |role, record: Option<LogRecordView<'_>>| {
            if reading.is_held(role) {
                return;
            }
            changes.push(match (role, reading.record(role), record) {
                (Role::Head(_), Some(lines), _) => self.record_of_lines(lines, &mut done),
                (Role::Whole, _, Some(record)) => self.record(record, &mut done),
                _ => Change { is_removed: true, ..Change::default() },
            });
            done.drain(..).for_each(|kind| self.counters.redacted(kind));
        };
        if let Some(roles) = reading.lines(logs.items()) {
            roles.iter().for_each(|role| learn(*role, None));
        } else {
            // Faster than a loop, which moves every record twice.
            let records = logs.view().items().enumerate();
            records.for_each(|(at, (_, _, record))| learn(reading.role(at), Some(record)));
        }
        let n_parsed = changes.iter().filter(|change| change.news.is_some()).count();
        self.counters.parsed.add(n_parsed as u64);
        changes
    }

    fn record_of_lines(&mut self, lines: &Record<'_>, done: &mut message::Redacted) -> Change {
        let attributes = self.redacted_attributes(lines.known.attributes, done);
        let mut change = Change { attributes, ..Change::default() };
        self.lines(lines, done, &mut change);
        change
    }

    fn redacted_attributes(
        &mut self,
        attributes: Attributes<'_>,
        done: &mut message::Redacted,
    ) -> Vec<KeyValue> {
        let Self { masker, clean, config, .. } = self;
        if !config.redact {
            return Vec::new();
        }
        message::redacted_attributes(attributes, masker, clean, done)
    }

    fn record(&mut self, record: LogRecordView<'_>, done: &mut message::Redacted) -> Change {
        let attributes = self.redacted_attributes(record.attributes(), done);
        let mut change = Change { attributes, ..Change::default() };
        let body = record.body();
        if let Some(text) = message::message(body, &self.config.body_field)
            && !text.trim().is_empty()
        {
            let text = self.line(&text, done, &mut change);
            if self.config.redact {
                change.body = match body {
                    AnyValueView::Str(_) => text.map(Body::Text),
                    body => message::redacted(body, &mut self.masker, done).map(Body::Value),
                };
            }
        }
        change
    }

    /// Learns from a message, and notes its template and its parameters. Returns it without its secrets if there were any, of
    /// which `done` gets the kinds. This is the one way into the miner.
    fn line(&mut self, text: &str, done: &mut message::Redacted, change: &mut Change) -> Option<String> {
        let Self { masker, miner, config, rules, .. } = self;
        let masked = masker.mask(text);
        done.extend(masked.redactions.iter().map(|redaction| redaction.name));
        let redacted = (!masked.redactions.is_empty()).then(|| masked.text.to_owned());
        if rules.is_empty() {
            change.template = Some(miner.learn(&masked).clone());
            parameters(config, miner, &masked, change);
            return redacted;
        }
        let prefix = &config.parameter_key_prefix;
        let text = redacted.as_deref().unwrap_or(text);
        let text = with_rules(text, rules, &mut |name, value| change.add(&format!("{prefix}.{name}"), value));
        let masked = masker.mask(&text);
        change.template = Some(miner.learn(&masked).clone());
        parameters(config, miner, &masked, change);
        redacted
    }

    /// The batch with its records changed and their templates as they are known now.
    fn changed(&mut self, logs: &Logs, changes: &[Change]) -> Logs {
        self.is_warm = self.is_warm || self.miner.len() >= self.config.warmup_min_clusters;
        let mut n_annotated = 0;
        let mut next = changes.iter();
        let growth = (self.growth * logs.items() as f32) as usize;
        let before = logs.encoded_len();
        let mut known = Annotations::default();
        let logs = logs.edit_unread(growth, |edit| {
            let Some(change) = next.next() else { return };
            n_annotated += u64::from(self.annotate(change, &mut known, edit));
        });
        // A little more than the last batch needed.
        self.growth = 1.05 * logs.encoded_len().saturating_sub(before) as f32 / changes.len().max(1) as f32;
        self.counters.annotated.add(n_annotated);
        let n_left = changes.iter().filter(|change| !change.is_removed).count() as u64;
        self.counters.unannotated.add(n_left - n_annotated);
        logs
    }

    /// Returns whether the record got a template.
    fn annotate(&self, change: &Change, known: &mut Annotations, edit: &mut RecordEdit) -> bool {
        if change.is_removed {
            edit.remove();
            return false;
        }
        if let Some(news) = &change.news {
            news.write(edit);
        }
        for attribute in &change.attributes {
            if let Some(value) = &attribute.value {
                edit.set_attribute(&attribute.key, value);
            }
        }
        match &change.body {
            Some(Body::Text(text)) => edit.set_body_text(text),
            Some(Body::Value(value)) => edit.set_body(value),
            None => {}
        }
        let Some(template) = change.template.as_ref().filter(|_| self.is_warm) else { return false };
        edit.set_encoded(known.entry(template.id()).or_insert_with(|| {
            let template = self.miner.resolve(template.id()).unwrap_or(template);
            let text = if self.config.typed_masks { template.text() } else { template.canonical() };
            EncodedAttributes::default()
                .with_text(&self.config.template_attribute, text)
                .with_text(TEMPLATE_ID, &template.id().text())
        }));
        true
    }

    fn release_due(&mut self, now: Timestamp, output: &mut Output) {
        let due = self.waiting.due(now);
        self.release(due, output);
    }

    fn release(&mut self, held: Vec<Held>, output: &mut Output) {
        for Held { logs, ack, changes, .. } in held {
            self.n_held = self.n_held.saturating_sub(1);
            let logs = self.changed(&logs, &changes);
            output.emit_held(logs, ack);
        }
    }
}
