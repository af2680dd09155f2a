//! Finds targets: from the configuration and from files.
//!
//! A file that cannot be read or parsed keeps the targets that it had.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use globset::GlobBuilder;

use super::config::TargetGroup;
use super::labels::Labels;
use super::target::{Job, Target};

/// Files are looked at least this often: as good as watching them, and it works on every file system.
const POLL: Duration = Duration::from_secs(5);
/// A larger file is no list of targets.
const MAX_FILE: u64 = 16 << 20;

/// Checks a path or pattern of `file_sd_configs`.
///
/// # Errors
/// If it has no known ending, or is no pattern.
pub(super) fn check_pattern(pattern: &str) -> Result<(), String> {
    let known = [".json", ".yml", ".yaml"].iter().any(|ending| pattern.ends_with(ending));
    if !known {
        return Err(format!("`{pattern}` must end with .json, .yml or .yaml"));
    }
    if Path::new(pattern).parent().is_some_and(|parent| parent.to_string_lossy().contains('*')) {
        return Err(format!("`{pattern}`: only the last part of a path may be a pattern"));
    }
    GlobBuilder::new(pattern).literal_separator(true).build().map(drop).map_err(|error| error.to_string())
}

/// Why a file gives no targets.
#[derive(Debug, thiserror::Error)]
enum FileError {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("larger than {MAX_FILE} bytes")]
    TooLarge,
    #[error("{0}")]
    Malformed(String),
}

/// Finds the targets of one job.
pub(super) struct Discovery {
    job: Arc<Job>,
    files: BTreeMap<PathBuf, Known>,
}

/// What is known of a file.
#[derive(Default)]
struct Known {
    groups: Vec<TargetGroup>,
    /// What was last said about it, so that it is said once.
    problem: Option<String>,
}

impl Discovery {
    pub(super) const fn new(job: Arc<Job>) -> Self {
        Self { job, files: BTreeMap::new() }
    }

    /// How often to look again; `None` if nothing can change.
    pub(super) fn interval(&self) -> Option<Duration> {
        let intervals = self.job.config.file_sd_configs.iter().map(|files| files.refresh_interval.get());
        intervals.min().map(|interval| interval.clamp(Duration::from_millis(100), POLL))
    }

    /// All targets as they are now, each once. Reads files, so it may block.
    pub(super) fn targets(&mut self) -> Vec<Target> {
        self.read_files();
        let job = &self.job;
        let mut targets = Vec::new();
        let mut known = BTreeSet::new();
        let mut add = |group: &TargetGroup, file: Option<&Path>| {
            for address in &group.targets {
                let mut labels: Labels<'static> = group.labels.clone().into_iter().collect();
                labels.set("__address__", address.clone());
                if let Some(file) = file {
                    labels.set("__meta_filepath", file.to_string_lossy().into_owned());
                }
                match Target::new(job, labels) {
                    Ok(Some(target)) => {
                        if known.insert(target.identity()) {
                            targets.push(target);
                        }
                    }
                    Ok(None) => {}
                    Err(error) => {
                        tracing::warn!(job = job.config.job_name, address, %error, "target cannot be scraped");
                    }
                }
            }
        };
        job.config.static_configs.iter().for_each(|group| add(group, None));
        for (path, file) in &self.files {
            file.groups.iter().for_each(|group| add(group, Some(path)));
        }
        targets
    }

    fn read_files(&mut self) {
        let patterns = self.job.config.file_sd_configs.iter().flat_map(|files| &files.files);
        let present: BTreeSet<PathBuf> = patterns.flat_map(|pattern| matching(pattern)).collect();
        self.files.retain(|path, _| present.contains(path));
        for path in present {
            let known = self.files.entry(path.clone()).or_default();
            match read(&path) {
                Ok(groups) => *known = Known { groups, problem: None },
                Err(error) => {
                    let problem = error.to_string();
                    if known.problem.as_ref() != Some(&problem) {
                        tracing::warn!(
                            job = self.job.config.job_name,
                            path = %path.display(),
                            error = problem,
                            "file of targets is not usable; its former targets stay"
                        );
                    }
                    known.problem = Some(problem);
                }
            }
        }
    }
}

/// The files that match a pattern, or the path itself if it is none.
fn matching(pattern: &str) -> Vec<PathBuf> {
    let path = Path::new(pattern);
    if !pattern.contains(['*', '?', '[', '{']) {
        return if path.exists() { vec![path.to_owned()] } else { Vec::new() };
    }
    // Checked when the configuration was.
    let Ok(glob) = GlobBuilder::new(pattern).literal_separator(true).build() else { return Vec::new() };
    let matcher = glob.compile_matcher();
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let Ok(entries) = std::fs::read_dir(parent.unwrap_or(Path::new("."))) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| match parent {
        Some(_) => entry.path(),
        None => PathBuf::from(entry.file_name()),
    });
    paths.filter(|path| matcher.is_match(path)).collect()
}

fn read(path: &Path) -> Result<Vec<TargetGroup>, FileError> {
    if std::fs::metadata(path)?.len() > MAX_FILE {
        return Err(FileError::TooLarge);
    }
    let text = std::fs::read_to_string(path)?;
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    if path.extension().is_some_and(|extension| extension == "json") {
        serde_json::from_str(&text).map_err(|error| FileError::Malformed(error.to_string()))
    } else {
        serde_saphyr::from_str(&text).map_err(|error| FileError::Malformed(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prometheus::config::Config;

    fn discovery(files: &str) -> Discovery {
        let json = serde_json::json!({"config": {"scrape_configs": [{"job_name": "a",
            "static_configs": [{"targets": ["s:1", "s:1"]}], "file_sd_configs": [{"files": [files]}]}]}});
        let config: Config = ::config::Section::from_json("prometheus", &json).parse().unwrap();
        Discovery::new(Arc::new(Job::all(&config).unwrap().remove(0)))
    }

    fn instances(discovery: &mut Discovery) -> Vec<String> {
        discovery.targets().iter().map(|target| target.labels.get("instance").to_owned()).collect()
    }

    #[test]
    fn files_come_change_break_and_go() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let mut discovery =
            discovery(path("*.{json,yml}").to_str().unwrap().replace("{json,yml}", "json").as_str());
        assert_eq!(instances(&mut discovery), ["s:1"]);
        std::fs::write(path("x.json"), r#"[{"targets": ["x:1", "x:2"], "labels": {"n": 1}}]"#).unwrap();
        std::fs::write(path("other.txt"), "no targets").unwrap();
        assert_eq!(instances(&mut discovery), ["s:1", "x:1", "x:2"]);
        std::fs::write(path("x.json"), "[{").unwrap();
        assert_eq!(instances(&mut discovery), ["s:1", "x:1", "x:2"]);
        std::fs::write(path("x.json"), r#"[{"targets": ["x:2"]}]"#).unwrap();
        assert_eq!(instances(&mut discovery), ["s:1", "x:2"]);
        std::fs::remove_file(path("x.json")).unwrap();
        assert_eq!(instances(&mut discovery), ["s:1"]);
    }

    #[test]
    fn yaml_is_read_too() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.yml");
        std::fs::write(&path, "- targets: ['y:1']\n  labels:\n    tier: 3\n").unwrap();
        let mut discovery = discovery(path.to_str().unwrap());
        let targets = discovery.targets();
        assert_eq!(targets[1].labels.get("tier"), "3");
    }

    #[test]
    fn patterns_are_checked() {
        assert!(check_pattern("/etc/targets/*.json").is_ok());
        assert!(check_pattern("targets.txt").is_err());
        assert!(check_pattern("/etc/*/a.json").is_err());
    }
}
