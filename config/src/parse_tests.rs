//! Tests of parsing sections: what fits, and what every misfit is called.

use std::collections::BTreeMap;

use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ByteSize, Duration, Errors, Invalid, Opaque, Section, Source, Validate, load};

/// Settings for tests.
#[derive(Debug, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// A length of time.
    interval: Duration,
    /// A size.
    size: ByteSize,
    /// A secret.
    token: Opaque,
    /// Texts.
    headers: BTreeMap<String, String>,
    /// A choice.
    mode: Mode,
    /// Parts.
    parts: Vec<Part>,
    /// Perhaps a part.
    part: Option<Part>,
    /// On if the key is there.
    #[serde(deserialize_with = "crate::present")]
    server: Option<Server>,
    /// A share.
    share: f64,
    /// A count.
    count: u16,
}

/// A choice.
#[derive(Debug, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Mode {
    /// One.
    #[default]
    Fast,
    /// The other.
    Slow,
}

/// A server.
#[derive(Debug, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Server {
    /// Its port.
    port: u16,
}

/// A part.
#[derive(Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Part {
    /// Its name.
    name: String,
}

impl Validate for Settings {
    fn validate(&self) -> Result<(), Invalid> {
        Invalid::unless(self.share <= 1.0, "share", "must be at most 1")
    }
}

fn section(yaml: &str) -> Section {
    let indented: String = yaml.lines().map(|line| format!("    {line}\n")).collect();
    let source = format!("receivers:\n  a:\n{indented}exporters: {{b: }}\nservice: {{pipelines: {{all: }}}}");
    let env = |name: &str| (name == "PASSWORD").then(|| "0123".to_owned());
    load(&[Source::Yaml(source)], &[], &env).unwrap().receivers.swap_remove_index(0).unwrap().1
}

fn check(yaml: &str) -> Result<Settings, Errors> {
    section(yaml).check()
}

#[test]
fn every_type_is_read() {
    let yaml = "
interval: 1m30s
size: 4MiB
token: ${env:PASSWORD}
headers: {a: '${env:PASSWORD}', b: x}
mode: slow
parts: [{name: p}]
share: 1
count: 7
part:
";
    let settings = check(yaml).unwrap();
    assert_eq!(settings.interval, Duration::from_secs(90));
    assert_eq!(settings.token.reveal(), "0123");
    assert_eq!(settings.headers["a"], "0123");
    assert_eq!(settings.mode, Mode::Slow);
    assert_eq!((settings.share, settings.count, settings.part), (1.0, 7, None));
    assert_eq!(check("").unwrap(), Settings::default());
}

#[test]
fn everything_that_does_not_fit_is_reported_at_once() {
    let yaml = "
intervall: 1s
size: []
token: [x]
headers: {a: 5}
mode: slwo
parts: [{nme: p}, 3]
part: {}
count: many
";
    insta::assert_snapshot!(check(yaml).unwrap_err(), @r"
    yaml::4:5: receivers.a.intervall: unknown key (did you mean `interval`?)
    yaml::5:11: receivers.a.size: expected text or a whole number, found a list
    yaml::6:12: receivers.a.token: expected text, found a list
    yaml::7:18: receivers.a.headers.a: expected text, found a number
    yaml::8:11: receivers.a.mode: unknown value `slwo` (did you mean `slow`?)
    yaml::9:13: receivers.a.parts.0: the key `name` is required
    yaml::9:14: receivers.a.parts.0.nme: unknown key (did you mean `name`?)
    yaml::9:23: receivers.a.parts.1: expected a map, found a number
    yaml::10:11: receivers.a.part: the key `name` is required
    yaml::11:12: receivers.a.count: expected a whole number, found text
    ");
}

#[test]
fn what_only_the_type_knows_has_its_place_too() {
    insta::assert_snapshot!(check("interval: 5\nshare: 0.5").unwrap_err(), @"yaml::3:15: receivers.a.interval: expected a duration with a unit, such as `30s` or `1m30s`, found `5`");
    insta::assert_snapshot!(check("share: 2").unwrap_err(), @"yaml::3:12: receivers.a.share: must be at most 1");
    insta::assert_snapshot!(check("count: 70000").unwrap_err(), @"yaml::3:12: receivers.a.count: expected a whole number from 0 to 65535, found integer `70000`");
}

#[test]
fn a_key_without_value_turns_on_what_presence_turns_on() {
    assert_eq!(check("server:").unwrap().server, Some(Server::default()));
    assert_eq!(check("server: {port: 1}").unwrap().server, Some(Server { port: 1 }));
    assert_eq!(check("count: 1").unwrap().server, None);
    insta::assert_snapshot!(check("server: {prt: 1}").unwrap_err(), @"yaml::3:14: receivers.a.server.prt: unknown key (did you mean `port`?)");
}

#[test]
fn print_keeps_the_text_of_a_number_that_would_read_differently() {
    let node = section("token: ${env:PASSWORD}").node;
    assert_eq!(serde_json::to_string(&node).unwrap(), r#"{"token":"0123"}"#);
}

proptest! {
    #[test]
    fn checking_a_section_never_panics_and_agrees_with_parsing(
        key in "(interval|size|token|headers|mode|parts|part|server|share|count)",
        value in "[a-z0-9.:{}\\[\\], '-]{0,20}",
    ) {
        let Ok(node) = crate::yaml::parse(&"a".into(), &format!("{key}: {value}")) else { return Ok(()) };
        let section = Section { node, ..Section::from_json("a", &serde_json::Value::Null) };
        prop_assert_eq!(section.check::<Settings>().is_ok(), section.parse::<Settings>().is_ok());
    }
}
