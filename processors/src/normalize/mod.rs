#![doc = include_str!("README.md")]

mod config;
mod conventions;
mod identity;
mod pods;
mod records;
mod registry;
#[cfg(test)]
mod tests;
mod times;

use component::{
    Affinity, BuildError, Clock, ConfigSpec, Context, Counter, HealthReporter, Output, ProcessError,
    Processor, ProcessorFactory, Stability,
};
use pdata::view::{LogRecordView, LogsView};
use pdata::{Batch, Logs, SignalSet, Timestamp};

pub use self::config::Config;
use self::conventions::Side;
use self::records::{Repair, Repaired};
use self::registry::Registry;
use self::times::Judge;
use crate::resource_cache::{ResourceCache, rewrite};
use crate::watched_file::WatchedFile;

/// Builds `normalize` processors.
pub const FACTORY: ProcessorFactory = ProcessorFactory {
    type_name: "normalize",
    aliases: &[],
    stability: Stability::Beta,
    signals: SignalSet::TELEMETRY,
    affinity: Affinity::Anywhere,
    config: ConfigSpec::of::<Config>(),
    create: |section, context| {
        let config: Config = section.parse()?;
        let registry = config
            .service_registry
            .as_deref()
            .map(|path| WatchedFile::open("service registry", path, Registry::parse))
            .transpose()
            .map_err(|error| BuildError::other(error.to_string()))?;
        Ok(Box::new(Normalize::new(config, registry, context)))
    },
};

struct Normalize {
    config: Config,
    registry: Option<WatchedFile<Registry>>,
    next_look: Timestamp,
    cache: ResourceCache,
    clock: Clock,
    health: HealthReporter,
    counters: Counters,
}

struct Counters {
    missing_times: Counter,
    scaled_times: Counter,
    future_times: Counter,
    severities: Counter,
    renamed: Counter,
    reloads: Counter,
    failed_reloads: Counter,
}

impl Processor for Normalize {
    fn process(&mut self, batch: Batch, output: &mut Output) -> Result<(), ProcessError> {
        let batch = self.resources(batch);
        output.emit(self.records(batch));
        Ok(())
    }

    fn tick(&mut self, now: Timestamp, _output: &mut Output) {
        let Some(registry) = &mut self.registry else { return };
        if now < self.next_look {
            return;
        }
        self.next_look = now + self.config.reload_interval.get();
        match registry.reload() {
            Ok(false) => {}
            Ok(true) => {
                self.cache.clear();
                self.counters.reloads.add(1);
                self.health.ok();
            }
            Err(error) => {
                self.counters.failed_reloads.add(1);
                tracing::warn!(%error, "the last good service registry stays in force");
                self.health.recovering(error.to_string());
            }
        }
    }
}

impl Normalize {
    fn new(config: Config, registry: Option<WatchedFile<Registry>>, context: &Context) -> Self {
        Self {
            config,
            registry,
            next_look: Timestamp::default(),
            cache: ResourceCache::default(),
            clock: context.clock.clone(),
            health: context.health.clone(),
            counters: Counters::new(context),
        }
    }

    fn resources(&mut self, batch: Batch) -> Batch {
        let config = &self.config;
        if !config.identity && !config.semantic_conventions && self.registry.is_none() {
            return batch;
        }
        let (registry, cache) = (self.registry.as_ref().map(WatchedFile::content), &mut self.cache);
        let files = match &batch {
            Batch::Logs(logs) if config.identity => log_files(logs.view()),
            _ => Vec::new(),
        };
        let mut files = files.into_iter();
        rewrite(&batch, |resource| {
            let file = files.next().flatten().unwrap_or_default();
            cache.changed(resource, file, |attributes| {
                if config.semantic_conventions {
                    conventions::rename(attributes, Side::Unknown);
                }
                if config.identity {
                    let file = Some(file).filter(|file| !file.is_empty());
                    identity::identify(attributes, file, &config.default_service_name);
                }
                if let Some(registry) = registry {
                    registry.enrich(attributes);
                }
            })
        })
    }

    fn records(&self, batch: Batch) -> Batch {
        let repair = Repair {
            judge: self.config.timestamps.then(|| self.judge()),
            severity: self.config.severity,
            conventions: self.config.semantic_conventions,
        };
        let mut done = Repaired::default();
        let batch = match batch {
            Batch::Traces(mut traces) => {
                if traces.view().items().any(|(_, _, span)| repair.needs_span(span)) {
                    traces.modify(|data| {
                        let scopes = data.resource_spans.iter_mut().flat_map(|group| &mut group.scope_spans);
                        scopes
                            .flat_map(|scope| &mut scope.spans)
                            .for_each(|span| repair.span(span, &mut done));
                    });
                }
                Batch::Traces(traces)
            }
            Batch::Metrics(mut metrics) => {
                if metrics.view().items().any(|(_, _, metric)| repair.needs_metric(metric)) {
                    metrics.modify(|data| {
                        let scopes =
                            data.resource_metrics.iter_mut().flat_map(|group| &mut group.scope_metrics);
                        let metrics = scopes.flat_map(|scope| &mut scope.metrics);
                        metrics.for_each(|metric| repair.metric(metric, &mut done));
                    });
                }
                Batch::Metrics(metrics)
            }
            Batch::Logs(logs) => Batch::Logs(repair_logs(logs, &repair, &mut done)),
            events @ Batch::Events(_) => events,
        };
        self.counters.add(&done);
        batch
    }

    fn judge(&self) -> Judge {
        // A clock that follows the data cannot say what is in the data's future.
        let bounded = !self.clock.is_manual() && !self.config.max_future.is_zero();
        Judge { now: self.clock.now(), max_future: bounded.then(|| self.config.max_future.get()) }
    }
}

fn repair_logs(mut logs: Logs, repair: &Repair, done: &mut Repaired) -> Logs {
    if logs.view().items().any(|(_, _, log)| repair.needs_log(log)) {
        logs.modify(|data| {
            let scopes = data.resource_logs.iter_mut().flat_map(|group| &mut group.scope_logs);
            scopes.flat_map(|scope| &mut scope.log_records).for_each(|log| repair.log(log, done));
        });
    }
    logs
}

/// The log file that all records of a resource come from, for each resource.
fn log_files<'a>(logs: LogsView<'a>) -> Vec<Option<&'a str>> {
    logs.resources()
        .map(|group| {
            let mut records = group.scopes().flat_map(|scope| scope.records());
            let path = |record: LogRecordView<'a>| record.attributes().get_str("log.file.path");
            let file = path(records.next()?)?;
            records.all(|record| path(record) == Some(file)).then_some(file)
        })
        .collect()
}

impl Counters {
    fn new(context: &Context) -> Self {
        let id = context.key.id.to_string();
        let counter = |name, help, key: &str, value: &str| {
            context.telemetry.counter(name, help, &[("processor", &id), (key, value)])
        };
        let times = |reason| {
            counter("otelcol_processor_normalize_times", "Times that were put right", "reason", reason)
        };
        let records = |what| {
            counter("otelcol_processor_normalize_records", "What else was put right on records", "what", what)
        };
        let reloads = |outcome| {
            counter(
                "otelcol_processor_normalize_registry_reloads",
                "Service registries read again",
                "outcome",
                outcome,
            )
        };
        Self {
            missing_times: times("missing"),
            scaled_times: times("unit"),
            future_times: times("future"),
            severities: records("severity"),
            renamed: records("attribute_name"),
            reloads: reloads("success"),
            failed_reloads: reloads("failure"),
        }
    }

    fn add(&self, done: &Repaired) {
        self.missing_times.add(done.missing_times);
        self.scaled_times.add(done.scaled_times);
        self.future_times.add(done.future_times);
        self.severities.add(done.severities);
        self.renamed.add(done.renamed);
    }
}
