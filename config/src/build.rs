//! From the merged tree to the typed [`Config`].

use indexmap::IndexMap;

use crate::model::{
    Config, LogEncoding, LogLevel, LogSettings, MetricLevel, MetricSettings, Pipeline, PipelineId, Service,
    StateSettings, Telemetry,
};
use crate::read::{At, error, join};
use crate::{ComponentId, ConfigError, Duration, Errors, Location, Node, Section, Value};

const TOP_LEVEL: &[&str] = &["receivers", "processors", "exporters", "connectors", "extensions", "service"];
const SERVICE: &[&str] = &["extensions", "pipelines", "telemetry", "state", "shutdown_timeout"];
const PIPELINE: &[&str] = &["receivers", "processors", "exporters", "workers"];
/// Keys of the collector's telemetry settings that its users have in their files and that change nothing here.
const LOGS_WITHOUT_EFFECT: &[&str] = &[
    "development",
    "disable_caller",
    "disable_stacktrace",
    "disable_zap_resource",
    "error_output_paths",
    "initial_fields",
    "output_paths",
    "processors",
    "sampling",
];

/// Builds a configuration, and adds what is wrong or deserves a look.
pub(crate) struct Builder<'a> {
    pub(crate) errors: &'a mut Errors,
    pub(crate) warnings: &'a mut Vec<ConfigError>,
}

impl Builder<'_> {
    pub(crate) fn config(&mut self, tree: &Node) -> Config {
        let at = At { node: tree, path: "" };
        at.keys(TOP_LEVEL, self.errors);
        let config = Config {
            receivers: self.sections(tree, "receivers"),
            processors: self.sections(tree, "processors"),
            exporters: self.sections(tree, "exporters"),
            connectors: self.sections(tree, "connectors"),
            extensions: self.sections(tree, "extensions"),
            service: self.service(tree),
            warnings: Vec::new(),
            tree: tree.clone(),
            files: Vec::new(),
        };
        if tree.get("service").is_none() && self.errors.0.is_empty() {
            let message = "there is no `service`: name at least one pipeline under `service.pipelines`";
            self.errors.0.push(error(&tree.location, "service", message, None));
        }
        config
    }

    fn sections(&mut self, tree: &Node, kind: &str) -> IndexMap<ComponentId, Section> {
        let mut sections = IndexMap::new();
        let Some(node) = tree.get(kind) else { return sections };
        for (key, (location, node)) in (At { node, path: kind }).map(self.errors) {
            let path = join(kind, key);
            match key.parse::<ComponentId>() {
                Err(wrong) => self.errors.0.push(error(location, &path, wrong.to_string(), None)),
                Ok(id) => {
                    if !matches!(node.value, Value::Map(_) | Value::Null) {
                        let message = format!("expected a map of settings, found {}", node.kind());
                        self.errors.0.push(error(&node.location, &path, message, None));
                    }
                    // Two spellings of one id, such as `otlp/a` and `otlp/ a`.
                    if sections.contains_key(&id) {
                        self.errors.0.push(error(location, &path, format!("`{id}` is defined twice"), None));
                    }
                    sections.insert(
                        id.clone(),
                        Section { id, path, location: location.clone(), node: node.clone() },
                    );
                }
            }
        }
        sections
    }

    fn service(&mut self, tree: &Node) -> Service {
        let mut service = Service {
            location: tree.location.clone(),
            extensions: Vec::new(),
            pipelines: IndexMap::new(),
            telemetry: Telemetry::default(),
            state: StateSettings::default(),
            shutdown_timeout: Duration::from_secs(30),
        };
        let Some(node) = tree.get("service") else { return service };
        service.location = node.location.clone();
        for (key, (location, node)) in (At { node, path: "service" }).keys(SERVICE, self.errors) {
            let path = join("service", key);
            let at = At { node, path: &path };
            match key.as_str() {
                "extensions" => service.extensions = at.ids(self.errors),
                "pipelines" => service.pipelines = self.pipelines(at, location),
                "telemetry" => service.telemetry = self.telemetry(at),
                "state" => service.state = self.state(at),
                "shutdown_timeout" => {
                    service.shutdown_timeout = at.duration(self.errors).unwrap_or(service.shutdown_timeout);
                }
                _ => {}
            }
        }
        service
    }

    fn pipelines(&mut self, at: At<'_>, location: &Location) -> IndexMap<PipelineId, Pipeline> {
        let mut pipelines = IndexMap::new();
        let map = at.map(self.errors);
        if map.is_empty() {
            self.errors.0.push(error(location, at.path, "there must be at least one pipeline", None));
        }
        for (key, (location, node)) in map {
            let path = join(at.path, key);
            match key.parse::<PipelineId>() {
                Err(wrong) => self.errors.0.push(error(location, &path, wrong.to_string(), None)),
                Ok(id) => {
                    let pipeline = self.pipeline(At { node, path: &path }, location);
                    if pipelines.insert(id, pipeline).is_some() {
                        self.errors.0.push(error(location, &path, "this pipeline is defined twice", None));
                    }
                }
            }
        }
        pipelines
    }

    fn pipeline(&mut self, at: At<'_>, location: &Location) -> Pipeline {
        let mut pipeline = Pipeline {
            location: location.clone(),
            receivers: Vec::new(),
            processors: Vec::new(),
            exporters: Vec::new(),
            workers: None,
        };
        for (key, (_, node)) in at.keys(PIPELINE, self.errors) {
            let path = join(at.path, key);
            let at = At { node, path: &path };
            match key.as_str() {
                "receivers" => pipeline.receivers = at.ids(self.errors),
                "processors" => pipeline.processors = at.ids(self.errors),
                "exporters" => pipeline.exporters = at.ids(self.errors),
                "workers" => pipeline.workers = at.positive(self.errors),
                _ => {}
            }
        }
        pipeline
    }

    fn state(&mut self, at: At<'_>) -> StateSettings {
        let mut state = StateSettings::default();
        for (key, (_, node)) in at.keys(&["storage", "interval"], self.errors) {
            let path = join(at.path, key);
            let at = At { node, path: &path };
            match key.as_str() {
                "storage" => state.storage = at.parse(self.errors).map(|id| (id, node.location.clone())),
                "interval" => match at.duration(self.errors) {
                    Some(interval) if interval.is_zero() => {
                        self.errors.0.push(error(&node.location, &path, "must be longer than 0s", None));
                    }
                    interval => state.interval = interval.unwrap_or(state.interval),
                },
                _ => {}
            }
        }
        state
    }

    fn telemetry(&mut self, at: At<'_>) -> Telemetry {
        let mut telemetry = Telemetry::default();
        for (key, (location, node)) in at.keys(&["logs", "metrics", "resource", "traces"], self.errors) {
            let path = join(at.path, key);
            let at = At { node, path: &path };
            match key.as_str() {
                "logs" => telemetry.logs = self.logs(at),
                "metrics" => telemetry.metrics = self.metrics(at),
                "resource" | "traces" => self.without_effect(location, &path),
                _ => {}
            }
        }
        telemetry
    }

    fn without_effect(&mut self, location: &Location, path: &str) {
        self.warnings.push(error(location, path, "this setting of the collector has no effect here", None));
    }

    fn logs(&mut self, at: At<'_>) -> LogSettings {
        let mut logs = LogSettings::default();
        let known: Vec<_> = ["level", "encoding"].iter().chain(LOGS_WITHOUT_EFFECT).copied().collect();
        for (key, (location, node)) in at.keys(&known, self.errors) {
            let path = join(at.path, key);
            let at = At { node, path: &path };
            match key.as_str() {
                "level" => logs.level = at.one_of(LEVELS, self.errors).unwrap_or_default(),
                "encoding" => logs.encoding = at.one_of(ENCODINGS, self.errors).unwrap_or_default(),
                key if LOGS_WITHOUT_EFFECT.contains(&key) => self.without_effect(location, &path),
                _ => {}
            }
        }
        logs
    }

    fn metrics(&mut self, at: At<'_>) -> MetricSettings {
        let mut metrics = MetricSettings::default();
        for (key, (location, node)) in at.keys(&["level", "address", "readers", "views"], self.errors) {
            let path = join(at.path, key);
            let at = At { node, path: &path };
            match key.as_str() {
                "level" => metrics.level = at.one_of(METRIC_LEVELS, self.errors).unwrap_or_default(),
                "address" => metrics.addresses = at.text(self.errors).into_iter().collect(),
                "readers" => metrics.addresses = self.readers(at),
                "views" => self.without_effect(location, &path),
                _ => {}
            }
        }
        if metrics.level == MetricLevel::None {
            metrics.addresses.clear();
        }
        metrics
    }

    /// `readers: [{pull: {exporter: {prometheus: {host: ..., port: ...}}}}]`, as the collector writes it.
    fn readers(&mut self, at: At<'_>) -> Vec<String> {
        let readers = match &at.node.value {
            Value::List(readers) => readers.as_slice(),
            Value::Null => &[],
            _ => {
                let message = format!("expected a list of readers, found {}", at.node.kind());
                self.errors.0.push(error(&at.node.location, at.path, message, None));
                &[]
            }
        };
        let mut addresses = Vec::new();
        for (i, reader) in readers.iter().enumerate() {
            let path = join(at.path, &i.to_string());
            let prometheus = reader.get("pull").and_then(|pull| pull.get("exporter")?.get("prometheus"));
            match prometheus {
                Some(node) => {
                    let path = join(&path, "pull.exporter.prometheus");
                    addresses.extend(self.reader(At { node, path: &path }));
                }
                None => {
                    let message =
                        "only a reader `pull: {exporter: {prometheus: {host, port}}}` has an effect here";
                    self.warnings.push(error(&reader.location, &path, message, None));
                }
            }
        }
        addresses
    }

    fn reader(&mut self, at: At<'_>) -> Option<String> {
        let mut host = "localhost".to_owned();
        let mut port = None;
        let ignored = [
            "without_scope_info",
            "without_type_suffix",
            "without_units",
            "with_resource_constant_labels",
            "translation_strategy",
        ];
        let known: Vec<_> = ["host", "port"].into_iter().chain(ignored).collect();
        for (key, (location, node)) in at.keys(&known, self.errors) {
            let path = join(at.path, key);
            let at = At { node, path: &path };
            match key.as_str() {
                "host" => host = at.text(self.errors).unwrap_or(host),
                "port" => match node.value {
                    Value::Int(number) if (0..=65535).contains(&number) => port = Some(number),
                    _ => {
                        self.errors.0.push(error(&node.location, &path, "expected a port, 0 to 65535", None))
                    }
                },
                key if ignored.contains(&key) => self.without_effect(location, &path),
                _ => {}
            }
        }
        let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host };
        Some(format!("{host}:{}", port.unwrap_or(8888)))
    }
}

const LEVELS: &[(&str, LogLevel)] = &[
    ("debug", LogLevel::Debug),
    ("info", LogLevel::Info),
    ("warn", LogLevel::Warn),
    ("error", LogLevel::Error),
];

const ENCODINGS: &[(&str, LogEncoding)] =
    &[("console", LogEncoding::Text), ("text", LogEncoding::Text), ("json", LogEncoding::Json)];

const METRIC_LEVELS: &[(&str, MetricLevel)] = &[
    ("none", MetricLevel::None),
    ("basic", MetricLevel::Basic),
    ("normal", MetricLevel::Normal),
    ("detailed", MetricLevel::Detailed),
];
