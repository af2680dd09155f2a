//! Tests of what the commands print, over a build with one exporter.

use clap::Parser;
use component::delivery::DeliverySettings;
use component::{BuildError, ConfigSpec, Context, Exporter, ExporterFactory, Registry, Stability};
use config::{Duration, Opaque, Section, Validate};
use pdata::SignalSet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cli, Command, components, print_config, schema};

/// Sends telemetry to a sink.
#[derive(Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// How often.
    interval: Duration,
    /// Who may.
    auth: Auth,
    /// What to do | when full.
    mode: Option<Mode>,
}

/// Credentials.
#[derive(Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Auth {
    /// The key.
    pin: Opaque,
}

/// A choice.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Mode {
    /// Wait.
    Block,
    /// Let go.
    Drop,
}

impl Validate for Settings {}

fn never(_: &Section, _: &Context) -> Result<Box<dyn Exporter>, BuildError> {
    Err(BuildError::other("only described"))
}

static REGISTRY: Registry = Registry {
    receivers: &[],
    processors: &[],
    exporters: &[ExporterFactory {
        type_name: "sink",
        aliases: &["drain_pipe"],
        stability: Stability::Beta,
        signals: SignalSet::TELEMETRY,
        config: ConfigSpec::of::<Settings>(),
        delivery: DeliverySettings::default,
        create: never,
    }],
    connectors: &[],
    extensions: &[],
};

fn print_args(arguments: &[&str]) -> print_config::PrintConfigArgs {
    match Cli::try_parse_from([&["watchfire", "print-config"], arguments].concat()).unwrap().command {
        Some(Command::PrintConfig(args)) => args,
        other => panic!("{other:?}"),
    }
}

fn list(format: &str) -> String {
    match Cli::try_parse_from(["watchfire", "components", "--format", format]).unwrap().command {
        Some(Command::Components(args)) => components::run(&args, &REGISTRY).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_reference_lists_every_key_with_type_default_and_description() {
    let markdown = list("markdown");
    let (delivery, sink) = markdown.split_once("### sink\n").unwrap();
    assert!(delivery.contains(
        "| `retry_on_failure.max_interval` | duration | `30s` | The longest wait between two attempts. |"
    ));
    assert!(delivery.contains(
        "| `sending_queue.sizer` | `requests`, `items`, `bytes` | `requests` | What `queue_size` counts. |"
    ));
    insta::assert_snapshot!(sink, @r"
    Stability: Beta. Signals: traces, metrics, logs. Also named: `drain_pipe`.

    Sends telemetry to a sink.

    | key | type | default | description |
    |---|---|---|---|
    | `auth` | object |  | Who may. |
    | `auth.pin` | secret |  | The key. |
    | `interval` | duration | `0s` | How often. |
    | `mode` | `block`, `drop` |  | What to do \| when full. |
    ");
}

#[test]
fn the_list_has_name_stability_signals_and_aliases() {
    assert_eq!(list("text"), "exporters:\n  sink  Beta    traces, metrics, logs  (also drain_pipe)\n");
    let json: serde_json::Value = serde_json::from_str(&list("json")).unwrap();
    assert_eq!(json["exporters"][0]["aliases"][0], "drain_pipe");
}

#[test]
fn the_schema_knows_own_and_delivery_keys_under_every_name() {
    let json: serde_json::Value = serde_json::from_str(&schema::text(&REGISTRY).unwrap()).unwrap();
    let section =
        &json["properties"]["exporters"]["patternProperties"]["^(sink|drain_pipe)(/.+)?$"]["anyOf"][0];
    for key in ["interval", "auth", "mode", "sending_queue", "retry_on_failure", "timeout", "dead_letter"] {
        assert!(section["properties"].get(key).is_some(), "{key} in {section}");
    }
    assert!(json["$defs"].get("QueueSettings").is_some());
}

#[test]
fn secrets_are_printed_only_when_asked_for() {
    let yaml = "
receivers: {}
exporters: {sink/a: {interval: 1s, auth: {pin: s3cret}}}
service: {pipelines: {logs: {receivers: [], exporters: [sink/a]}}}
";
    let config = config::load(&[config::Source::Yaml(yaml.to_owned())], &[], &|_| None).unwrap();
    let print = |arguments: &[&str]| print_config::run(&print_args(arguments), &config, &REGISTRY);
    let redacted = print(&["--validate=false"]).unwrap();
    assert!(redacted.contains("[REDACTED]") && !redacted.contains("s3cret"), "{redacted}");
    let json = print(&["--validate=false", "--mode=unredacted", "--format=json"]).unwrap();
    assert!(json.contains(r#""pin": "s3cret""#), "{json}");
    assert!(print(&[]).is_err(), "a pipeline without receivers is not valid");
}

#[test]
fn what_is_printed_can_be_loaded_again() {
    let yaml = "
exporters: {sink: {a: '1', b: 'true', c: [1, 2.5, null, ~], d: 'x: y', e: \"l1\\nl2\\n\", f: ' s ', g: '', h: .5, i: '#'}}
service: {pipelines: {logs: {exporters: [sink]}}}
";
    let load = |yaml: String| config::load(&[config::Source::Yaml(yaml)], &[], &|_| None).unwrap();
    let config = load(yaml.to_owned());
    let printed =
        print_config::run(&print_args(&["--validate=false", "--mode=unredacted"]), &config, &REGISTRY)
            .unwrap();
    assert_eq!(load(printed).tree.to_json(), config.tree.to_json());
}
