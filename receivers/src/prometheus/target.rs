//! Jobs and their targets.
//!
//! In: a job's configuration and the labels that discovery found. Out: [`Target`]s, each with the URL to scrape and the
//! labels that its series get.

use std::hash::{BuildHasher, Hash};
use std::sync::Arc;
use std::time::Duration;

use config::Invalid;
use reqwest::Url;

use super::collect::ScrapeError;
use super::config::{Config, Scheme, ScrapeConfig};
use super::labels::Labels;
use super::relabel::{self, Rule};

/// A job, ready to use.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) config: ScrapeConfig,
    pub(super) target_rules: Vec<Rule>,
    pub(super) metric_rules: Vec<Rule>,
    pub(super) limits: LabelLimits,
    pub(super) external: Arc<Labels<'static>>,
    pub(super) trim_suffixes: bool,
    pub(super) extra_reports: bool,
    interval: Duration,
    timeout: Duration,
}

impl Job {
    /// The jobs of a configuration.
    ///
    /// # Errors
    /// If a relabelling rule cannot work.
    pub(super) fn all(config: &Config) -> Result<Vec<Self>, Invalid> {
        let global = &config.config.global;
        let external: Arc<Labels<'static>> = Arc::new(global.external_labels.clone().into_iter().collect());
        let compile = |rules: &[relabel::RelabelConfig], field: &str| -> Result<Vec<Rule>, Invalid> {
            rules.iter().map(|rule| rule.compile(field)).collect()
        };
        let job = |job: &ScrapeConfig| {
            Ok(Self {
                target_rules: compile(&job.relabel_configs, "relabel_configs")?,
                metric_rules: compile(&job.metric_relabel_configs, "metric_relabel_configs")?,
                limits: LabelLimits {
                    count: job.label_limit,
                    name: job.label_name_length_limit,
                    value: job.label_value_length_limit,
                },
                external: Arc::clone(&external),
                trim_suffixes: config.trim_metric_suffixes,
                extra_reports: config.report_extra_scrape_metrics,
                interval: job.interval(global).get(),
                timeout: job.timeout(global).get(),
                config: job.clone(),
            })
        };
        config.config.scrape_configs.iter().map(job).collect()
    }
}

/// Bounds of a sample's labels; 0 for none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LabelLimits {
    count: usize,
    name: usize,
    value: usize,
}

impl LabelLimits {
    pub(super) fn check(&self, labels: &Labels<'_>, line: usize) -> Result<(), ScrapeError> {
        let exceeds = |what, limit, size| {
            if limit > 0 && size > limit { Err(ScrapeError::Label { line, what, limit }) } else { Ok(()) }
        };
        // The name counts as a label, as in Prometheus.
        exceeds("the number of labels", self.count, labels.len() + 1)?;
        if self.name > 0 || self.value > 0 {
            for (name, value) in labels.iter() {
                exceeds("a label name's length", self.name, name.len())?;
                exceeds("a label value's length", self.value, value.len())?;
            }
        }
        Ok(())
    }
}

/// Something to scrape.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) job: Arc<Job>,
    pub(super) scheme: Scheme,
    pub(super) url: Url,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    /// What its series get; never starts with `__`.
    pub(super) labels: Labels<'static>,
}

/// Why discovered labels make no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TargetError {
    #[error("no address")]
    NoAddress,
    #[error("`{0}` is no address")]
    BadAddress(String),
    #[error("`{0}` is neither http nor https")]
    BadScheme(String),
    #[error("`{0}` is no duration")]
    BadDuration(String),
    #[error("the timeout is longer than the interval")]
    LongTimeout,
}

const ADDRESS: &str = "__address__";
const SCHEME: &str = "__scheme__";
const PATH: &str = "__metrics_path__";
const INTERVAL: &str = "__scrape_interval__";
const TIMEOUT: &str = "__scrape_timeout__";
const PARAM: &str = "__param_";

impl Target {
    /// The target with the labels that discovery found. `None` if the job's rules drop it.
    ///
    /// # Errors
    /// If the labels make no target.
    pub(super) fn new(job: &Arc<Job>, mut labels: Labels<'static>) -> Result<Option<Self>, TargetError> {
        let config = &job.config;
        let mut default = |name: &'static str, value: String| {
            if !labels.contains(name) {
                labels.set(name, value);
            }
        };
        default("job", config.job_name.clone());
        default(SCHEME, config.scheme.name().to_owned());
        default(PATH, config.metrics_path.clone());
        default(INTERVAL, config::Duration(job.interval).to_string());
        default(TIMEOUT, config::Duration(job.timeout).to_string());
        for (name, values) in &config.params {
            if let Some(first) = values.first() {
                labels.set(format!("{PARAM}{name}"), first.clone());
            }
        }
        if !relabel::apply(&job.target_rules, &mut labels) {
            return Ok(None);
        }
        let scheme = match labels.get(SCHEME) {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => return Err(TargetError::BadScheme(other.to_owned())),
        };
        let (interval, timeout) = (duration(labels.get(INTERVAL))?, duration(labels.get(TIMEOUT))?);
        if timeout > interval {
            return Err(TargetError::LongTimeout);
        }
        let url = url(&labels, scheme, config)?;
        if !labels.contains("instance") {
            let address = labels.get(ADDRESS).to_owned();
            labels.set("instance", address);
        }
        labels.retain(|name| !name.starts_with("__"));
        Ok(Some(Self { job: Arc::clone(job), scheme, url, interval, timeout, labels }))
    }

    /// What tells it apart from other targets of its job.
    pub(super) fn identity(&self) -> (Labels<'static>, Url, Duration, Duration) {
        (self.labels.clone(), self.url.clone(), self.interval, self.timeout)
    }

    /// How long after `now` its next scrape is due: every target has its own moment within the interval, the same after
    /// a restart.
    pub(super) fn offset(&self, now: pdata::Timestamp) -> Duration {
        // Fixed seeds: the moment must not depend on the process.
        let mut hasher = foldhash::fast::FixedState::default().build_hasher();
        (&self.labels, self.url.as_str()).hash(&mut hasher);
        let hash = std::hash::Hasher::finish(&hasher);
        let interval = u64::try_from(self.interval.as_nanos()).unwrap_or(u64::MAX).max(1);
        let (due, now) = (hash % interval, now.as_nanos() % interval);
        Duration::from_nanos(if due >= now { due - now } else { interval - (now - due) })
    }

    /// Adds the target's labels to a sample's. Where they clash, the sample's win if the job honours them; otherwise they
    /// are kept under `exported_*`.
    pub(super) fn add_labels<'a>(&'a self, labels: &mut Labels<'a>) {
        for (name, value) in self.labels.iter() {
            if labels.contains(name) {
                if self.job.config.honor_labels {
                    continue;
                }
                let mut exported = format!("exported_{name}");
                while labels.contains(&exported) || self.labels.contains(&exported) {
                    exported.insert_str(0, "exported_");
                }
                if let Some(own) = labels.take(name) {
                    labels.set(exported, own);
                }
            }
            labels.set(name, value);
        }
    }
}

fn duration(text: &str) -> Result<Duration, TargetError> {
    let bad = || TargetError::BadDuration(text.to_owned());
    let json = serde_json::Value::from(text);
    let duration: config::Duration = serde_json::from_value(json).map_err(|_| bad())?;
    if duration.is_zero() { Err(bad()) } else { Ok(duration.get()) }
}

fn url(labels: &Labels<'_>, scheme: Scheme, config: &ScrapeConfig) -> Result<Url, TargetError> {
    let address = labels.get(ADDRESS);
    if address.is_empty() {
        return Err(TargetError::NoAddress);
    }
    let bad = || TargetError::BadAddress(address.to_owned());
    if address.contains(['/', '?', '#', '@']) {
        return Err(bad());
    }
    let mut url = Url::parse(&format!("{}://{address}/", scheme.name())).map_err(|_| bad())?;
    let (path, query) = labels.get(PATH).split_once('?').unwrap_or((labels.get(PATH), ""));
    url.set_path(path);
    url.set_query(Some(query).filter(|query| !query.is_empty()));
    let relabelled = labels.iter().filter_map(|(name, value)| Some((name.strip_prefix(PARAM)?, value)));
    for (name, value) in relabelled {
        url.query_pairs_mut().append_pair(name, value);
    }
    for (name, values) in &config.params {
        for value in values.iter().skip(1) {
            url.query_pairs_mut().append_pair(name, value);
        }
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(json: serde_json::Value) -> Arc<Job> {
        let mut config = serde_json::json!({"config": {"scrape_configs": [null]}});
        config["config"]["scrape_configs"][0] = json;
        let config: Config = ::config::Section::from_json("prometheus", &config).parse().unwrap();
        Arc::new(Job::all(&config).unwrap().remove(0))
    }

    fn target(
        job: &Arc<Job>,
        labels: &[(&'static str, &'static str)],
    ) -> Result<Option<Target>, TargetError> {
        Target::new(job, labels.iter().copied().collect())
    }

    #[test]
    fn a_target_has_a_url_and_labels() {
        let job = job(serde_json::json!({"job_name": "node", "params": {"collect[]": ["cpu", "disk"]},
            "relabel_configs": [{"source_labels": ["__meta_zone"], "target_label": "zone"}]}));
        let target =
            target(&job, &[("__address__", "10.0.0.1:9100"), ("__meta_zone", "a")]).unwrap().unwrap();
        assert_eq!(target.url.as_str(), "http://10.0.0.1:9100/metrics?collect%5B%5D=cpu&collect%5B%5D=disk");
        let labels: Vec<_> = target.labels.iter().collect();
        assert_eq!(labels, [("instance", "10.0.0.1:9100"), ("job", "node"), ("zone", "a")]);
        assert_eq!((target.interval, target.timeout), (Duration::from_secs(60), Duration::from_secs(10)));
    }

    #[test]
    fn rules_may_redirect_the_scrape_or_drop_the_target() {
        let job = job(serde_json::json!({"job_name": "probe", "metrics_path": "/probe", "relabel_configs": [
            {"source_labels": ["__address__"], "target_label": "__param_target"},
            {"source_labels": ["__param_target"], "target_label": "instance"},
            {"target_label": "__address__", "replacement": "127.0.0.1:9115"},
            {"target_label": "__scrape_interval__", "replacement": "30s"},
            {"source_labels": ["instance"], "regex": "secret", "action": "drop"}]}));
        let probe = target(&job, &[("__address__", "example.com")]).unwrap().unwrap();
        assert_eq!(probe.url.as_str(), "http://127.0.0.1:9115/probe?target=example.com");
        assert_eq!(probe.labels.get("instance"), "example.com");
        assert_eq!(probe.interval, Duration::from_secs(30));
        assert!(target(&job, &[("__address__", "secret")]).unwrap().is_none());
    }

    #[test]
    fn labels_that_make_no_target_say_why() {
        let job = job(serde_json::json!({"job_name": "a"}));
        assert_eq!(target(&job, &[]).unwrap_err(), TargetError::NoAddress);
        assert!(matches!(target(&job, &[("__address__", "a/b")]), Err(TargetError::BadAddress(_))));
        let scheme = target(&job, &[("__address__", "a"), ("__scheme__", "ftp")]);
        assert_eq!(scheme.unwrap_err(), TargetError::BadScheme("ftp".to_owned()));
        let timeout = target(&job, &[("__address__", "a"), ("__scrape_timeout__", "2m")]);
        assert_eq!(timeout.unwrap_err(), TargetError::LongTimeout);
    }

    #[test]
    fn clashing_labels_are_exported_or_honoured() {
        let clash = |honor: bool| {
            let job = job(serde_json::json!({"job_name": "a", "honor_labels": honor}));
            let target = target(&job, &[("__address__", "h:1")]).unwrap().unwrap();
            let mut labels: Labels<'_> = [("job", "mine"), ("exported_job", "older")].into_iter().collect();
            target.add_labels(&mut labels);
            labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(clash(false), "exported_exported_job=mine exported_job=older instance=h:1 job=a");
        assert_eq!(clash(true), "exported_job=older instance=h:1 job=mine");
    }

    #[test]
    fn targets_are_spread_over_the_interval() {
        let job = job(serde_json::json!({"job_name": "a"}));
        let now = pdata::Timestamp::from_secs(1_700_000_000);
        let offsets: std::collections::BTreeSet<_> = (0..100)
            .map(|i| {
                Target::new(&job, [("__address__", format!("h:{i}"))].into_iter().collect()).unwrap().unwrap()
            })
            .map(|target| target.offset(now).as_secs())
            .collect();
        assert!(offsets.len() > 30, "{offsets:?}");
        assert!(offsets.iter().all(|offset| *offset < 60));
    }
}
