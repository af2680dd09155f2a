//! Settings of the `log_classify` processor.

use std::path::PathBuf;

use analysis::logs::classify::{Class, ClassSet};
use config::{Duration, Invalid, Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the `log_classify` processor.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// A class is written if it is at least so probable. Below that the processor abstains.
    pub min_confidence: f64,
    /// The classes to write; all if the list is empty.
    pub classes: Vec<String>,
    /// A file in which you say which templates have or do not have which classes; see below for its form. Read again when
    /// it changes.
    pub feedback_file: Option<PathBuf>,
    /// How often to look whether `feedback_file` has changed.
    pub reload_interval: Duration,
    /// Semantic clusters: one id for templates that say the same in other words.
    pub clusters: Clusters,
    /// What turns templates into vectors for the clusters.
    pub embedder: Embedder,
    /// How many templates are remembered. An entry with its vector takes about 2 KiB.
    pub max_templates: usize,
}

/// Settings of the clusters.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Clusters {
    /// Whether to write `watchfire.log.cluster_id`.
    pub enabled: bool,
    /// From which cosine on two templates say the same: higher makes more and purer clusters. Unset, it is what suits
    /// the embedder.
    pub similarity: Option<f64>,
}

/// Settings of the embedder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Embedder {
    /// Which embedder.
    pub kind: EmbedderKind,
    /// The directory with the model (`config.json`, `vocab.txt`, `model.safetensors`). Only for `bert`.
    pub path: Option<PathBuf>,
}

/// An embedder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmbedderKind {
    /// Part of the program; takes microseconds and needs no model.
    #[default]
    Builtin,
    /// A BERT model such as all-MiniLM-L6-v2; only in builds with the feature `bert`.
    Bert,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            min_confidence: 0.5,
            classes: Vec::new(),
            feedback_file: None,
            reload_interval: Duration::from_secs(10),
            clusters: Clusters::default(),
            embedder: Embedder::default(),
            max_templates: 10_000,
        }
    }
}

impl Default for Clusters {
    fn default() -> Self {
        Self { enabled: true, similarity: None }
    }
}

impl Config {
    /// The classes to write.
    pub(super) fn allowed(&self) -> ClassSet {
        if self.classes.is_empty() {
            return ClassSet::ALL;
        }
        self.classes.iter().filter_map(|name| name.parse::<Class>().ok()).collect()
    }
}

impl Validate for Config {
    fn validate(&self) -> Result<(), Invalid> {
        let within = |value: f64| value > 0.0 && value <= 1.0;
        Invalid::unless(
            within(self.min_confidence),
            "min_confidence",
            "must be more than 0 and not more than 1",
        )?;
        for name in &self.classes {
            if let Err(error) = name.parse::<Class>() {
                return Err(Invalid::new("classes", error.to_string()));
            }
        }
        Invalid::unless(!self.reload_interval.is_zero(), "reload_interval", "must not be 0")?;
        Invalid::unless(
            self.clusters.similarity.is_none_or(within),
            "clusters.similarity",
            "must be more than 0 and not more than 1",
        )?;
        Invalid::unless(
            (1..=1_000_000).contains(&self.max_templates),
            "max_templates",
            "must be between 1 and 1000000",
        )?;
        let bert = self.embedder.kind == EmbedderKind::Bert;
        Invalid::unless(
            !bert || cfg!(feature = "bert"),
            "embedder.kind",
            "this build has no feature `bert`",
        )?;
        Invalid::unless(
            bert == self.embedder.path.is_some(),
            "embedder.path",
            if bert { "must name the model's directory" } else { "is only for `bert`" },
        )
    }
}
