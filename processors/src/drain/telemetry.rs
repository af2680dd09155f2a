//! What the processor tells about itself.

use std::collections::HashMap;

use analysis::logs::Miner;
use component::{Context, Counter, Gauge, Telemetry};

/// Counts since the last report.
pub(super) struct Counters {
    telemetry: Telemetry,
    processor: String,
    shard: String,
    pub(super) annotated: Counter,
    pub(super) unannotated: Counter,
    pub(super) parsed: Counter,
    pub(super) joined: Counter,
    pub(super) merges: Counter,
    redactions: HashMap<&'static str, Counter>,
    templates: Gauge,
    other: Gauge,
    bytes: Gauge,
    held: Gauge,
}

impl Counters {
    pub(super) fn new(context: &Context) -> Self {
        let (processor, shard) = (context.key.id.to_string(), context.shard.to_string());
        let labels: &[(&str, &str)] = &[("processor", &processor), ("shard", &shard)];
        let counter = |name: &str, help: &str| context.telemetry.counter(name, help, labels);
        let gauge = |name: &str, help: &str| context.telemetry.gauge(name, help, labels);
        Self {
            annotated: counter(
                "otelcol_processor_drain_log_records_annotated",
                "Records that got a template.",
            ),
            unannotated: counter(
                "otelcol_processor_drain_log_records_unannotated",
                "Records that passed without a template.",
            ),
            parsed: counter(
                "otelcol_processor_drain_log_records_parsed",
                "Records whose text said a severity, time or trace that they did not have.",
            ),
            joined: counter(
                "otelcol_processor_drain_log_records_joined",
                "Records that became part of the one before.",
            ),
            merges: counter(
                "otelcol_processor_drain_merges",
                "Templates that turned out to be part of another.",
            ),
            templates: gauge("otelcol_processor_drain_clusters_active", "Templates that are known."),
            other: gauge(
                "otelcol_processor_drain_log_records_other",
                "Records whose templates had to make room; with those of the known templates it makes all that were learned.",
            ),
            bytes: gauge("otelcol_processor_drain_memory_bytes", "Memory that the templates take."),
            held: gauge("otelcol_processor_drain_batches_held", "Batches that are held back."),
            redactions: HashMap::new(),
            telemetry: context.telemetry.clone(),
            processor,
            shard,
        }
    }

    /// Counts a secret that was taken out.
    pub(super) fn redacted(&mut self, kind: &'static str) {
        let Self { telemetry, processor, shard, redactions, .. } = self;
        let counter = redactions.entry(kind).or_insert_with(|| {
            let labels: &[(&str, &str)] = &[("processor", processor), ("shard", shard), ("kind", kind)];
            telemetry.counter("otelcol_processor_drain_redactions", "Secrets that were taken out.", labels)
        });
        counter.add(1);
    }

    /// Reports how things stand.
    pub(super) fn report(&self, miner: &Miner, held: usize) {
        self.templates.set(miner.len() as f64);
        self.other.set(miner.other() as f64);
        self.bytes.set(miner.bytes() as f64);
        self.held.set(held as f64);
    }
}
