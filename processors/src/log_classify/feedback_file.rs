//! The feedback file: what users say about templates.
//!
//! In: a list in YAML or JSON, or one JSON object a line. Out: feedback for the classifier. A changed file is read again; one that
//! has become unreadable leaves the last good one in force.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use analysis::logs::TemplateId;
use analysis::logs::classify::{Class, ClassSet, Feedback, Subject};
use serde::Deserialize;

/// Larger files are refused.
const MAX_BYTES: u64 = 8 << 20;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum FeedbackError {
    /// The file could not be read.
    #[error("cannot read the feedback file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("the feedback file {} is not usable: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    template_id: Option<String>,
    template: Option<String>,
    #[serde(default)]
    add: Vec<String>,
    #[serde(default)]
    remove: Vec<String>,
}

/// What tells one version of a file from another.
type Version = (Option<SystemTime>, u64);

/// A feedback file.
pub(super) struct FeedbackFile {
    path: PathBuf,
    version: Version,
    entries: Vec<Feedback>,
}

impl FeedbackFile {
    /// Reads the file.
    pub(super) fn open(path: &Path) -> Result<Self, FeedbackError> {
        let version = version(path)?;
        Ok(Self { path: path.to_owned(), version, entries: read(path)? })
    }

    /// Reads the file again if it has changed; returns whether it has. A file that is wrong is tried again only after
    /// its next change.
    pub(super) fn reload(&mut self) -> Result<bool, FeedbackError> {
        let version = version(&self.path)?;
        if version == self.version {
            return Ok(false);
        }
        self.version = version;
        self.entries = read(&self.path)?;
        Ok(true)
    }

    /// What it says.
    pub(super) fn entries(&self) -> &[Feedback] {
        &self.entries
    }
}

fn version(path: &Path) -> Result<Version, FeedbackError> {
    let metadata =
        std::fs::metadata(path).map_err(|source| FeedbackError::Read { path: path.to_owned(), source })?;
    Ok((metadata.modified().ok(), metadata.len()))
}

fn read(path: &Path) -> Result<Vec<Feedback>, FeedbackError> {
    let malformed = |reason: String| FeedbackError::Malformed { path: path.to_owned(), reason };
    if version(path)?.1 > MAX_BYTES {
        return Err(malformed(format!("it is larger than {} MiB", MAX_BYTES >> 20)));
    }
    let text = std::fs::read_to_string(path)
        .map_err(|source| FeedbackError::Read { path: path.to_owned(), source })?;
    let entries = parse(&text).map_err(malformed)?;
    let numbered = entries.into_iter().enumerate();
    numbered
        .map(|(i, entry)| entry.feedback().map_err(|reason| malformed(format!("entry {}: {reason}", i + 1))))
        .collect()
}

fn parse(text: &str) -> Result<Vec<Entry>, String> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    if text.trim_start().starts_with('{') {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        return lines
            .map(|(i, line)| serde_json::from_str(line).map_err(|error| format!("line {}: {error}", i + 1)))
            .collect();
    }
    // JSON is YAML.
    serde_saphyr::from_str(text).map_err(|error| error.to_string())
}

impl Entry {
    fn feedback(self) -> Result<Feedback, String> {
        let about = match (self.template_id, self.template) {
            (Some(id), None) => {
                Subject::Id(id.parse::<TemplateId>().map_err(|error| format!("`template_id`: {error}"))?)
            }
            (None, Some(text)) => Subject::Text(text),
            _ => return Err("needs either `template_id` or `template`".to_owned()),
        };
        let (add, remove) = (classes(&self.add)?, classes(&self.remove)?);
        if let Some(class) = add.and(remove).iter().next() {
            return Err(format!("`{class}` is in `add` and in `remove`"));
        }
        if add.is_empty() && remove.is_empty() {
            return Err("needs classes in `add` or `remove`".to_owned());
        }
        Ok(Feedback { about, add, remove })
    }
}

fn classes(names: &[String]) -> Result<ClassSet, String> {
    names.iter().map(|name| name.parse::<Class>().map_err(|error| error.to_string())).collect()
}
