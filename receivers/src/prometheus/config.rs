//! Settings of the `prometheus` receiver: the collector's keys around Prometheus's own `global` and `scrape_configs`.

use std::collections::{BTreeMap, BTreeSet};

use config::{ByteSize, Duration, Invalid, Validate};
use schemars::JsonSchema;
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};

use super::auth::{Authorization, BasicAuth, TlsConfig};
use super::relabel::RelabelConfig;
use config::Opaque;

/// Settings of the `prometheus` receiver.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What to scrape and how, as in `prometheus.yml`.
    pub config: PrometheusConfig,
    /// Remove the suffixes for type and unit (`_total`, `_seconds`) from metric names.
    pub trim_metric_suffixes: bool,
    /// Also report `scrape_timeout_seconds`, `scrape_sample_limit` and `scrape_body_size_bytes` for every target.
    pub report_extra_scrape_metrics: bool,
}

/// The part of `prometheus.yml` that is about scraping.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PrometheusConfig {
    /// Defaults for every job.
    pub global: GlobalConfig,
    /// The jobs.
    pub scrape_configs: Vec<ScrapeConfig>,
}

/// Defaults for every job.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GlobalConfig {
    /// How often to scrape.
    pub scrape_interval: Duration,
    /// How long a scrape may take.
    pub scrape_timeout: Duration,
    /// Accepted because `prometheus.yml` has it; no rules are evaluated here.
    pub evaluation_interval: Option<Duration>,
    /// Labels for every series that does not have them.
    #[serde(deserialize_with = "scalar_map")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub external_labels: BTreeMap<String, String>,
}

impl Default for GlobalConfig {
    fn default() -> Self {
        Self {
            scrape_interval: Duration::from_secs(60),
            scrape_timeout: Duration::from_secs(10),
            evaluation_interval: None,
            external_labels: BTreeMap::new(),
        }
    }
}

/// One job: targets that are scraped alike.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ScrapeConfig {
    /// The job's name; becomes `service.name`. Each name once.
    #[serde(deserialize_with = "scalar")]
    #[schemars(with = "String")]
    pub job_name: String,
    /// How often to scrape; the global value if not given.
    pub scrape_interval: Option<Duration>,
    /// How long a scrape may take; the global value, at most `scrape_interval`, if not given.
    pub scrape_timeout: Option<Duration>,
    /// The path to scrape.
    pub metrics_path: String,
    /// `http` or `https`.
    pub scheme: Scheme,
    /// Parameters of the URL.
    pub params: BTreeMap<String, Vec<String>>,
    /// Keep a sample's own labels where they clash with the target's, instead of renaming them to `exported_*`.
    pub honor_labels: bool,
    /// Keep the timestamps that targets give.
    pub honor_timestamps: bool,
    /// Mark series that vanish even if they have timestamps of their own.
    pub track_timestamps_staleness: bool,
    /// Targets by address.
    pub static_configs: Vec<TargetGroup>,
    /// Targets from files.
    pub file_sd_configs: Vec<FileSdConfig>,
    /// Rules that rewrite or drop targets.
    pub relabel_configs: Vec<RelabelConfig>,
    /// Rules that rewrite or drop samples.
    pub metric_relabel_configs: Vec<RelabelConfig>,
    /// User name and password.
    pub basic_auth: Option<BasicAuth>,
    /// Another kind of credentials.
    pub authorization: Option<Authorization>,
    /// A bearer token; older spelling of `authorization`.
    pub bearer_token: Opaque,
    /// A file with a bearer token, read at every scrape; older spelling of `authorization`.
    pub bearer_token_file: String,
    /// TLS, for the scheme `https`.
    pub tls_config: TlsConfig,
    /// A proxy for all requests of the job.
    pub proxy_url: String,
    /// Whether redirects are followed.
    pub follow_redirects: bool,
    /// Whether HTTP/2 is offered on TLS connections.
    pub enable_http2: bool,
    /// A scrape with more samples than this, after `metric_relabel_configs`, fails; `0` for no limit.
    pub sample_limit: u64,
    /// A scrape whose body is larger than this, after decompression, fails. `0` means 64 MiB: there is always a bound.
    pub body_size_limit: ByteSize,
    /// A scrape with a sample with more labels than this fails; `0` for no limit.
    pub label_limit: usize,
    /// A scrape with a longer label name than this fails; `0` for no limit.
    pub label_name_length_limit: usize,
    /// A scrape with a longer label value than this fails; `0` for no limit.
    pub label_value_length_limit: usize,
    /// With more targets than this, after `relabel_configs`, every scrape of the job fails; `0` for no limit.
    pub target_limit: usize,
    /// Ask for gzip.
    pub enable_compression: bool,
}

/// How targets are spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Plain HTTP.
    #[default]
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// As in a URL.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Targets that share labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TargetGroup {
    /// Addresses: `host:port`.
    pub targets: Vec<String>,
    /// Labels for all of them.
    #[serde(deserialize_with = "scalar_map")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub labels: BTreeMap<String, String>,
}

/// Targets from files.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FileSdConfig {
    /// Files in JSON (`.json`) or YAML (`.yml`, `.yaml`); the last part of a path may be a pattern such as `*.json`.
    pub files: Vec<String>,
    /// The files are read again this often, and at least every 5 seconds.
    pub refresh_interval: Duration,
}

impl Default for FileSdConfig {
    fn default() -> Self {
        Self { files: Vec::new(), refresh_interval: Duration::from_secs(300) }
    }
}

impl Default for ScrapeConfig {
    fn default() -> Self {
        Self {
            job_name: String::new(),
            scrape_interval: None,
            scrape_timeout: None,
            metrics_path: "/metrics".to_owned(),
            scheme: Scheme::Http,
            params: BTreeMap::new(),
            honor_labels: false,
            honor_timestamps: true,
            track_timestamps_staleness: false,
            static_configs: Vec::new(),
            file_sd_configs: Vec::new(),
            relabel_configs: Vec::new(),
            metric_relabel_configs: Vec::new(),
            basic_auth: None,
            authorization: None,
            bearer_token: Opaque::default(),
            bearer_token_file: String::new(),
            tls_config: TlsConfig::default(),
            proxy_url: String::new(),
            follow_redirects: true,
            enable_http2: true,
            sample_limit: 0,
            body_size_limit: ByteSize(0),
            label_limit: 0,
            label_name_length_limit: 0,
            label_value_length_limit: 0,
            target_limit: 0,
            enable_compression: true,
        }
    }
}

impl ScrapeConfig {
    /// How often to scrape.
    pub(super) fn interval(&self, global: &GlobalConfig) -> Duration {
        self.scrape_interval.unwrap_or(global.scrape_interval)
    }

    /// How long a scrape may take.
    pub(super) fn timeout(&self, global: &GlobalConfig) -> Duration {
        self.scrape_timeout.unwrap_or_else(|| global.scrape_timeout.min(self.interval(global)))
    }

    /// The largest body that is taken, after decompression.
    pub(super) fn max_body(&self) -> usize {
        /// A million samples fit; more would be a target gone wrong.
        const DEFAULT: ByteSize = ByteSize::from_mib(64);
        if self.body_size_limit.0 == 0 { DEFAULT.as_usize() } else { self.body_size_limit.as_usize() }
    }

    fn validate(&self, global: &GlobalConfig, at: &dyn Fn(&str) -> String) -> Result<(), Invalid> {
        let unless = |ok, key: &str, message| Invalid::unless(ok, &at(key), message);
        unless(!self.job_name.is_empty(), "job_name", "is required")?;
        let (interval, timeout) = (self.interval(global), self.timeout(global));
        unless(!interval.is_zero(), "scrape_interval", "must be positive")?;
        unless(!timeout.is_zero(), "scrape_timeout", "must be positive")?;
        unless(timeout <= interval, "scrape_timeout", "must not be longer than the scrape interval")?;
        for (key, rules) in [
            ("relabel_configs", &self.relabel_configs),
            ("metric_relabel_configs", &self.metric_relabel_configs),
        ] {
            for (i, rule) in rules.iter().enumerate() {
                rule.compile(&at(&format!("{key}.{i}")))?;
            }
        }
        for (i, files) in self.file_sd_configs.iter().enumerate() {
            for file in &files.files {
                super::discovery::check_pattern(file)
                    .map_err(|reason| Invalid::new(at(&format!("file_sd_configs.{i}.files")), reason))?;
            }
        }
        let token = !self.bearer_token.is_empty() || !self.bearer_token_file.is_empty();
        let kinds = [self.basic_auth.is_some(), self.authorization.is_some(), token];
        let one_kind = kinds.into_iter().filter(|used| *used).count() <= 1;
        unless(one_kind, "authorization", "give one of basic_auth, authorization and bearer_token")?;
        if let Some(auth) = &self.basic_auth {
            auth.validate().map_err(|error| Invalid::new(at("basic_auth"), error))?;
        }
        if let Some(auth) = &self.authorization {
            auth.validate().map_err(|error| Invalid::new(at("authorization"), error))?;
        }
        self.tls_config
            .to_client()
            .validate()
            .map_err(|error| Invalid::new(at("tls_config"), error.to_string()))
    }
}

impl Validate for Config {
    fn validate(&self) -> Result<(), Invalid> {
        let PrometheusConfig { global, scrape_configs } = &self.config;
        Invalid::unless(!scrape_configs.is_empty(), "config.scrape_configs", "must have at least one job")?;
        let mut names = BTreeSet::new();
        for (i, job) in scrape_configs.iter().enumerate() {
            let at = |key: &str| format!("config.scrape_configs.{i}.{key}");
            job.validate(global, &at)?;
            Invalid::unless(names.insert(&job.job_name), &at("job_name"), "is taken by another job")?;
        }
        Ok(())
    }
}

/// Text that may be written as a number or a truth value, as YAML for Prometheus often has it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Bool(bool),
    Int(i64),
    Float(f64),
}

impl From<Scalar> for String {
    fn from(scalar: Scalar) -> Self {
        match scalar {
            Scalar::Text(text) => text,
            Scalar::Bool(value) => value.to_string(),
            Scalar::Int(value) => value.to_string(),
            Scalar::Float(value) => value.to_string(),
        }
    }
}

/// Text, or another scalar as text.
pub(super) fn scalar<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Scalar::deserialize(deserializer).map(Into::into).map_err(|_| D::Error::custom("expected text"))
}

/// A list of [`scalar`]s.
pub(super) fn scalars<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let list = Option::<Vec<Scalar>>::deserialize(deserializer)?;
    Ok(list.unwrap_or_default().into_iter().map(Into::into).collect())
}

/// A map of [`scalar`]s.
fn scalar_map<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let map = Option::<BTreeMap<String, Scalar>>::deserialize(deserializer)?;
    Ok(map.unwrap_or_default().into_iter().map(|(key, value)| (key, value.into())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &serde_json::Value) -> Result<Config, config::Errors> {
        config::Section::from_json("prometheus", json).parse()
    }

    #[test]
    fn a_usual_configuration_is_taken_with_the_usual_defaults() {
        let config = parse(&serde_json::json!({"config": {
            "global": {"scrape_interval": "15s", "external_labels": {"shard": 1}},
            "scrape_configs": [{"job_name": "node", "static_configs": [{"targets": ["a:9100"], "labels": {"tier": 2}}]}],
        }}))
        .unwrap();
        let job = &config.config.scrape_configs[0];
        assert_eq!(job.interval(&config.config.global), Duration::from_secs(15));
        assert_eq!(job.timeout(&config.config.global), Duration::from_secs(10));
        assert_eq!(job.metrics_path, "/metrics");
        assert_eq!(job.static_configs[0].labels["tier"], "2");
        assert!(job.honor_timestamps && job.enable_compression && !job.honor_labels);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let job = |job: serde_json::Value| {
            let json = serde_json::json!({"config": {"scrape_configs": [job]}});
            parse(&json).unwrap_err().0.remove(0).path
        };
        let place = |key| format!("prometheus.config.scrape_configs.0.{key}");
        assert_eq!(job(serde_json::json!({})), place("job_name"));
        let long = serde_json::json!({"job_name": "a", "scrape_interval": "5s", "scrape_timeout": "6s"});
        assert_eq!(job(long), place("scrape_timeout"));
        let rule =
            serde_json::json!({"job_name": "a", "relabel_configs": [{"action": "keep", "regex": "("}]});
        assert_eq!(job(rule), place("relabel_configs.0.regex"));
        let twice =
            serde_json::json!({"job_name": "a", "bearer_token": "x", "basic_auth": {"username": "y"}});
        assert_eq!(job(twice), place("authorization"));
        assert!(parse(&serde_json::json!({})).is_err());
    }

    #[test]
    fn secrets_are_not_printed() {
        let config = parse(&serde_json::json!({"config": {"scrape_configs": [
            {"job_name": "a", "basic_auth": {"username": "u", "password": "hunter2"}}]}}));
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
