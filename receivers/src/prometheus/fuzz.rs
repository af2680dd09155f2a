//! What must hold for any body of a scrape: the fuzz target `prometheus` and the tests call it.

use std::sync::Arc;

use config::Section;
use pdata::{Metrics, Timestamp};
use serde_json::json;

use super::collect::Collect;
use super::config::Config;
use super::series::Memory;
use super::target::{Job, Target};
use super::text::{Format, LabelPairs, Parser};

/// Reading ends, and what several scrapes of one target become is valid OTLP. The first byte decides on the formats.
pub fn prometheus(data: &[u8]) {
    let Some((first, data)) = data.split_first() else { return };
    let target = target(first & 1 != 0);
    let mut memory = Memory::default();
    for (i, body) in data.split(|byte| *byte == 0).take(6).enumerate() {
        let format = if first >> (i + 1) & 1 == 0 { Format::Classic } else { Format::OpenMetrics };
        ends(body, format);
        let time = Timestamp::from_secs(1000 + 10 * i as u64);
        let mut collect = Collect::new(&target, &mut memory);
        let message = match collect.read(body, format) {
            Ok(()) => collect.finish(time, |_| Vec::new()).0,
            Err(_) => collect.fail(time, &[]),
        };
        let metrics = Metrics::from_message(message);
        let again = Metrics::from_bytes(metrics.bytes().clone()).expect("a scrape is valid OTLP");
        assert_eq!(again.items(), metrics.items());
    }
}

/// Reading goes on after an error, and ends.
fn ends(body: &[u8], format: Format) {
    let Ok(mut parser) = Parser::new(body, format) else { return };
    let mut labels = LabelPairs::new();
    let mut lines = 0;
    while !matches!(parser.read(&mut labels), Ok(None)) {
        lines += 1;
        assert!(lines <= body.len() + 2, "reading does not end");
    }
}

fn target(honor: bool) -> Target {
    let section = json!({"config": {"scrape_configs": [{"job_name": "shop", "honor_labels": honor, "honor_timestamps": honor}]}});
    let config: Config =
        Section::from_json("prometheus", &section).parse().expect("these settings are valid");
    let job = Job::all(&config).ok().and_then(|jobs| jobs.into_iter().next()).expect("there is one job");
    let labels = [("__address__", "10.1.2.3:8080")].into_iter().collect();
    Target::new(&Arc::new(job), labels).ok().flatten().expect("the target has an address")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    #[test]
    fn the_seeds_of_the_fuzz_target_pass() {
        crate::fuzzing::seeds("prometheus", super::prometheus);
    }

    proptest! {
        #[test]
        fn any_bytes_become_valid_otlp(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            super::prometheus(&data);
        }

        #[test]
        fn what_looks_like_an_exposition_becomes_valid_otlp(
            first: u8,
            text in "([abé]|_sum|_count|_bucket|_total|_created|\\{le=\"(1|\\+Inf|x)\"\\}|\\{quantile=\"0\\.5\"\\}|\\{[a-c]=\"\\\\?[b\\n\"]\"| (1|NaN|-Inf|1e309|0x1p3)| [0-9]{1,19}|\n|\u{0}|# (TYPE|HELP|UNIT) a (counter|histogram|gaugehistogram|summary|info|stateset)\n| # \\{trace_id=\"x\"\\} 1 2|# EOF\n){0,30}",
        ) {
            super::prometheus(&[&[first], text.as_bytes()].concat());
        }
    }
}
