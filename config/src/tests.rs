//! Tests of loading: whole texts in, a configuration or all that is wrong out.

use proptest::prelude::*;

use crate::{Config, Errors, LogEncoding, LogLevel, Source, Value, load};

const PIPELINE: &str = "
receivers: {otlp: }
exporters: {debug: }
service: {pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}
";

fn environment(name: &str) -> Option<String> {
    match name {
        "PORT" => Some("4317".to_owned()),
        "EMPTY" => Some(String::new()),
        "SECRET" => Some("a$$b${c}".to_owned()),
        "LIST" => Some("[1, 2]".to_owned()),
        "NAME" => Some("PORT".to_owned()),
        _ => None,
    }
}

fn loaded(yamls: &[&str], sets: &[&str]) -> Result<Config, Errors> {
    let sources: Vec<_> = yamls.iter().map(|yaml| Source::Yaml((*yaml).to_owned())).collect();
    let sets: Vec<_> = sets.iter().map(|set| (*set).to_owned()).collect();
    load(&sources, &sets, &environment)
}

/// The value that `text` has as the endpoint of a receiver.
fn endpoint(text: &str) -> (Value, Option<String>) {
    let config = loaded(&[PIPELINE, &format!("receivers:\n  otlp:\n    endpoint: {text}")], &[]).unwrap();
    let node = config.receivers[0].node.get("endpoint").unwrap().clone();
    (node.value, node.written.map(|text| text.to_string()))
}

fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}

fn wrong(yamls: &[&str], sets: &[&str]) -> String {
    loaded(yamls, sets).unwrap_err().to_string()
}

#[test]
fn everything_wrong_is_reported_at_once_with_its_place() {
    let yaml = "
recievers: {}
receivers:
  otlp: 5
  9bad: {}
exporters:
  debug: {}
service:
  pipelines:
    tracess: {receivers: [otlp]}
    logs:
      receivers: [otlp, otlp]
      exporter: [debug]
      workers: 0
  telemetry: {logs: {level: wran}}
  shutdown_timeout: 30
";
    insta::assert_snapshot!(wrong(&[yaml], &[]), @r"
    yaml::2:1: recievers: unknown key (did you mean `receivers`?)
    yaml::4:9: receivers.otlp: expected a map of settings, found a number
    yaml::5:3: receivers.9bad: `9bad` is not a component id: write `type` or `type/name`
    yaml::10:5: service.pipelines.tracess: `tracess` is not a pipeline: write `traces`, `metrics`, `logs`, `events` or `all`, and `/name` if there are several
    yaml::12:25: service.pipelines.logs.receivers.1: `otlp` is already in this list
    yaml::13:7: service.pipelines.logs.exporter: unknown key (did you mean `exporters`?)
    yaml::14:16: service.pipelines.logs.workers: expected a whole number of at least 1, found a number
    yaml::15:29: service.telemetry.logs.level: unknown value `wran` (did you mean `warn`?)
    yaml::16:21: service.shutdown_timeout: expected a duration with a unit, such as `30s` or `1m30s`, found `30`
    ");
}

#[test]
fn duplicate_keys_and_broken_yaml_are_errors_with_their_place() {
    insta::assert_snapshot!(wrong(&["a: 1\nb: {c: 1, c: 2}\na: 2"], &[]), @r"
    yaml::2:11: b: duplicate key `c`, first at yaml::2:5
    yaml::3:1: duplicate key `a`, first at yaml::1:1
    ");
    assert!(wrong(&["a: [1"], &[]).contains("invalid YAML"));
    assert!(wrong(&["a: 1\n---\nb: 2"], &[]).contains("expected one YAML document"));
}

#[test]
fn a_lone_substitution_takes_the_type_of_its_value_and_keeps_its_text() {
    assert_eq!(endpoint("${env:PORT}"), (Value::Int(4317), Some("4317".to_owned())));
    assert_eq!(endpoint("${PORT}"), (Value::Int(4317), Some("4317".to_owned())));
    assert_eq!(endpoint("${env:MISSING:-true}"), (Value::Bool(true), Some("true".to_owned())));
    assert_eq!(endpoint("${env:EMPTY:-x}").0, text("x"));
    assert!(matches!(endpoint("'${env:LIST}'").0, Value::List(nodes) if nodes.len() == 2));
}

#[test]
fn a_substitution_within_text_is_text_and_values_are_not_expanded_again() {
    assert_eq!(endpoint("'0.0.0.0:${env:PORT}'").0, text("0.0.0.0:4317"));
    assert_eq!(endpoint("'$$${env:PORT} $$ $1 ${'").0, text("$4317 $ $1 ${"));
    assert_eq!(endpoint("'${'").0, text("${"));
    assert_eq!(endpoint("'${env:SECRET}'").0, text("a$$b${c}"));
    assert_eq!(endpoint("'x${env:MISSING:-${env:PORT}}'").0, text("x4317"));
    assert_eq!(endpoint("'${env:${env:NAME}}'").0, Value::Int(4317));
}

#[test]
fn an_unset_variable_is_empty_and_warned_about() {
    let config = loaded(&[PIPELINE, "receivers: {otlp: {endpoint: '${env:MISSING}'}}"], &[]).unwrap();
    assert_eq!(config.receivers[0].node.get("endpoint").unwrap().value, Value::Null);
    insta::assert_snapshot!(config.warnings[0], @"yaml::1:30: receivers.otlp.endpoint: the environment variable `MISSING` is not set, so this is empty (write `${env:MISSING:-default}` for a default)");
}

#[test]
fn later_sources_and_sets_win_and_maps_are_merged() {
    let over = "receivers::otlp::protocols::grpc::endpoint: here";
    let config =
        loaded(&[PIPELINE, over], &["receivers.otlp.list=[1, 2]", "exporters::debug/a.b::x=true"]).unwrap();
    let json = config.tree.to_json();
    assert_eq!(json["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"], "here");
    assert_eq!(json["receivers"]["otlp"]["list"], serde_json::json!([1, 2]));
    assert_eq!(json["exporters"]["debug/a.b"]["x"], true);
}

#[test]
fn telemetry_is_read_as_the_collector_writes_it() {
    let telemetry = "
service:
  telemetry:
    logs: {level: DEBUG, encoding: json, sampling: {enabled: false}}
    metrics:
      level: detailed
      readers: [{pull: {exporter: {prometheus: {host: 0.0.0.0, port: 9999}}}}]
";
    let config = loaded(&[PIPELINE, telemetry], &[]).unwrap();
    let logs = &config.service.telemetry.logs;
    assert_eq!((logs.level, logs.encoding), (LogLevel::Debug, LogEncoding::Json));
    assert_eq!(config.service.telemetry.metrics.addresses, ["0.0.0.0:9999"]);
    assert!(config.warnings[0].to_string().contains("has no effect"));
}

#[test]
fn toml_has_the_same_shape() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.toml");
    let toml = "
[receivers.otlp.protocols.grpc]
endpoint = 'localhost:${env:PORT}'
[exporters.debug]
[service.pipelines.traces]
receivers = ['otlp']
exporters = ['debug']
";
    std::fs::write(&path, toml).unwrap();
    let config = load(&[Source::File(path.clone())], &[], &environment).unwrap();
    let node =
        config.receivers[0].node.get("protocols").and_then(|node| node.get("grpc")?.get("endpoint")).unwrap();
    assert_eq!((&node.value, node.location.line, node.location.column), (&text("localhost:4317"), 3, 12));
    assert_eq!(config.files, [path]);
}

#[test]
fn files_are_parts_of_the_configuration_or_text_without_its_last_line_break() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let token = write("token", "s3cret$x\n");
    let part = write("part.yaml", "grpc: {endpoint: '${env:PORT}'}");
    assert_eq!(endpoint(&format!("'${{file:{token}}}'")).0, text("s3cret$x"));
    let yaml = format!("receivers: {{otlp: {{protocols: '${{file:{part}}}'}}}}");
    let json = loaded(&[PIPELINE, &yaml], &[]).unwrap().tree.to_json();
    assert_eq!(json["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"], 4317);
    let own = directory.path().join("self.yaml").display().to_string();
    write("self.yaml", &format!("a: ['${{file:{own}}}', '${{file:{own}}}']"));
    assert!(
        wrong(&[&format!("receivers: {{otlp: '${{file:{own}}}'}}")], &[])
            .contains("does a file include itself?")
    );
}

#[test]
fn aliases_and_merge_keys_work_but_cannot_multiply_without_bound() {
    let yaml = "receivers: {otlp: &a {x: 1, y: 2}, otlp/b: {<<: *a, x: 3}}";
    let json = loaded(&[PIPELINE, yaml], &[]).unwrap().tree.to_json();
    assert_eq!(json["receivers"]["otlp/b"], serde_json::json!({"x": 3, "y": 2}));
    let mut laughs = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for i in 1..12 {
        let alias = format!("*a{}", i - 1);
        laughs += &format!("a{i}: &a{i} [{}]\n", [alias.as_str(); 9].join(", "));
    }
    assert!(wrong(&[&laughs], &[]).contains("aliases multiply"));
}

#[test]
fn remote_sources_are_refused_with_a_reason() {
    assert_eq!("/etc/a.yaml".parse(), Ok(Source::File("/etc/a.yaml".into())));
    assert_eq!("env:X".parse(), Ok(Source::Env("X".to_owned())));
    let wrong = "https://example.com/a.yaml".parse::<Source>().unwrap_err();
    assert_eq!(wrong.to_string(), "`https:` is not supported: fetch the file first and pass its path");
}

proptest! {
    #[test]
    fn loading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let _ = load(&[Source::Yaml(text.clone())], std::slice::from_ref(&text), &environment);
        let _ = crate::toml::parse(&"a.toml".into(), &text);
    }

    #[test]
    fn loading_what_looks_like_yaml_never_panics(text in "[a-c:{}\\[\\],&*<!|>'\"\\-$ \\n0-9._~]{0,120}") {
        let _ = load(&[Source::Yaml(text.clone())], &[], &environment);
        let _ = load(&[Source::Yaml(PIPELINE.to_owned())], &[format!("receivers.otlp={text}")], &environment);
        let _ = crate::toml::parse(&"a.toml".into(), &text);
    }

    #[test]
    fn substituting_never_panics(text in "(\\$\\{|\\}|\\$|env:|file:|yaml:|:-|PORT|LIST|[ax/.]){0,9}") {
        let _ = loaded(&[&format!("receivers: {{otlp: {{a: '{text}'}}}}")], &[]);
    }

    #[test]
    fn whole_numbers_read_back(number: i64) {
        prop_assert_eq!(crate::yaml::plain(&number.to_string()), Value::Int(number));
    }
}
