//! What the formats' specifications say, and that no input makes the parser panic.

use proptest::prelude::*;

use super::*;

const NODE: &[u8] = include_bytes!("../testdata/node_exporter.txt");

type Owned = (String, Vec<(String, String)>, f64, Option<i64>);

fn parse(text: &[u8], format: Format) -> Result<Vec<(Entry<'_>, LabelPairs<'_>)>, ParseError> {
    let mut parser = Parser::new(text, format)?;
    let mut labels = LabelPairs::new();
    let mut entries = Vec::new();
    while let Some(entry) = parser.read(&mut labels)? {
        let own = if matches!(entry, Entry::Sample(_)) { labels.clone() } else { LabelPairs::new() };
        entries.push((entry, own));
    }
    Ok(entries)
}

fn samples(text: &str, format: Format) -> Result<Vec<Owned>, ParseError> {
    let owned = |labels: LabelPairs<'_>| {
        labels.into_iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
    };
    Ok(parse(text.as_bytes(), format)?
        .into_iter()
        .filter_map(|(entry, labels)| match entry {
            Entry::Sample(sample) => {
                Some((sample.name.into_owned(), owned(labels), sample.value, sample.timestamp))
            }
            _ => None,
        })
        .collect())
}

fn one(text: &str) -> Owned {
    let mut all = samples(text, Format::Classic).unwrap();
    assert_eq!(all.len(), 1, "{text}");
    all.remove(0)
}

fn labels(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn problem(text: &str, format: Format) -> (usize, Problem) {
    let error = samples(text, format).expect_err(text);
    (error.line, error.problem)
}

#[test]
fn the_example_of_the_classic_format_is_read() {
    let text = concat!(
        "# HELP http_requests_total The total number of HTTP requests.\n",
        "# TYPE http_requests_total counter\n",
        "http_requests_total{method=\"post\",code=\"200\"} 1027 1395066363000\n",
        "\n",
        "# Escaping in label values:\n",
        "msdos_file_access_time_seconds{path=\"C:\\\\DIR\\\\FILE.TXT\",error=\"Cannot find file:\\n\\\"FILE.TXT\\\"\"} 1.458255915e9\n",
        "metric_without_timestamp_and_labels 12.47\n",
        "something_weird{problem=\"division by zero\"} +Inf -3982045\n",
    );
    let all = samples(text, Format::Classic).unwrap();
    assert_eq!(
        all[0],
        (
            "http_requests_total".to_owned(),
            labels(&[("code", "200"), ("method", "post")]),
            1027.0,
            Some(1_395_066_363_000_000_000)
        )
    );
    assert_eq!(
        all[1].1,
        labels(&[("error", "Cannot find file:\n\"FILE.TXT\""), ("path", "C:\\DIR\\FILE.TXT")])
    );
    assert_eq!(all[2].2, 12.47);
    assert_eq!((all[3].2, all[3].3), (f64::INFINITY, Some(-3_982_045_000_000)));
}

#[test]
fn openmetrics_has_units_exemplars_and_seconds() {
    let text = concat!(
        "# TYPE foo_seconds histogram\n# UNIT foo_seconds seconds\n# HELP foo_seconds Say \\\"hi\\\".\n",
        "foo_seconds_bucket{le=\"0.1\"} 8 1520879607.789 # {trace_id=\"KOO5S4vxi0o\"} 0.67 1520879607.5\n",
        "foo_seconds_count 17 # {} 9.8\n# EOF\n",
    );
    let all = parse(text.as_bytes(), Format::OpenMetrics).unwrap();
    assert!(matches!(&all[0].0, Entry::Type { name, kind: MetricType::Histogram } if name == "foo_seconds"));
    assert!(matches!(&all[1].0, Entry::Unit { unit: "seconds", .. }));
    assert!(matches!(&all[2].0, Entry::Help { text, .. } if text == "Say \"hi\"."));
    let Entry::Sample(bucket) = &all[3].0 else { panic!("{all:?}") };
    assert_eq!(bucket.timestamp, Some(1_520_879_607_789_000_000));
    let exemplar = bucket.exemplar.as_ref().unwrap();
    assert_eq!((exemplar.value, exemplar.timestamp), (0.67, Some(1_520_879_607_500_000_000)));
    assert_eq!(exemplar.labels[0], ("trace_id".into(), "KOO5S4vxi0o".into()));
    let Entry::Sample(count) = &all[4].0 else { panic!("{all:?}") };
    assert!(count.exemplar.as_ref().unwrap().labels.is_empty());
}

#[test]
fn quoted_names_may_hold_any_text() {
    let (name, own, value, _) = one("{\"http.server\",\"status.code\"=\"200\",b=\"x\"} 1");
    assert_eq!((name.as_str(), value), ("http.server", 1.0));
    assert_eq!(own, labels(&[("b", "x"), ("status.code", "200")]));
    let all = parse("# TYPE \"a.b\" gauge\n{\"a.b\"} 2\n".as_bytes(), Format::Classic).unwrap();
    assert!(matches!(&all[0].0, Entry::Type { name, .. } if name == "a.b"));
    assert_eq!(one("{\"ключ\",a=\"é\"} 1").0, "ключ");
}

#[test]
fn blanks_trailing_commas_and_carriage_returns_pass() {
    assert_eq!(one("  a { b = \"c\" , }  1  5\r\n").1, labels(&[("b", "c")]));
    assert_eq!(one("a{} 1").1, []);
    assert_eq!(one("a\t1").2, 1.0);
    assert!(one("a NaN").2.is_nan());
}

#[test]
fn what_is_malformed_is_named_with_its_line() {
    for (text, problem_at) in [
        ("a 1\nb{ 1\n", (2, Problem::ExpectedLabelName)),
        ("a{b} 1", (1, Problem::ExpectedLabelValue)),
        ("a{b=c} 1", (1, Problem::ExpectedLabelValue)),
        ("a{b=\"c} 1", (1, Problem::Unterminated)),
        ("a{b=\"c\\", (1, Problem::Unterminated)),
        ("a{b=\"c\"d=\"e\"} 1", (1, Problem::ExpectedLabelEnd)),
        ("a{b=\"1\",b=\"2\"} 1", (1, Problem::DuplicateLabel)),
        ("{b=\"1\"} 1", (1, Problem::NoName)),
        ("1a 1", (1, Problem::ExpectedName)),
        ("a", (1, Problem::BadValue)),
        ("a 0x1", (1, Problem::BadValue)),
        ("a 1 now", (1, Problem::BadTimestamp)),
        ("a 1 2 3", (1, Problem::TrailingText)),
        ("\n# TYPE a thing", (2, Problem::BadType)),
        ("# HELP", (1, Problem::ExpectedName)),
    ] {
        assert_eq!(problem(text, Format::Classic), problem_at, "{text}");
    }
    assert_eq!(problem("a 1\n", Format::OpenMetrics), (1, Problem::NoEof));
    assert_eq!(problem("# EOF\na 1\n", Format::OpenMetrics), (2, Problem::AfterEof));
    assert_eq!(problem("a 1 # 2\n# EOF\n", Format::OpenMetrics), (1, Problem::BadExemplar));
    let error = Parser::new(b"a 1\nb{c=\"\xff\"} 1\n", Format::Classic).map(drop).unwrap_err();
    assert_eq!((error.line, error.problem), (2, Problem::NotUtf8));
}

#[test]
fn a_node_exporter_is_read_to_the_last_line() {
    let text = std::str::from_utf8(NODE).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#')).count();
    let all = parse(NODE, Format::Classic).unwrap();
    let read = all.iter().filter(|(entry, _)| matches!(entry, Entry::Sample(_))).count();
    let declared = all.iter().filter(|(entry, _)| matches!(entry, Entry::Type { .. })).count();
    assert_eq!(read, lines);
    assert_eq!(declared, text.lines().filter(|line| line.starts_with("# TYPE")).count());
    assert!(read > 400, "{read}");
}

#[test]
fn the_content_type_decides_the_format() {
    let of = |value| Format::of_content_type(Some(value));
    assert_eq!(of("application/openmetrics-text; version=1.0.0; charset=utf-8"), Some(Format::OpenMetrics));
    assert_eq!(of("text/plain; version=0.0.4"), Some(Format::Classic));
    assert_eq!(of("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily"), None);
    assert_eq!(Format::of_content_type(None), Some(Format::Classic));
}

fn never_panics(body: &[u8]) {
    for format in [Format::Classic, Format::OpenMetrics] {
        let Ok(mut parser) = Parser::new(body, format) else { continue };
        let mut labels = LabelPairs::new();
        // Reading goes on after an error, and ends.
        let mut lines = 0;
        while !matches!(parser.read(&mut labels), Ok(None)) {
            lines += 1;
            assert!(lines <= body.len() + 2);
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        never_panics(&body);
    }

    #[test]
    fn almost_valid_text_never_panics(text in "([a-c{}=\"\\\\, #\\n0-9.éT]|# TYPE |# EOF|le=\"|\\} 1){0,60}") {
        never_panics(text.as_bytes());
    }

    #[test]
    fn a_mutated_exposition_never_panics(at in 0..NODE.len(), byte: u8, cut in 0..NODE.len()) {
        let mut body = NODE[..cut.max(at + 1)].to_vec();
        body[at] = byte;
        never_panics(&body);
    }

    #[test]
    fn what_is_written_by_the_rules_is_read_back(
        name in "[a-zA-Z_:][a-zA-Z0-9_:]{0,9}",
        pairs in proptest::collection::btree_map("[a-zA-Z_][a-zA-Z0-9_]{0,9}", "\\PC{0,9}[\\\\\"\\n]?", 0..5),
        value: f64,
        millis: i32,
    ) {
        let escape = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let list: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
        let (read, own, got, time) = one(&format!("{name}{{{}}} {value} {millis}\n", list.join(",")));
        prop_assert_eq!(read, name);
        prop_assert_eq!(own, pairs.into_iter().collect::<Vec<_>>());
        prop_assert!(got == value || got.is_nan() && value.is_nan());
        prop_assert_eq!(time, Some(i64::from(millis) * 1_000_000));
    }
}
