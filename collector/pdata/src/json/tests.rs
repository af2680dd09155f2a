//! OTLP/JSON reads and prints as the specification has it.

use proptest::prelude::*;
use prost::Message;

use super::records::Records;
use super::{detect, from_json, logs_from_json, metrics_from_json, to_json, traces_from_json};
use crate::proto::common::any_value::Value;
use crate::proto::logs::LogsData;
use crate::proto::metrics::{metric::Data, number_data_point};
use crate::schema::LOG_RECORD;
use crate::{Batch, DecodeError, Logs, Metrics, Otlp, Payload, Signal, Timestamp, arbitrary};

fn printed(batch: impl Into<Batch>) -> String {
    let mut out = Vec::new();
    to_json(&batch.into(), &mut out);
    String::from_utf8(out).unwrap()
}

fn round_trip<T: Payload + std::fmt::Debug>(
    message: T,
    read: impl Fn(&[u8]) -> Result<Otlp<T>, DecodeError>,
) -> Result<(), TestCaseError>
where
    Batch: From<Otlp<T>>,
{
    let otlp = Otlp::from_message(message);
    let text = printed(otlp.clone());
    prop_assert!(!text.contains('\n'));
    prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{}", text);
    let again = read(text.as_bytes()).map_err(|error| TestCaseError::fail(format!("{error}: {text}")))?;
    prop_assert_eq!(again.items(), otlp.items());
    prop_assert_eq!(again.may_hold_events(), otlp.may_hold_events());
    prop_assert!(Otlp::<T>::from_bytes(again.bytes().clone()).is_ok());
    prop_assert_eq!(again.message(), otlp.message());
    Ok(())
}

proptest! {
    #![proptest_config(arbitrary::cases(32))]

    #[test]
    fn printed_logs_read_back_the_same(message in arbitrary::logs()) {
        round_trip(message, logs_from_json)?;
    }

    #[test]
    fn records_are_printed_as_the_tables_have_them(
        message in arbitrary::logs(), more in proptest::collection::vec(("[ab]{1,2}", "[x\"]{0,3}"), 0..6), seed in any::<u64>(),
    ) {
        let logs = Logs::from_message(message).edit(|_, record, edit| {
            // Many the same, and fields in any order.
            for (key, text) in more.iter().skip(record.bytes().len() % 3) {
                edit.set_text(key, text);
            }
            if record.bytes().len() % 2 == 0 {
                edit.set_severity(9, "INFO");
                edit.set_time(Timestamp::from_nanos(seed));
            }
        });
        let mut records = Records::default();
        let (mut usual, mut by_tables) = (Vec::new(), Vec::new());
        for (_, _, record) in logs.view().items().chain(logs.view().items()) {
            records.print(record.bytes(), 3, &mut usual);
            super::write::message(&LOG_RECORD, record.bytes(), 3, &mut by_tables);
        }
        prop_assert_eq!(String::from_utf8(usual), String::from_utf8(by_tables));
    }

    #[test]
    fn printed_spans_read_back_the_same(message in arbitrary::traces()) {
        round_trip(message, traces_from_json)?;
    }

    #[test]
    fn printed_metrics_read_back_the_same(message in arbitrary::metrics()) {
        round_trip(message, metrics_from_json)?;
    }

    #[test]
    fn damaged_json_is_refused_or_gives_a_valid_batch(
        message in arbitrary::metrics(), damage in proptest::collection::vec(any::<(u16, u8)>(), 1..4),
    ) {
        let mut text = printed(Metrics::from_message(message)).into_bytes();
        for (at, byte) in damage {
            let at = usize::from(at) % text.len();
            text[at] = byte;
        }
        detect(&text);
        if let Ok(metrics) = metrics_from_json(&text) {
            prop_assert_eq!(Metrics::from_bytes(metrics.bytes().clone()).unwrap().items(), metrics.items());
        }
    }

    #[test]
    fn arbitrary_text_does_not_panic(
        text in "[\\[\\]{}\":,0-9a-z\\\\ue+.-]{0,60}", bytes in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        for signal in Signal::ALL {
            let _ = from_json(signal, text.as_bytes());
            let _ = from_json(signal, &bytes);
        }
        detect(text.as_bytes());
        detect(&bytes);
    }

    #[test]
    fn text_is_read_as_other_json_readers_read_it(text in any::<String>()) {
        let json = serde_json::to_string(&text).unwrap();
        let line = format!(r#"{{"resourceLogs":[{{"schemaUrl":{json}}}]}}"#);
        let logs = logs_from_json(line.as_bytes()).unwrap();
        prop_assert_eq!(&logs.message().resource_logs[0].schema_url, &text);
        let mut out = Vec::new();
        super::write::string(text.as_bytes(), &mut out);
        prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
    }
}

/// The specification's own example, shortened.
const SPANS: &str = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":
    "my.service"}}]},"scopeSpans":[{"scope":{"name":"my.library","version":"1.0.0"},"spans":[{"traceId":
    "5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","parentSpanId":"EEE19B7EC3C1B173","name":
    "I'm a server span","startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000000000",
    "kind":2,"attributes":[{"key":"my.span.attr","value":{"stringValue":"some value"}}],"status":{}}]}]}]}"#;

#[test]
fn the_specifications_spans_are_read() {
    let traces = traces_from_json(SPANS.as_bytes()).unwrap();
    let (resource, scope, span) = traces.view().items().next().unwrap();
    assert_eq!(
        (resource.service_name(), scope.name(), scope.version()),
        ("my.service", "my.library", "1.0.0")
    );
    assert_eq!(span.trace_id()[..4], [0x5b, 0x8e, 0xff, 0xf7]);
    assert_eq!(span.name(), "I'm a server span");
    assert_eq!(span.duration().as_secs(), 1);
    assert_eq!(span.kind(), crate::view::SpanKind::Server);
    assert_eq!(detect(SPANS.as_bytes()), Some(Signal::Traces));
}

#[test]
fn all_spellings_that_senders_use_are_read() {
    let text = r#" {"unknown":[{"a":null},1.5e3,true],"resource_logs":[{"scope_logs":[{"log_records":[
        {"time_unix_nano":1700000000000000000,"severityNumber":"SEVERITY_NUMBER_WARN","flags":1.0,
         "observedTimeUnixNano":"17","traceId":null,"body":{"kvlistValue":{"values":[
            {"key":"int","value":{"intValue":-5}},{"key":"big","value":{"int_value":"9223372036854775807"}},
            {"key":"nan","value":{"doubleValue":"NaN"}},{"key":"whole","value":{"doubleValue":3}},
            {"key":"bytes","value":{"bytesValue":"-_8"}},{"key":"empty","value":{}},
            {"key":"pair","value":{"stringValue":"\ud83e\udd80 \ud800"}}]}}}]}]}]} "#;
    let logs = logs_from_json(text.as_bytes()).unwrap();
    let (_, _, record) = logs.view().items().next().unwrap();
    assert_eq!(record.time().as_nanos(), 1_700_000_000_000_000_000);
    assert_eq!((record.severity_number(), record.flags(), record.observed_time().as_nanos()), (13, 1, 17));
    let crate::view::AnyValueView::KvList(body) = record.body() else { panic!("{:?}", record.body()) };
    let text: Vec<_> = body.iter().map(|(_, value)| value.to_text().into_owned()).collect();
    assert_eq!(text, ["-5", "9223372036854775807", "NaN", "3", "+/8=", "", "🦀 \u{fffd}"]);
}

#[test]
fn output_has_the_collectors_form() {
    let mut message = crate::tests::one_log("checkout", "a \"b\"\n");
    let record = &mut message.resource_logs[0].scope_logs[0].log_records[0];
    record.time_unix_nano = 7;
    record.severity_number = 9;
    record.trace_id = vec![0xab; 16];
    let mut bytes = crate::tests::string("");
    bytes.value = Some(Value::BytesValue(vec![1, 2]));
    record.attributes = vec![crate::proto::common::KeyValue {
        key: "raw".to_owned(),
        value: Some(bytes),
        ..Default::default()
    }];
    assert_eq!(
        printed(Logs::from_message(message)),
        concat!(
            r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"checkout"}}]},"#,
            r#""scopeLogs":[{"logRecords":[{"timeUnixNano":"7","severityNumber":9,"body":{"stringValue":"a \"b\"\n"},"#,
            r#""attributes":[{"key":"raw","value":{"bytesValue":"AQI="}}],"traceId":"abababababababababababababababab"}]}]}]}"#,
        )
    );
}

#[test]
fn numbers_at_the_edges_are_read_exactly() {
    let read = |json: &str| {
        let line = format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"gauge":{{"dataPoints":[{json}]}}}}]}}]}}]}}"#
        );
        let metrics = metrics_from_json(line.as_bytes())?;
        let metric = &metrics.message().resource_metrics[0].scope_metrics[0].metrics[0];
        let Some(Data::Gauge(gauge)) = &metric.data else { panic!("{metric:?}") };
        Ok::<_, DecodeError>((gauge.data_points[0].time_unix_nano, gauge.data_points[0].value))
    };
    use number_data_point::Value::{AsDouble, AsInt};
    assert_eq!(read(r#"{"timeUnixNano":18446744073709551615}"#), Ok((u64::MAX, None)));
    assert_eq!(read(r#"{"asInt":"-9223372036854775808"}"#), Ok((0, Some(AsInt(i64::MIN)))));
    assert_eq!(read(r#"{"asInt":1e3}"#), Ok((0, Some(AsInt(1000)))));
    assert_eq!(read(r#"{"asDouble":0.1}"#), Ok((0, Some(AsDouble(0.1)))));
    assert_eq!(read(r#"{"asDouble":"-Infinity"}"#), Ok((0, Some(AsDouble(f64::NEG_INFINITY)))));
    for bad in [
        r#"{"timeUnixNano":18446744073709551616}"#,
        r#"{"timeUnixNano":-1}"#,
        r#"{"timeUnixNano":""}"#,
        r#"{"asInt":1.5}"#,
        r#"{"asInt":"9223372036854775808"}"#,
        r#"{"asDouble":01}"#,
        r#"{"asDouble":1e999}"#,
        r#"{"asDouble":"inf"}"#,
        r#"{"flags":4294967296}"#,
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
}

#[test]
fn an_error_says_what_and_where() {
    let error = |text: &str| logs_from_json(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(error(r#"{"resourceLogs":[}"#), "malformed logs: object expected at byte 17");
    assert_eq!(error(r#"{"resourceLogs":{}}"#), "malformed logs: list expected at byte 16");
    assert_eq!(error("{} {}"), "malformed logs: something follows the value at byte 3");
    assert_eq!(error(""), "malformed logs: object expected at byte 0");
    let twice = r#"{"resourceLogs":[{"resource":{},"resource":{}}]}"#;
    assert_eq!(error(twice), "malformed logs: given twice at byte 43");
}

#[test]
fn what_nests_too_deeply_is_refused() {
    let nested = |depth: usize| {
        let (open, close) = (r#"{"arrayValue":{"values":["#.repeat(depth), "]}}".repeat(depth));
        format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{open}{close}}}]}}]}}]}}"#)
    };
    let logs = logs_from_json(nested(40).as_bytes()).unwrap();
    assert!(LogsData::decode(logs.bytes().clone()).is_ok());
    assert!(logs_from_json(nested(50).as_bytes()).is_err());
    assert!(logs_from_json(nested(200_000).as_bytes()).is_err());
    assert!(logs_from_json(format!(r#"{{"x":{}"#, "[".repeat(200_000)).as_bytes()).is_err());
}

#[test]
fn a_lines_signal_is_told_by_its_names() {
    assert_eq!(detect(br#"{"resourceLogs":[]}"#), Some(Signal::Logs));
    assert_eq!(detect(br#" { "x": {"type":1}, "resourceMetrics":[]}"#), Some(Signal::Metrics));
    assert_eq!(detect(br#"{"type":"anomaly"}"#), Some(Signal::Events));
    for other in ["{}", "[]", "", "{", "text", r#"{"x":1}"#] {
        assert_eq!(detect(other.as_bytes()), None, "{other}");
    }
}

#[test]
fn fields_out_of_order_at_every_depth_do_not_take_exponential_time() {
    // A list of maps in maps, each with its key after its value, and again.
    let field = |tag: u8, bytes: &[u8]| {
        let mut out = vec![tag << 3 | 2];
        prost::encoding::encode_varint(bytes.len() as u64, &mut out);
        out.extend_from_slice(bytes);
        out
    };
    let mut value = field(1, b"leaf");
    for _ in 0..25 {
        let entry = [field(1, b"first"), field(2, &value), field(1, b"last")].concat();
        value = field(6, &field(1, &entry));
    }
    let record = field(5, &value);
    let bytes = field(1, &field(2, &field(2, &record)));
    let logs = Logs::from_bytes(bytes.into()).unwrap();
    let text = printed(logs);
    assert_eq!(text.matches("last").count(), 25);
    assert_eq!(text.matches("first").count(), 0);
}
