#![doc = include_str!("README.md")]

mod config;
#[cfg(test)]
mod hostile_tests;
mod rate;
#[cfg(test)]
mod tests;

use analysis::detect::{Findings, Watcher, vectors};
use component::{
    Affinity, BuildError, ConfigSpec, Context, Counter, Gauge, Key, Output, ProcessError, Processor,
    ProcessorFactory, Stability,
};
use pdata::{Batch, SignalSet, Timestamp};

use self::config::MetricNames;
pub use self::config::{Config, LogsConfig, VectorDetector, VectorsConfig, Watched};
pub use self::rate::Rate;

/// Builds `detect` processors.
pub const FACTORY: ProcessorFactory = ProcessorFactory {
    type_name: "detect",
    aliases: &[],
    stability: Stability::Alpha,
    signals: SignalSet::TELEMETRY,
    affinity: Affinity::ByKey(Key::Service),
    config: ConfigSpec::of::<Config>(),
    create: |section, context| {
        let config: Config = section.parse()?;
        let metrics = config
            .metrics()
            .map_err(|invalid| BuildError::Config(section.error(&invalid.field, invalid.message)))?;
        Ok(Box::new(Detect::new(&config, metrics, context)))
    },
};

struct Detect {
    watcher: Watcher,
    metrics: MetricNames,
    signals: Vec<Watched>,
    emit_scores: bool,
    emit_series_scores: bool,
    counters: Counters,
}

struct Counters {
    anomalies: Counter,
    withheld: Counter,
    withheld_before: u64,
    scored: Counter,
    ignored: Counter,
    evicted: Counter,
    late: Counter,
    series: Gauge,
    vectors: VectorCounters,
    log_templates: Gauge,
    log_evicted: Counter,
    log_evicted_before: u64,
    evicted_before: u64,
    late_before: u64,
}

impl Detect {
    fn new(config: &Config, metrics: MetricNames, context: &Context) -> Self {
        Self {
            watcher: Watcher::new(
                config.limits(context.shards),
                config.settings(),
                config.templates(context.shards),
            )
            .with_vectors(config.vectors(context.shards)),
            metrics,
            signals: config.signals.clone(),
            emit_scores: config.emit_scores,
            emit_series_scores: config.emit_series_scores,
            counters: Counters::new(context),
        }
    }

    fn findings(&self) -> Findings {
        let mut findings = Findings::new(self.emit_scores);
        findings.emit_series_scores = self.emit_series_scores;
        findings
    }

    fn look(&mut self, batch: &Batch, findings: &mut Findings) {
        match batch {
            Batch::Traces(traces) if self.signals.contains(&Watched::Traces) => {
                self.watcher.traces(traces, findings);
            }
            Batch::Metrics(metrics) if self.signals.contains(&Watched::Metrics) => {
                self.watcher.metrics(metrics, &|name| self.metrics.wants(name), findings);
            }
            Batch::Logs(logs) if self.signals.contains(&Watched::Logs) => {
                self.watcher.logs(logs, findings);
            }
            Batch::Traces(_) | Batch::Metrics(_) | Batch::Logs(_) | Batch::Events(_) => {}
        }
    }

    fn emit(&mut self, findings: Findings, output: &mut Output) {
        self.counters.note(&findings, &mut self.watcher);
        if !findings.events.is_empty() {
            output.emit(findings.events);
        }
    }
}

impl Processor for Detect {
    fn process(&mut self, batch: Batch, output: &mut Output) -> Result<(), ProcessError> {
        let mut findings = self.findings();
        self.look(&batch, &mut findings);
        output.emit(batch);
        self.emit(findings, output);
        Ok(())
    }

    fn tick(&mut self, now: Timestamp, output: &mut Output) {
        let mut findings = self.findings();
        self.watcher.tick(now, &mut findings);
        self.emit(findings, output);
    }

    fn flush(&mut self, _now: Timestamp, output: &mut Output) {
        let mut findings = self.findings();
        self.watcher.finish(&mut findings);
        self.emit(findings, output);
    }

    fn snapshot(&self) -> Option<Vec<u8>> {
        self.watcher
            .snapshot()
            .inspect_err(|error| tracing::error!(%error, "cannot save what was learned"))
            .ok()
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), ProcessError> {
        self.watcher.restore(snapshot).map_err(|error| ProcessError::Permanent(error.to_string()))
    }
}

impl Counters {
    fn new(context: &Context) -> Self {
        let id = context.key.id.to_string();
        let shard = context.shard.to_string();
        let labels: &[(&str, &str)] = &[("processor", &id), ("shard", &shard)];
        let counter = |name: &str, help: &str| context.telemetry.counter(name, help, labels);
        Self {
            anomalies: counter("otelcol_processor_detect_anomalies", "Reports about anomalies."),
            withheld: counter(
                "otelcol_processor_detect_episodes_withheld",
                "Departures of series that were not reported: usual for the series, or beyond the budget.",
            ),
            withheld_before: 0,
            scored: counter("otelcol_processor_detect_points_scored", "Points that were scored."),
            ignored: counter(
                "otelcol_processor_detect_points_ignored",
                "Points not looked at: not finite, out of order, or seen before.",
            ),
            evicted: counter(
                "otelcol_processor_detect_series_evicted",
                "Series forgotten because there were too many.",
            ),
            late: counter(
                "otelcol_processor_detect_late_records",
                "Spans and log records that came after their window was closed.",
            ),
            series: context.telemetry.gauge(
                "otelcol_processor_detect_series",
                "Series that are watched.",
                labels,
            ),
            vectors: VectorCounters::new(context, labels),
            log_templates: context.telemetry.gauge(
                "otelcol_processor_detect_log_templates",
                "Log templates that are watched.",
                labels,
            ),
            log_evicted: counter(
                "otelcol_processor_detect_log_templates_evicted",
                "Log templates forgotten, or not watched, because there were too many.",
            ),
            log_evicted_before: 0,
            evicted_before: 0,
            late_before: 0,
        }
    }

    fn note(&mut self, findings: &Findings, watcher: &mut Watcher) {
        let anomalies =
            findings.events.iter().filter(|event| matches!(event, pdata::Event::Anomaly(_))).count();
        self.anomalies.add(anomalies as u64);
        self.scored.add(findings.scored);
        self.ignored.add(findings.ignored);
        // A restored watcher brings its own counts along.
        let (evicted, late) = (watcher.evicted(), watcher.late());
        self.evicted.add(evicted.saturating_sub(self.evicted_before));
        self.late.add(late.saturating_sub(self.late_before));
        let withheld = watcher.withheld();
        self.withheld.add(withheld.saturating_sub(self.withheld_before));
        self.withheld_before = withheld;
        (self.evicted_before, self.late_before) = (evicted, late);
        let log_evicted = watcher.log_counts().evicted;
        self.log_evicted.add(log_evicted.saturating_sub(self.log_evicted_before));
        self.log_evicted_before = log_evicted;
        self.log_templates.set(watcher.log_templates() as f64);
        self.series.set(watcher.series() as f64);
        self.vectors.note(findings, watcher.vectors());
    }
}

/// What is counted about metrics that are watched together.
struct VectorCounters {
    vectors: Gauge,
    frames: Counter,
    late: Counter,
    crowded: Counter,
    models: Counter,
    drifts: Counter,
    before: vectors::Counted,
}

impl VectorCounters {
    fn new(context: &Context, labels: &[(&str, &str)]) -> Self {
        let counter = |name: &str, help: &str| context.telemetry.counter(name, help, labels);
        Self {
            vectors: context.telemetry.gauge(
                "otelcol_processor_detect_vectors",
                "Resources whose metrics are watched together.",
                labels,
            ),
            frames: counter(
                "otelcol_processor_detect_vector_frames",
                "Times at which a resource's metrics were judged together.",
            ),
            late: counter(
                "otelcol_processor_detect_vector_late_points",
                "Points that came after their resource's metrics of that time were judged.",
            ),
            crowded: counter(
                "otelcol_processor_detect_vector_crowded_points",
                "Points of metrics that were too many to be judged together with their resource's others.",
            ),
            models: counter(
                "otelcol_processor_detect_vector_models",
                "Models of a resource's metrics that were made.",
            ),
            drifts: counter(
                "otelcol_processor_detect_vector_drifts",
                "Models of a resource's metrics that were begun anew because they had ceased to hold.",
            ),
            before: vectors::Counted::default(),
        }
    }

    fn note(&mut self, findings: &Findings, vectors: &vectors::Vectors) {
        self.vectors.set(vectors.len() as f64);
        self.frames.add(findings.vectors);
        let counted = vectors.counted();
        self.late.add(counted.late.saturating_sub(self.before.late));
        self.crowded.add(counted.crowded.saturating_sub(self.before.crowded));
        self.models.add(counted.models.saturating_sub(self.before.models));
        self.drifts.add(counted.drifts.saturating_sub(self.before.drifts));
        self.before = counted;
    }
}
