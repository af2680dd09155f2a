//! What is in a picture.

use std::time::Duration;

use pdata::Timestamp;
use pdata::event::Expected;

use super::{Mark, Plot, Point, Trace};

fn minute(minute: u64) -> Timestamp {
    Timestamp::from_secs(1_700_000_000 + 60 * minute)
}

/// An hour of minutes at 50, with a spike after 30 and a gap after 40.
fn trace() -> Trace {
    let mut trace = Trace::default();
    for n in (0..40).chain(55..60) {
        trace.push(&Point {
            time: minute(n),
            value: if n == 30 { 100.0 } else { 50.0 + (n % 3) as f64 },
            expected: (n > 10).then_some(Expected { low: 45.0, mid: 50.0, high: 55.0 }),
            score: if n == 30 { 0.9 } else { 0.1 },
        });
    }
    trace
}

fn svg(title: &str, trace: &Trace) -> String {
    let mark = |text: &str| Mark { begin: minute(30), end: minute(31), text: text.to_owned() };
    let anomalies = [mark("cpu is 100%, usually <60%")];
    Plot { title, unit: "1", trace, anomalies: &anomalies, labels: &[mark("labelled")] }.svg()
}

#[test]
fn a_picture_says_what_there_is_to_see() {
    let svg = svg("cart: cpu", &trace());
    assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"") && svg.ends_with("</svg>\n"));
    for part in [
        ">cart: cpu</text>",
        "45 points, 2023-11-14 22:13 – 2023-11-14 23:12 UTC, 1 anomaly, 1 labelled stretch",
        "<title>cpu is 100%, usually &lt;60%</title>",
        "prefers-color-scheme:dark",
        ">10000%</text>",
        ">22:45</text>",
    ] {
        assert!(svg.contains(part), "no {part} in {svg}");
    }
    let line = svg.lines().find(|line| line.contains("class=\"line\"")).unwrap();
    assert_eq!(line.matches('M').count(), 2, "the gap is one: {line}");
}

#[test]
fn nothing_in_a_name_becomes_markup_and_nothing_strange_becomes_a_number() {
    let svg = svg("a<b>&\"c\u{1}\nd", &trace());
    assert!(
        svg.contains("a&lt;b&gt;&amp;&quot;c") && !svg.contains('\u{1}') && !svg.contains("a<b>"),
        "{svg}"
    );
    let mut strange = Trace::default();
    for (n, value) in [f64::INFINITY, 1e308, -1e308, f64::NAN, 0.0].into_iter().enumerate() {
        let expected = Some(Expected { low: f64::NEG_INFINITY, mid: 0.0, high: f64::NAN });
        strange.push(&Point { time: minute(n as u64), value, expected, score: f64::NAN });
    }
    for trace in [Trace::default(), strange] {
        let svg = self::svg("x", &trace);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}

#[test]
fn a_long_series_makes_no_large_picture() {
    let mut trace = Trace::default();
    for n in 0..200_000_u64 {
        let value = (n * 7919 % 1000) as f64;
        let expected = Some(Expected { low: 0.0, mid: 500.0, high: 1000.0 });
        trace.push(&Point { time: minute(0) + Duration::from_secs(n), value, expected, score: 0.1 });
    }
    let svg = svg("long", &trace);
    assert!(svg.len() < 100_000, "{}", svg.len());
}
