//! The end of the pipeline: tallies every record and event, or prints the lines that are asked for.

use analysis::logs::attributes::{CLASS, CLUSTER_ID, MERGED, OLD_TEMPLATE_ID, TEMPLATE, TEMPLATE_ID};
use component::{ExportError, ExporterFactory};
use pdata::view::{AnyValueView, LogRecordView};
use pdata::{Batch, Event, Signal, SignalSet};

use super::lines::Lines;
use super::severity::Severity;
use super::tally::{Line, Tally};
use crate::sink::{Sink, factory};

/// What is known so far.
#[derive(Default)]
pub(super) struct Collected {
    /// All records and events.
    pub(super) tally: Tally,
    /// Prints lines, if that is asked for.
    pub(super) lines: Option<Lines>,
}

/// The command's only exporter.
pub(super) const FACTORIES: &[ExporterFactory] =
    &[factory::<Collected>("tally", SignalSet::of(&[Signal::Logs, Signal::Events]))];

impl Sink for Collected {
    fn take(&mut self, batch: &Batch) -> Result<(), ExportError> {
        match batch {
            Batch::Logs(logs) => logs.view().items().for_each(|(_, _, record)| self.record(&record)),
            Batch::Events(events) => events.iter().for_each(|event| self.event(event)),
            Batch::Traces(_) | Batch::Metrics(_) => {}
        }
        let is_read = self.lines.as_mut().is_none_or(Lines::flush);
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
                (OLD_TEMPLATE_ID, AnyValueView::Str(id)) => old = Some(id),
                (CLUSTER_ID, AnyValueView::Str(id)) => line.cluster = id,
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
