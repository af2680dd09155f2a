//! What must hold for any datagrams: the fuzz target `statsd` and the tests call it.

use config::Section;
use pdata::{Metrics, Timestamp};
use serde_json::json;

use super::aggregate::Aggregator;
use super::line::Line;

/// Every line is taken or refused, and what an interval becomes is valid OTLP. The first byte decides on the settings.
pub fn statsd(data: &[u8]) {
    let Some((first, lines)) = data.split_first() else { return };
    let section = json!({
        "enable_metric_type": first & 1 != 0,
        "is_monotonic_counter": first & 2 != 0,
        "timer_histogram_mapping": [
            {"statsd_type": "timer", "observer_type": if first & 4 == 0 { "histogram" } else { "summary" }},
            {"statsd_type": "histogram", "observer_type": "gauge"},
            {"statsd_type": "distribution", "observer_type": "histogram", "histogram": {"max_size": 3}},
        ],
    });
    let config = Section::from_json("statsd", &section).parse().expect("these settings are valid");
    let mut aggregator =
        Aggregator::new(&config, Timestamp::from_secs(10)).expect("these settings are valid");
    for (second, interval) in (11..).zip(lines.split(|byte| *byte == 0)) {
        for line in interval.split(|byte| *byte == b'\n') {
            if let Ok(line) = Line::parse(line.trim_ascii(), first & 8 != 0) {
                line.tags().for_each(drop);
                assert!(line.values().count() > 0, "a line without a value is taken");
                aggregator.add(&line, Timestamp::from_secs(second));
            }
        }
        if let Some(message) = aggregator.flush(Timestamp::from_secs(second)) {
            let metrics = Metrics::from_message(message);
            let again = Metrics::from_bytes(metrics.bytes().clone()).expect("an interval is valid OTLP");
            assert_eq!(again.items(), metrics.items());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    #[test]
    fn the_seeds_of_the_fuzz_target_pass() {
        crate::fuzzing::seeds("statsd", super::statsd);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_or_refused(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            super::statsd(&data);
        }

        #[test]
        fn what_looks_like_lines_is_taken_or_refused(
            first: u8,
            lines in "(([ab]|é){1,2}(:[+-]?(1|0|NaN|inf|[0-9.e-]{1,9})){1,3}\\|(c|g|ms|h|d|s)(\\|@(0\\.1|1e-9|0))?(\\|#a:b,c)?(\\|T[0-9]{1,12})?[\n\u{0}]){0,12}",
        ) {
            super::statsd(&[&[first], lines.as_bytes()].concat());
        }
    }
}
