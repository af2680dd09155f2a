//! The end of the pipeline: tallies every record and event, or prints the lines that are asked for.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use component::delivery::DeliverySettings;
use component::{BuildError, ConfigSpec, Context, ExportError, Exporter, ExporterFactory, Stability};
use config::{Section, Validate};
use pdata::view::{AnyValueView, LogRecordView};
use pdata::{Batch, Event, Signal, SignalSet};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lines::Lines;
use super::severity::Severity;
use super::tally::{Line, Tally};

/// What `drain` and `log_classify` write to records.
const TEMPLATE: &str = "log.record.template";
const TEMPLATE_ID: &str = "watchfire.log.template_id";
const OLD_ID: &str = "watchfire.log.template_id.old";
const MERGED: &str = "watchfire.log.template.merged";
const CLASS: &str = "watchfire.log.class";
const CLUSTER: &str = "watchfire.log.cluster_id";

/// What is known so far, shared between the pipeline and the command.
pub(super) type SharedCollected = Mutex<Collected>;

/// What is known so far.
#[derive(Default)]
pub(super) struct Collected {
    /// All records and events.
    pub(super) tally: Tally,
    /// Prints lines, if that is asked for.
    pub(super) lines: Option<Lines>,
}

/// The command's only exporter.
pub(super) const FACTORIES: &[ExporterFactory] = &[ExporterFactory {
    type_name: "tally",
    aliases: &[],
    stability: Stability::Alpha,
    signals: SignalSet::of(&[Signal::Logs, Signal::Events]),
    config: ConfigSpec::of::<Config>(),
    delivery: DeliverySettings::local,
    create,
}];

/// There is nothing to set.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {}

impl Validate for Config {}

fn create(section: &Section, context: &Context) -> Result<Box<dyn Exporter>, BuildError> {
    section.parse::<Config>()?;
    let collected = context.handles.get::<SharedCollected>();
    let collected = collected.ok_or_else(|| BuildError::other("only `watchfire logs` tallies"))?;
    Ok(Box::new(Tallier { collected }))
}

struct Tallier {
    collected: Arc<SharedCollected>,
}

#[async_trait]
impl Exporter for Tallier {
    async fn export(&self, batch: Batch) -> Result<(), ExportError> {
        let mut collected = self.collected.lock().unwrap_or_else(PoisonError::into_inner);
        match &batch {
            Batch::Logs(logs) => {
                for (_, _, record) in logs.view().items() {
                    collected.record(&record);
                }
            }
            Batch::Events(events) => events.iter().for_each(|event| collected.event(event)),
            Batch::Traces(_) | Batch::Metrics(_) => {}
        }
        let is_read = collected.lines.as_mut().is_none_or(Lines::flush);
        if is_read { Ok(()) } else { Err(ExportError::permanent("cannot write to standard output")) }
    }
}

impl Collected {
    fn record(&mut self, record: &LogRecordView<'_>) {
        let mut line = Line { time: record.time_or_observed(), ..Line::default() };
        let (mut old, mut classes) = (None, None);
        for (key, value) in record.attributes() {
            match (key, value) {
                (TEMPLATE, AnyValueView::Str(text)) => line.template = text,
                (TEMPLATE_ID, AnyValueView::Str(id)) => line.id = id,
                (OLD_ID, AnyValueView::Str(id)) => old = Some(id),
                (CLUSTER, AnyValueView::Str(id)) => line.cluster = id,
                (CLASS, AnyValueView::Array(names)) => classes = Some(names),
                _ => {}
            }
        }
        let body = record.body().to_text();
        if record.event_name() == MERGED {
            if let Some(old) = old {
                let missed = self.tally.merge(old, line.id, &body);
                self.lines.iter_mut().for_each(|lines| lines.merged(old, line.id, missed));
            }
            return;
        }
        line.severity = Severity::of(record.severity_number());
        line.body = &body;
        let classes = classes.iter().flat_map(|names| names.iter()).filter_map(AnyValueView::as_str);
        self.tally.record(&line, classes);
        if let Some(lines) = &mut self.lines {
            lines.line(line.id, &body);
        }
    }

    fn event(&mut self, event: &Event) {
        if let Event::Anomaly(anomaly) = event {
            self.tally.anomaly(anomaly);
        }
    }
}
