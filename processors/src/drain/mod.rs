#![doc = include_str!("README.md")]

mod config;
mod held;
mod message;
mod telemetry;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};

use analysis::logs::mask::{Kind, Masked, Masker};
use analysis::logs::miner::Merge;
use analysis::logs::{Miner, Template};
use component::{
    Affinity, BuildError, Clock, ConfigSpec, Context, Key, Output, ProcessError, Processor, ProcessorFactory,
    Stability,
};
use pdata::proto::common::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value::Value};
use pdata::proto::logs::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use pdata::{Batch, Logs, Signal, SignalSet, Timestamp};
use regex::Regex;

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
        let Batch::Logs(mut logs) = batch else {
            output.emit(batch);
            return Ok(());
        };
        let now = self.clock.now();
        let services = self.new_services(&logs, now);
        let templates = logs.modify(|data| self.learn(data));
        if services.is_empty() {
            // What came earlier goes first.
            self.release_due(now, output);
            logs.modify(|data| self.annotate(data, &templates));
            output.emit(logs);
        } else {
            self.waiting.push(Batch::Logs(logs), output.hold(), templates, services);
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
            let records = group.scopes().map(|scope| scope.records().count()).sum();
            is_any_new |= self.waiting.is_new(service, records, now);
            services.push(service.into());
        }
        if is_any_new { services } else { Vec::new() }
    }

    /// Learns from every record, takes its secrets out and its parameters. Returns the templates, one for each record.
    fn learn(&mut self, data: &mut LogsData) -> Vec<Option<Template>> {
        let groups = data.resource_logs.iter_mut().flat_map(|group| &mut group.scope_logs);
        groups.flat_map(|scope| &mut scope.log_records).map(|record| self.record(record)).collect()
    }

    fn record(&mut self, record: &mut LogRecord) -> Option<Template> {
        let LogRecord { body, attributes, .. } = record;
        let mut done = Vec::new();
        if self.config.redact {
            message::redact_entries(attributes, &mut self.masker, &mut done);
        }
        let template = body.as_mut().and_then(|body| self.body(body, attributes, &mut done));
        done.into_iter().for_each(|kind| self.counters.redacted(kind));
        template
    }

    /// Learns from a body and takes its secrets out. Returns its template.
    fn body(
        &mut self,
        body: &mut AnyValue,
        attributes: &mut Vec<KeyValue>,
        done: &mut message::Redacted,
    ) -> Option<Template> {
        let (template, text) = match message::message(body, &self.config.body_field) {
            Some(text) if !text.trim().is_empty() => self.line(&text, attributes),
            _ => return None,
        };
        if self.config.redact {
            match (&mut body.value, text) {
                (Some(Value::StringValue(body)), Some(text)) => *body = text,
                (Some(Value::StringValue(_)), None) => {}
                _ => message::redact(body, &mut self.masker, done),
            }
        }
        Some(template)
    }

    /// Learns from a message. Returns its template, and the message without its secrets if there were any. This is the one
    /// way into the miner: whoever lifts or joins messages first hands the result to this.
    fn line(&mut self, text: &str, attributes: &mut Vec<KeyValue>) -> (Template, Option<String>) {
        let Self { masker, miner, counters, config, rules, .. } = self;
        let masked = masker.mask(text);
        masked.redactions.iter().for_each(|redaction| counters.redacted(redaction.name));
        let redacted = (!masked.redactions.is_empty()).then(|| masked.text.to_owned());
        if rules.is_empty() {
            let template = miner.learn(&masked).clone();
            parameters(config, miner, &masked, attributes);
            return (template, redacted);
        }
        let prefix = &config.parameter_key_prefix;
        let text = redacted.as_deref().unwrap_or(text);
        let text =
            with_rules(text, rules, &mut |name, value| add(attributes, &format!("{prefix}.{name}"), value));
        let masked = masker.mask(&text);
        let template = miner.learn(&masked).clone();
        parameters(config, miner, &masked, attributes);
        (template, redacted)
    }

    /// Writes the templates to the records, as they are known now.
    fn annotate(&mut self, data: &mut LogsData, templates: &[Option<Template>]) {
        self.is_warm = self.is_warm || self.miner.len() >= self.config.warmup_min_clusters;
        let groups = data.resource_logs.iter_mut().flat_map(|group| &mut group.scope_logs);
        let records = groups.flat_map(|scope| &mut scope.log_records);
        let mut annotated = 0;
        for (record, template) in records.zip(templates) {
            let Some(template) = template.as_ref().filter(|_| self.is_warm) else { continue };
            let template = self.miner.resolve(template.id()).unwrap_or(template);
            let text = if self.config.typed_masks { template.text() } else { template.canonical() };
            values::set(&mut record.attributes, &self.config.template_attribute, values::string(text));
            let id = values::string(template.id().to_string());
            values::set(&mut record.attributes, TEMPLATE_ID, id);
            annotated += 1;
        }
        self.counters.annotated.add(annotated);
        self.counters.unannotated.add(templates.len() as u64 - annotated);
    }

    fn release_due(&mut self, now: Timestamp, output: &mut Output) {
        let due = self.waiting.due(now);
        self.release(due, output);
    }

    fn release(&mut self, held: Vec<Held>, output: &mut Output) {
        for Held { batch, ack, templates, .. } in held {
            self.n_held = self.n_held.saturating_sub(1);
            let batch = match batch {
                Batch::Logs(mut logs) => {
                    logs.modify(|data| self.annotate(data, &templates));
                    Batch::Logs(logs)
                }
                other => other,
            };
            output.emit_held(batch, ack);
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

/// Writes a line's variable parts to attributes, as far as they are wanted.
fn parameters(config: &Config, miner: &mut Miner, masked: &Masked<'_>, attributes: &mut Vec<KeyValue>) {
    if config.extract_parameters {
        for (kind, text) in masked.parameters().filter(|(kind, _)| !matches!(kind, Kind::Secret | Kind::Any))
        {
            add(attributes, &format!("{}.{}", config.parameter_key_prefix, kind.name()), text);
        }
    }
    if config.emit_wildcards {
        let values = miner.wildcards(masked).into_iter().map(values::string).collect();
        let list = AnyValue { value: Some(Value::ArrayValue(ArrayValue { values })) };
        values::set(attributes, &config.wildcards_attribute, list);
    }
}

/// Adds a text to an attribute; more than one make a list.
fn add(attributes: &mut Vec<KeyValue>, key: &str, text: &str) {
    let existing = attributes.iter_mut().find(|attribute| attribute.key == key);
    let Some(value) = existing.and_then(|attribute| attribute.value.as_mut()) else {
        values::set(attributes, key, values::string(text));
        return;
    };
    match &mut value.value {
        Some(Value::ArrayValue(list)) => list.values.push(values::string(text)),
        _ => {
            let first = std::mem::take(value);
            let values = vec![first, values::string(text)];
            value.value = Some(Value::ArrayValue(ArrayValue { values }));
        }
    }
}
