#![doc = include_str!("README.md")]

mod config;
mod feedback;
mod records;
#[cfg(test)]
mod tests;

use analysis::logs::attributes::{CLASS, CLUSTER_ID};
use analysis::logs::classify::{Class, ClassSet, Classifier, Feedback, N_CLASSES};
use analysis::logs::cluster::{Builtin, Clusters, ClustersError, EmbedError, Embedder};
use component::{
    Affinity, BuildError, ConfigSpec, Context, Counter, Gauge, HealthReporter, Output, ProcessError,
    Processor, ProcessorFactory, Stability,
};
use pdata::proto::common::{AnyValue, ArrayValue, any_value::Value};
use pdata::view::LogRecordView;
use pdata::{Batch, RecordEdit, Signal, SignalSet, Timestamp};
use serde::{Deserialize, Serialize};

pub use self::config::{Clusters as ClusterConfig, Config, Embedder as EmbedderConfig, EmbedderKind};
use self::records::Message;
use crate::values;
use crate::watched_file::WatchedFile;

/// Which classes a template had when it was put into a cluster does not depend on what the user wants to see.
const CLUSTER_CONFIDENCE: f32 = 0.5;

/// Builds `log_classify` processors.
pub const FACTORY: ProcessorFactory = ProcessorFactory {
    type_name: "log_classify",
    aliases: &[],
    stability: Stability::Alpha,
    signals: SignalSet::of(&[Signal::Logs]),
    affinity: Affinity::Single,
    config: ConfigSpec::of::<Config>(),
    create: |section, context| {
        let config: Config = section.parse()?;
        let other = |error: &dyn std::error::Error| BuildError::other(error.to_string());
        let open = |path| WatchedFile::open("feedback file", path, feedback::parse);
        let feedback = config.feedback_file.as_deref().map(open).transpose();
        let feedback = feedback.map_err(|error| other(&error))?;
        let clusters = clusters(&config).map_err(|error| other(&error))?;
        Ok(Box::new(LogClassify::new(config, feedback, clusters, context)))
    },
};

struct LogClassify {
    config: Config,
    allowed: ClassSet,
    classifier: Classifier,
    clusters: Option<Clusters>,
    feedback: Option<WatchedFile<Vec<Feedback>>>,
    next_look: Timestamp,
    health: HealthReporter,
    counters: Counters,
}

struct Counters {
    classes: Vec<Counter>,
    unclassified: Counter,
    failed_embeddings: Counter,
    reloads: Counter,
    failed_reloads: Counter,
    templates: Gauge,
    clusters: Gauge,
}

#[derive(Serialize, Deserialize)]
struct Snapshot {
    classifier: Vec<u8>,
    clusters: Option<Vec<u8>>,
}

fn clusters(config: &Config) -> Result<Option<Clusters>, EmbedError> {
    if !config.clusters.enabled {
        return Ok(None);
    }
    let similarity = config.clusters.similarity.map(|similarity| similarity as f32);
    let embedder: Box<dyn Embedder> = match (config.embedder.kind, &config.embedder.path) {
        #[cfg(feature = "bert")]
        (EmbedderKind::Bert, Some(path)) => Box::new(analysis::logs::cluster::Bert::open(path)?),
        // The configuration was validated: there is nothing else in this build.
        _ => Box::new(Builtin::default()),
    };
    Ok(Some(Clusters::new(embedder, similarity, config.max_templates)))
}

impl LogClassify {
    fn new(
        config: Config,
        feedback: Option<WatchedFile<Vec<Feedback>>>,
        clusters: Option<Clusters>,
        context: &Context,
    ) -> Self {
        let mut made = Self {
            allowed: config.allowed(),
            classifier: Classifier::new(config.max_templates),
            config,
            clusters,
            feedback,
            next_look: Timestamp::default(),
            health: context.health.clone(),
            counters: Counters::new(context),
        };
        made.learn();
        made
    }

    /// Learns what the feedback file says, and nothing else.
    fn learn(&mut self) {
        let Some(file) = &self.feedback else { return };
        self.classifier.forget_feedback();
        let refused = file.content().iter().filter(|entry| !self.classifier.feedback(entry)).count();
        if refused > 0 {
            tracing::warn!(refused, "there is more feedback than `max_templates`; the rest is not used");
        }
    }

    fn record(&mut self, record: LogRecordView<'_>, edit: &mut RecordEdit) {
        let (message, is_classified) = Message::of(record);
        let Some(message) = message else {
            self.counters.unclassified.add(1);
            return;
        };
        let reading = self.classifier.read(&message.line());
        let classes = reading.scores.classes(self.config.min_confidence as f32).and(self.allowed);
        let cluster = self.clusters.as_mut().and_then(|clusters| {
            if let Some(known) = clusters.get(reading.template) {
                return Some(known);
            }
            let evident = reading.scores.classes(CLUSTER_CONFIDENCE);
            let assigned = clusters.assign(reading.template, message.text(), evident);
            assigned
                .inspect_err(|error| {
                    self.counters.failed_embeddings.add(1);
                    tracing::debug!(%error, "a template has no vector and so no cluster");
                })
                .ok()
        });
        self.counters.count(classes);
        if is_classified {
            edit.remove_attribute(CLASS);
            edit.remove_attribute(CLUSTER_ID);
        }
        if !classes.is_empty() {
            edit.set_attribute(CLASS, &names(classes));
        }
        if let Some(cluster) = cluster {
            edit.set_text(CLUSTER_ID, &cluster.text());
        }
    }
}

impl Processor for LogClassify {
    fn process(&mut self, mut batch: Batch, output: &mut Output) -> Result<(), ProcessError> {
        if let Batch::Logs(logs) = &mut batch {
            *logs = logs.edit(|_, record, edit| self.record(record, edit));
            self.counters.templates.set(self.classifier.len() as f64);
            self.counters.clusters.set(self.clusters.as_ref().map_or(0, Clusters::len) as f64);
        }
        output.emit(batch);
        Ok(())
    }

    fn tick(&mut self, now: Timestamp, _output: &mut Output) {
        let Some(file) = &mut self.feedback else { return };
        if now < self.next_look {
            return;
        }
        self.next_look = now + self.config.reload_interval.get();
        match file.reload() {
            Ok(false) => {}
            Ok(true) => {
                self.counters.reloads.add(1);
                self.health.ok();
                self.learn();
            }
            Err(error) => {
                self.counters.failed_reloads.add(1);
                tracing::warn!(%error, "the last good feedback stays in force");
                self.health.recovering(error.to_string());
            }
        }
    }

    fn snapshot(&self) -> Option<Vec<u8>> {
        let failed = |error: &dyn std::error::Error| tracing::error!(%error, "cannot save what was learned");
        let classifier = self.classifier.snapshot().inspect_err(|error| failed(error)).ok()?;
        let clusters = self.clusters.as_ref().map(Clusters::snapshot).transpose();
        let clusters = clusters.inspect_err(|error| failed(error)).ok()?;
        let snapshot = Snapshot { classifier, clusters };
        postcard::to_allocvec(&snapshot).inspect_err(|error| failed(error)).ok()
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), ProcessError> {
        let unusable = |error: &dyn std::error::Error| ProcessError::Permanent(error.to_string());
        let saved: Snapshot = postcard::from_bytes(snapshot).map_err(|error| unusable(&error))?;
        // Nothing is taken over unless everything can be.
        let mut classifier = Classifier::new(self.config.max_templates);
        classifier.restore(&saved.classifier).map_err(|error| unusable(&error))?;
        if let (Some(clusters), Some(saved)) = (&mut self.clusters, &saved.clusters) {
            match clusters.restore(saved) {
                Err(error @ ClustersError::Embedder { .. }) => {
                    tracing::warn!(%error, "clusters begin anew");
                }
                restored => restored.map_err(|error| unusable(&error))?,
            }
        }
        self.classifier = classifier;
        self.learn();
        Ok(())
    }
}

/// The names of classes as an attribute.
fn names(classes: ClassSet) -> AnyValue {
    let values = classes.iter().map(|class| values::string(class.name())).collect();
    AnyValue { value: Some(Value::ArrayValue(ArrayValue { values })) }
}

impl Counters {
    fn new(context: &Context) -> Self {
        let id = context.key.id.to_string();
        let counter = |name: &str, help: &str, labels: &[(&str, &str)]| {
            let labels: Vec<_> = [("processor", id.as_str())].iter().chain(labels).copied().collect();
            context.telemetry.counter(name, help, &labels)
        };
        let class = |class: &Class| {
            let labels = [("class", class.name())];
            counter("otelcol_processor_log_classify_records", "Log records of a class.", &labels)
        };
        let reloads = |outcome| {
            let labels = [("outcome", outcome)];
            counter("otelcol_processor_log_classify_feedback_reloads", "Feedback files read again.", &labels)
        };
        let gauge = |name: &str, help: &str| context.telemetry.gauge(name, help, &[("processor", &id)]);
        Self {
            classes: Class::ALL.iter().map(class).collect(),
            unclassified: counter(
                "otelcol_processor_log_classify_unclassified",
                "Log records without a class.",
                &[],
            ),
            failed_embeddings: counter(
                "otelcol_processor_log_classify_failed_embeddings",
                "Templates that got no vector because the model failed.",
                &[],
            ),
            reloads: reloads("success"),
            failed_reloads: reloads("failure"),
            templates: gauge("otelcol_processor_log_classify_messages", "Kinds of messages remembered."),
            clusters: gauge("otelcol_processor_log_classify_clusters", "Semantic clusters."),
        }
    }

    fn count(&self, classes: ClassSet) {
        debug_assert_eq!(self.classes.len(), N_CLASSES);
        for (class, counter) in Class::ALL.iter().zip(&self.classes) {
            counter.add(u64::from(classes.contains(*class)));
        }
        self.unclassified.add(u64::from(classes.is_empty()));
    }
}
