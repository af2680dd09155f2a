//! Tests of the whole-configuration check against a small registry that builds nothing.

use component::delivery::DeliverySettings;
use component::{
    Affinity, BuildError, ConfigSpec, ConnectorFactory, Context, ExporterFactory, ExtensionFactory,
    ProcessorFactory, ReceiverFactory, Registry, Stability,
};
use config::{ComponentId, Endpoint, Errors, Section, Source, Validate};
use pdata::{Signal, SignalSet};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::validate;

/// Settings for tests.
#[derive(Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Where it listens.
    endpoint: Option<String>,
    /// Another component.
    storage: Option<ComponentId>,
}

impl Validate for Settings {
    fn endpoints(&self) -> Vec<Endpoint> {
        self.endpoint.iter().map(Endpoint::tcp).collect()
    }

    fn references(&self) -> Vec<ComponentId> {
        self.storage.iter().cloned().collect()
    }
}

fn never<T: ?Sized>(_: &Section, _: &Context) -> Result<Box<T>, BuildError> {
    Err(BuildError::other("only for validation"))
}

const SPEC: ConfigSpec = ConfigSpec::of::<Settings>();
const LOGS: SignalSet = SignalSet::of(&[Signal::Logs]);

const fn receiver(type_name: &'static str, signals: SignalSet) -> ReceiverFactory {
    ReceiverFactory {
        type_name,
        aliases: &[],
        stability: Stability::Beta,
        signals,
        config: SPEC,
        create: never,
    }
}

static REGISTRY: Registry = Registry {
    receivers: &[receiver("otlp", SignalSet::TELEMETRY), receiver("filelog", LOGS)],
    processors: &[ProcessorFactory {
        type_name: "drain",
        aliases: &["miner"],
        stability: Stability::Beta,
        signals: LOGS,
        affinity: Affinity::Anywhere,
        config: SPEC,
        create: never,
    }],
    exporters: &[ExporterFactory {
        type_name: "debug",
        aliases: &[],
        stability: Stability::Beta,
        signals: SignalSet::ALL,
        config: SPEC,
        delivery: DeliverySettings::local,
        create: never,
    }],
    connectors: &[ConnectorFactory {
        type_name: "forward",
        aliases: &[],
        stability: Stability::Beta,
        inputs: SignalSet::ALL,
        outputs: SignalSet::ALL,
        config: SPEC,
        create: never,
    }],
    extensions: &[
        ExtensionFactory {
            type_name: "file_storage",
            aliases: &[],
            stability: Stability::Beta,
            config: SPEC,
            is_storage: true,
            create: never,
        },
        ExtensionFactory {
            type_name: "health_check",
            aliases: &[],
            stability: Stability::Beta,
            config: SPEC,
            is_storage: false,
            create: never,
        },
    ],
};

fn check(yaml: &str) -> Result<Vec<String>, Errors> {
    let config = config::load(&[Source::Yaml(yaml.to_owned())], &[], &|_| None)?;
    validate(&config, &REGISTRY).map(|warnings| warnings.iter().map(ToString::to_string).collect())
}

fn wrong(yaml: &str) -> String {
    check(yaml).unwrap_err().to_string()
}

#[test]
fn a_sound_configuration_has_no_warnings() {
    let yaml = "
receivers: {otlp: , filelog: {storage: file_storage}}
processors: {miner: }
exporters: {debug: {sending_queue: {storage: file_storage}, dead_letter: debug/2}, debug/2: }
extensions: {file_storage: }
connectors: {forward: }
service:
  extensions: [file_storage]
  state: {storage: file_storage}
  pipelines:
    logs: {receivers: [otlp, filelog], processors: [miner], exporters: [forward]}
    all: {receivers: [forward], exporters: [debug]}
";
    assert_eq!(check(yaml).unwrap(), Vec::<String>::new());
}

#[test]
fn everything_wrong_is_reported_at_once() {
    let yaml = "
receivers: {otlpp: , filelog: {endpont: x}}
processors: {drain: }
exporters: {debug: {sending_queue: {queue_size: 0, storage: health_check}, dead_letter: nowhere}}
extensions: {health_check: }
connectors: {forward: }
service:
  extensions: [helth_check]
  pipelines:
    traces: {receivers: [filelog], processors: [drain, dran], exporters: [debug, forward]}
    metrics: {receivers: [otlpp]}
";
    insta::assert_snapshot!(wrong(yaml), @r"
    yaml::2:13: receivers.otlpp: unknown receiver type `otlpp` (did you mean `otlp`?)
    yaml::2:32: receivers.filelog.endpont: unknown key (did you mean `endpoint`?)
    yaml::4:49: exporters.debug.sending_queue.queue_size: must be at least 1
    yaml::4:61: exporters.debug.sending_queue.storage: the extension `health_check` offers no storage
    yaml::4:89: exporters.debug.dead_letter: there is no exporter `nowhere` under `exporters`
    yaml::6:14: connectors.forward: the connector is used as exporter but by no pipeline as receiver
    yaml::8:16: service.extensions.0: there is no extension `helth_check` under `extensions` (did you mean `health_check`?)
    yaml::10:26: service.pipelines.traces.receivers.0: the receiver `filelog` brings logs, this pipeline carries traces
    yaml::10:49: service.pipelines.traces.processors.0: the processor `drain` takes logs, this pipeline carries traces
    yaml::10:56: service.pipelines.traces.processors.1: there is no processor `dran` under `processors` (did you mean `drain`?)
    yaml::11:5: service.pipelines.metrics: a pipeline needs at least one of `exporters`
    ");
}

#[test]
fn pipelines_that_feed_each_other_are_refused() {
    let yaml = "
receivers: {otlp: }
exporters: {debug: }
connectors: {forward/a: , forward/b: }
service:
  pipelines:
    logs/a: {receivers: [otlp, forward/b], exporters: [forward/a]}
    logs/b: {receivers: [forward/a], exporters: [debug, forward/b]}
";
    insta::assert_snapshot!(wrong(yaml), @"yaml::7:5: service.pipelines.logs/a: the pipelines `logs/a`, `logs/b` feed each other in a circle");
}

#[test]
fn ports_taken_twice_are_found_even_on_other_names_of_the_same_address() {
    let yaml = |a: &str, b: &str| {
        format!(
            "receivers: {{otlp/a: {{endpoint: '{a}'}}, otlp/b: {{endpoint: '{b}'}}}}
exporters: {{debug: }}
service: {{pipelines: {{logs: {{receivers: [otlp/a, otlp/b], exporters: [debug]}}}}}}"
        )
    };
    for (a, b) in [("0.0.0.0:1", "127.0.0.1:1"), ("localhost:1", "127.0.0.1:1"), ("[::]:1", ":1")] {
        assert!(wrong(&yaml(a, b)).contains("is already taken by `receivers.otlp/a`"), "{a} {b}");
    }
    for (a, b) in [("0.0.0.0:1", "127.0.0.1:2"), ("10.0.0.1:1", "127.0.0.1:1"), (":0", ":0")] {
        assert!(check(&yaml(a, b)).is_ok(), "{a} {b}");
    }
    assert!(wrong(&yaml(":8888", ":1")).contains("own metrics"));
}

#[test]
fn what_is_not_used_is_warned_about() {
    let yaml = "
receivers: {otlp: , otlp/idle: }
exporters: {debug: }
service: {pipelines: {logs: {receivers: [otlp], exporters: [debug]}}}
";
    assert_eq!(
        check(yaml).unwrap(),
        ["yaml::2:21: receivers.otlp/idle: the receiver is defined but not used"]
    );
}

#[test]
fn an_unknown_type_says_what_there_is() {
    let yaml = |name: &str| {
        format!(
            "
receivers: {{{name}: }}
exporters: {{debug: }}
service: {{pipelines: {{logs: {{receivers: [{name}], exporters: [debug]}}}}}}
"
        )
    };
    assert!(
        wrong(&yaml("kubernetes"))
            .contains("unknown receiver type `kubernetes` (this build has otlp, filelog)")
    );
    assert!(
        wrong(&yaml("debug"))
            .contains("unknown receiver type `debug` (that is the name of one of the exporters)")
    );
}
