#![doc = include_str!("README.md")]

mod change;
mod config;
mod held;
mod message;
mod telemetry;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};

use analysis::logs::Miner;
use analysis::logs::mask::{Kind, Masked, Masker};
use analysis::logs::miner::Merge;
use component::{
    Affinity, BuildError, Clock, ConfigSpec, Context, Key, Output, ProcessError, Processor, ProcessorFactory,
    Stability,
};
use pdata::proto::common::{AnyValue, ArrayValue, InstrumentationScope, any_value::Value};
use pdata::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use pdata::view::{AnyValueView, LogRecordView};
use pdata::{Batch, Logs, RecordEdit, Signal, SignalSet, Timestamp};
use regex::Regex;

use self::change::{Body, Change};
pub use self::config::{Config, MaskingRule};
use self::held::{Held, Patience, Waiting};
use self::telemetry::Counters;
use crate::values;

/// The attribute for the template.
const TEMPLATE: &str = "log.record.template";
/// The attribute for the template's id.
const TEMPLATE_ID: &str = "watchfire.log.template_id";
/// The event that says that templates turned out to be one.
const MERGED: &str = "watchfire.log.template.merged";

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

struct Drain {
    clock: Clock,
    masker: Masker,
    miner: Miner,
    waiting: Waiting,
    is_warm: bool,
    n_held: usize,
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
        let services = self.new_services(&logs, now);
        let changes = self.learn(&logs);
        if services.is_empty() {
            // What came earlier goes first.
            self.release_due(now, output);
            output.emit(self.changed(&logs, &changes));
        } else {
            self.waiting.push(logs, output.hold(), changes, services);
            self.n_held += 1;
            self.release_due(now, output);
        }
        self.publish_merges(now, output);
        self.counters.report(&self.miner, self.n_held);
        Ok(())
    }

    fn tick(&mut self, now: Timestamp, output: &mut Output) {
        self.release_due(now, output);
        self.counters.report(&self.miner, self.n_held);
    }

    fn flush(&mut self, now: Timestamp, output: &mut Output) {
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
            miner: Miner::new(config.miner(context.shards, seed)),
            waiting: Waiting::new(patience),
            is_warm: config.warmup_min_clusters == 0,
            n_held: 0,
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

    /// Learns from every record. Returns what is to change about each.
    fn learn(&mut self, logs: &Logs) -> Vec<Change> {
        let mut changes = Vec::with_capacity(logs.items());
        let mut done = Vec::new();
        for (_, _, record) in logs.view().items() {
            changes.push(self.record(record, &mut done));
            done.drain(..).for_each(|kind| self.counters.redacted(kind));
        }
        changes
    }

    fn record(&mut self, record: LogRecordView<'_>, done: &mut message::Redacted) -> Change {
        let mut change = Change::default();
        if self.config.redact {
            change.attributes = message::redacted_attributes(record.attributes(), &mut self.masker, done);
        }
        let body = record.body();
        if let Some(text) = message::message(body, &self.config.body_field)
            && !text.trim().is_empty()
        {
            let text = self.line(&text, &mut change);
            if self.config.redact {
                change.body = match body {
                    AnyValueView::Str(_) => text.map(Body::Text),
                    body => message::redacted(body, &mut self.masker, done).map(Body::Value),
                };
            }
        }
        change
    }

    /// Learns from a message, and notes its template and its parameters. Returns it without its secrets if there were any.
    /// This is the one way into the miner: whoever lifts or joins messages first hands the result to this.
    fn line(&mut self, text: &str, change: &mut Change) -> Option<String> {
        let Self { masker, miner, counters, config, rules, .. } = self;
        let masked = masker.mask(text);
        masked.redactions.iter().for_each(|redaction| counters.redacted(redaction.name));
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
        let logs = logs.edit(|_, _, edit| {
            let Some(change) = next.next() else { return };
            n_annotated += u64::from(self.annotate(change, edit));
        });
        self.counters.annotated.add(n_annotated);
        self.counters.unannotated.add(changes.len() as u64 - n_annotated);
        logs
    }

    /// Returns whether the record got a template.
    fn annotate(&self, change: &Change, edit: &mut RecordEdit) -> bool {
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
        let template = self.miner.resolve(template.id()).unwrap_or(template);
        let text = if self.config.typed_masks { template.text() } else { template.canonical() };
        edit.set_text(&self.config.template_attribute, text);
        edit.set_text(TEMPLATE_ID, &template.id().text());
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

    fn publish_merges(&mut self, now: Timestamp, output: &mut Output) {
        let merges = self.miner.take_merges();
        self.counters.merges.add(merges.len() as u64);
        if self.config.emit_merges && !merges.is_empty() {
            let records = merges.iter().map(|merge| self.merge_record(merge, now)).collect();
            output.emit(Logs::from_message(own_records(records)));
        }
    }

    fn merge_record(&self, merge: &Merge, now: Timestamp) -> LogRecord {
        let text = self
            .miner
            .resolve(merge.new)
            .map_or_else(String::new, |template| template.canonical().to_owned());
        let mut attributes = Vec::new();
        values::set(&mut attributes, TEMPLATE_ID, values::string(merge.new.to_string()));
        values::set(&mut attributes, "watchfire.log.template_id.old", values::string(merge.old.to_string()));
        LogRecord {
            time_unix_nano: now.as_nanos(),
            observed_time_unix_nano: now.as_nanos(),
            severity_number: 9,
            severity_text: "INFO".to_owned(),
            event_name: MERGED.to_owned(),
            body: Some(values::string(text)),
            attributes,
            ..LogRecord::default()
        }
    }
}

/// Records of the processor itself.
fn own_records(log_records: Vec<LogRecord>) -> LogsData {
    let scope =
        InstrumentationScope { name: "watchfire.drain".to_owned(), ..InstrumentationScope::default() };
    let scope = ScopeLogs { scope: Some(scope), log_records, ..ScopeLogs::default() };
    LogsData { resource_logs: vec![ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() }] }
}

/// The text with every match of the user's rules as a wildcard; each match goes to `found`.
fn with_rules<'a>(
    text: &'a str,
    rules: &[(String, Regex)],
    found: &mut dyn FnMut(&str, &str),
) -> Cow<'a, str> {
    let mut text = Cow::Borrowed(text);
    for (name, regex) in rules {
        let replaced = regex.replace_all(&text, |captures: &regex::Captures<'_>| {
            found(name, &captures[0]);
            Kind::Any.mask()
        });
        if let Cow::Owned(replaced) = replaced {
            text = Cow::Owned(replaced);
        }
    }
    text
}

/// Notes a line's variable parts, as far as they are wanted.
fn parameters(config: &Config, miner: &mut Miner, masked: &Masked<'_>, change: &mut Change) {
    if config.extract_parameters {
        for (kind, text) in masked.parameters().filter(|(kind, _)| !matches!(kind, Kind::Secret | Kind::Any))
        {
            change.add(&format!("{}.{}", config.parameter_key_prefix, kind.name()), text);
        }
    }
    if config.emit_wildcards {
        let values = miner.wildcards(masked).into_iter().map(values::string).collect();
        let list = AnyValue { value: Some(Value::ArrayValue(ArrayValue { values })) };
        values::set(&mut change.attributes, &config.wildcards_attribute, list);
    }
}
