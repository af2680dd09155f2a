//! Nothing is lost, added or changed when batches are joined, split and sorted.

use std::num::NonZeroUsize;

use proptest::prelude::*;
use prost::Message;

use super::{
    EncodedAttributes, Limits, RecordEdit, merge, partition, partition_by_trace, rewrite_resources, split,
};
use crate::proto::common::{AnyValue, KeyValue};
use crate::proto::logs::LogRecord;
use crate::tests::{one_log, string};
use crate::{Logs, Metrics, Otlp, Payload, Timestamp, Traces, arbitrary, view};

const SHARDS: NonZeroUsize = NonZeroUsize::new(3).unwrap();

/// Every span or record with its resource and scope, as bytes.
fn records<T: Payload>(batch: &Otlp<T>, bytes: impl Fn(&T::Item<'_>) -> Vec<u8>) -> Vec<[Vec<u8>; 3]> {
    let items = batch.view().items();
    items
        .map(|(resource, scope, item)| [resource.bytes().to_vec(), scope.bytes().to_vec(), bytes(&item)])
        .collect()
}

fn log_records(logs: &Logs) -> Vec<[Vec<u8>; 3]> {
    records(logs, |record| record.bytes().to_vec())
}

fn spans(traces: &Traces) -> Vec<[Vec<u8>; 3]> {
    records(traces, |span| span.bytes().to_vec())
}

/// Every data point with resource, scope and what its metric says, as bytes.
fn points(metrics: &Metrics) -> Vec<Vec<u8>> {
    let mut points = Vec::new();
    for (resource, scope, metric) in metrics.view().items() {
        let head = format!(
            "{:?}{:?}{:?}{:?}{:?}",
            (resource.bytes(), scope.bytes()),
            (metric.name(), metric.unit(), metric.description()),
            metric.metadata().to_owned(),
            metric.kind(),
            (metric.temporality_number(), metric.is_monotonic()),
        );
        let of_all_kinds = metric
            .number_points()
            .map(view::NumberPointView::bytes)
            .chain(metric.histogram_points().map(view::HistogramPointView::bytes))
            .chain(metric.exponential_histogram_points().map(view::ExponentialHistogramPointView::bytes))
            .chain(metric.summary_points().map(view::SummaryPointView::bytes));
        points.extend(of_all_kinds.map(|bytes| [head.as_bytes(), bytes].concat()));
    }
    points
}

/// As if the batch had come from outside: what we made must be valid, and counted right.
fn reread<T: Payload>(batch: &Otlp<T>) -> Result<Otlp<T>, TestCaseError> {
    let reread = Otlp::<T>::from_bytes(batch.bytes().clone());
    let reread = reread.map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(reread.items(), batch.items());
    prop_assert_eq!(reread.bytes(), batch.bytes(), "nothing to merge in it");
    Ok(reread)
}

fn check_split<T: Payload, C: PartialEq + std::fmt::Debug>(
    message: T,
    limits: Limits,
    contents: impl Fn(&Otlp<T>) -> C,
) -> Result<(), TestCaseError> {
    let whole = Otlp::from_message(message);
    let parts = split(&whole, limits);
    for part in &parts {
        let part = reread(part)?;
        if let Some(limit) = limits.items {
            prop_assert!(part.items() <= limit.get());
        }
        if let Some(limit) = limits.bytes {
            prop_assert!(part.items() <= 1 || part.encoded_len() <= limit.get());
        }
    }
    let merged = reread(&merge(parts))?;
    prop_assert_eq!(contents(&merged), contents(&whole));
    Ok(())
}

fn check_partition<T: Payload, C: Ord + std::fmt::Debug>(
    whole: &Otlp<T>,
    shards: &[Otlp<T>],
    contents: impl Fn(&Otlp<T>) -> Vec<C>,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(shards.len(), SHARDS.get());
    let mut sorted = Vec::new();
    for shard in shards {
        sorted.extend(contents(&reread(shard)?));
    }
    sorted.sort_unstable();
    let mut expected = contents(whole);
    expected.sort_unstable();
    prop_assert_eq!(sorted, expected);
    Ok(())
}

fn limits() -> impl Strategy<Value = Limits> {
    (0..4_usize, prop_oneof![Just(0_usize), 40..2000_usize])
        .prop_map(|(items, bytes)| Limits { bytes: NonZeroUsize::new(bytes), ..Limits::items(items) })
}

proptest! {
    #![proptest_config(arbitrary::cases(32))]

    #[test]
    fn logs_split_and_merged_again_are_the_same(message in arbitrary::logs(), limits in limits()) {
        check_split(message, limits, log_records)?;
    }

    #[test]
    fn spans_split_and_merged_again_are_the_same(message in arbitrary::traces(), limits in limits()) {
        check_split(message, limits, spans)?;
    }

    #[test]
    fn metrics_split_and_merged_again_are_the_same(message in arbitrary::metrics(), limits in limits()) {
        check_split(message, limits, points)?;
    }

    #[test]
    fn each_resource_goes_to_one_shard(message in arbitrary::metrics()) {
        let whole = Metrics::from_message(message);
        let shards = partition(&whole, SHARDS, |resource| resource.bytes().len());
        check_partition(&whole, &shards, points)?;
        for (i, shard) in shards.iter().enumerate() {
            prop_assert!(shard.view().resources().all(|group| group.resource().bytes().len() % SHARDS == i));
        }
    }

    #[test]
    fn each_trace_goes_to_one_shard(message in arbitrary::traces()) {
        let whole = Traces::from_message(message);
        let shards = partition_by_trace(&whole, SHARDS, |_, id| usize::from(id.first().copied().unwrap_or(0)));
        check_partition(&whole, &shards, spans)?;
        for (i, shard) in shards.iter().enumerate() {
            for (_, _, span) in shard.view().items() {
                prop_assert_eq!(usize::from(span.trace_id().first().copied().unwrap_or(0)) % SHARDS, i);
            }
        }
    }

    #[test]
    fn what_is_kept_and_what_is_not_is_everything(message in arbitrary::logs()) {
        let whole = Logs::from_message(message);
        let is_bad = |record: view::LogRecordView<'_>| record.severity_number() > 12;
        let bad = whole.retain(|_, _, record| is_bad(record));
        let good = whole.retain(|_, _, record| !is_bad(record));
        prop_assert!(reread(&bad)?.view().items().all(|(_, _, record)| is_bad(record)));
        prop_assert!(reread(&good)?.view().items().all(|(_, _, record)| !is_bad(record)));
        prop_assert_eq!(good.items() + bad.items(), whole.items());
    }

    #[test]
    fn other_resources_leave_the_records_alone(message in arbitrary::logs(), new in arbitrary::attributes()) {
        let whole = Logs::from_message(message);
        let mut turn = 0;
        let changed = rewrite_resources(&whole, |_| {
            turn += 1;
            (turn % 2 == 0).then(|| new.clone())
        });
        reread(&changed)?;
        let mut expected = (*whole.message()).as_ref().clone();
        for group in expected.resource_logs.iter_mut().skip(1).step_by(2) {
            group.resource.get_or_insert_default().attributes.clone_from(&new);
        }
        prop_assert_eq!(changed.message().as_ref(), &expected);
    }
}

/// Something to do to a record.
#[derive(Clone, Debug)]
enum Change {
    Attribute(Key, AnyValue),
    TextAttribute(Key, String),
    Encoded(String, String),
    NoAttribute(Key),
    Body(AnyValue),
    BodyText(String),
    Time(u64),
    Severity(i32, String),
    Ids([u8; 16], [u8; 8]),
    Remove,
}

/// An attribute's key: one that the record has, or another.
#[derive(Clone, Debug)]
enum Key {
    Nth(usize),
    Named(String),
}

impl Key {
    fn of(&self, record: &LogRecord) -> String {
        match self {
            Self::Nth(i) => record.attributes.get(*i).map(|entry| entry.key.clone()).unwrap_or_default(),
            Self::Named(name) => name.clone(),
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let key = || prop_oneof![(0..4_usize).prop_map(Key::Nth), "[a-c]{1,2}".prop_map(Key::Named)];
    let long = || prop_oneof!["[a-z]{0,5}", "[a-z]{120,140}"];
    prop_oneof![
        (key(), arbitrary::value()).prop_map(|(key, value)| Change::Attribute(key, value)),
        (key(), long()).prop_map(|(key, text)| Change::TextAttribute(key, text)),
        (long(), long()).prop_map(|(one, other)| Change::Encoded(one, other)),
        key().prop_map(Change::NoAttribute),
        arbitrary::value().prop_map(Change::Body),
        long().prop_map(Change::BodyText),
        any::<u64>().prop_map(Change::Time),
        (any::<i32>(), long()).prop_map(|(number, text)| Change::Severity(number, text)),
        any::<([u8; 16], [u8; 8])>().prop_map(|(trace, span)| Change::Ids(trace, span)),
        Just(Change::Remove),
    ]
}

/// Does to a struct what `edit` is asked to do to its bytes. Returns whether the record stays.
fn apply(changes: &[Change], record: &mut LogRecord, edit: &mut RecordEdit) -> bool {
    let before = record.clone();
    for change in changes {
        let mut set = |key: String, value: Option<AnyValue>| {
            record.attributes.retain(|entry| entry.key != key);
            let entry = value.map(|value| KeyValue { key, value: Some(value), ..KeyValue::default() });
            record.attributes.extend(entry);
        };
        match change.clone() {
            Change::Attribute(key, value) => {
                edit.set_attribute(&key.of(&before), &value);
                set(key.of(&before), Some(value));
            }
            Change::TextAttribute(key, text) => {
                edit.set_text(&key.of(&before), &text);
                set(key.of(&before), Some(string(&text)));
            }
            Change::Encoded(one, other) => {
                edit.set_encoded(&EncodedAttributes::default().with_text("a", &one).with_text("new", &other));
                set("a".into(), Some(string(&one)));
                set("new".into(), Some(string(&other)));
            }
            Change::NoAttribute(key) => {
                edit.remove_attribute(&key.of(&before));
                set(key.of(&before), None);
            }
            Change::Body(body) => {
                edit.set_body(&body);
                record.body = Some(body);
            }
            Change::BodyText(text) => {
                edit.set_body_text(&text);
                record.body = Some(string(&text));
            }
            Change::Time(nanos) => {
                edit.set_time(Timestamp::from_nanos(nanos));
                record.time_unix_nano = nanos;
            }
            Change::Severity(number, text) => {
                edit.set_severity(number, &text);
                (record.severity_number, record.severity_text) = (number, text);
            }
            Change::Ids(trace, span) => {
                edit.set_trace_id(trace);
                edit.set_span_id(span);
                (record.trace_id, record.span_id) = (trace.to_vec(), span.to_vec());
            }
            Change::Remove => {
                edit.remove();
                return false;
            }
        }
    }
    true
}

proptest! {
    #![proptest_config(arbitrary::cases(64))]

    #[test]
    fn records_edited_by_their_bytes_are_as_if_structs_had_been_changed(
        message in arbitrary::logs(),
        changes in proptest::collection::vec(proptest::collection::vec(change(), 0..4), 1..5),
    ) {
        let whole = Logs::from_message(message);
        let mut expected = (*whole.message()).as_ref().clone();
        let mut n = 0;
        let edited = whole.edit(|_, view, edit| {
            let mut record = LogRecord::decode(view.bytes()).unwrap();
            apply(&changes[n % changes.len()], &mut record, edit);
            n += 1;
        });
        let mut n = 0;
        for group in &mut expected.resource_logs {
            group.scope_logs.retain_mut(|scope| {
                let had_records = !scope.log_records.is_empty();
                scope.log_records.retain_mut(|record| {
                    n += 1;
                    apply(&changes[(n - 1) % changes.len()], record, &mut RecordEdit::default())
                });
                !(had_records && scope.log_records.is_empty())
            });
        }
        let had_scopes = whole.message().resource_logs.iter().map(|group| !group.scope_logs.is_empty());
        let had_scopes: Vec<bool> = had_scopes.collect();
        let mut had_scopes = had_scopes.into_iter();
        expected.resource_logs.retain(|group| {
            !(had_scopes.next().unwrap_or_default() && group.scope_logs.is_empty())
        });
        let edited = reread(&edited)?;
        prop_assert_eq!(edited.message().as_ref(), &expected);
    }
}

#[test]
fn a_batch_that_need_not_change_is_not_copied() {
    let whole = Logs::from_message(one_log("checkout", "out of stock"));
    whole.bytes();
    let same = |batch: &Logs| assert_eq!(batch.bytes().as_ptr(), whole.bytes().as_ptr());
    same(&merge([Logs::empty(), whole.clone()]));
    same(&split(&whole, Limits::items(1))[0]);
    same(&split(&whole, Limits::default())[0]);
    same(&partition(&whole, SHARDS, |_| 4)[1]);
    same(&partition_by_trace(&whole, SHARDS, |_, _| 2)[2]);
    same(&whole.retain(|_, _, _| true));
    same(&rewrite_resources(&whole, |_| None));
    same(&whole.edit(|_, _, _| {}));
    assert_eq!(whole.retain(|_, _, _| false), Logs::empty());
}

#[test]
fn a_resource_can_get_attributes_that_it_did_not_have() {
    let mut message = one_log("checkout", "out of stock");
    message.resource_logs[0].resource = None;
    let logs = Logs::from_message(message);
    let name =
        KeyValue { key: "service.name".to_owned(), value: Some(string("cart")), ..KeyValue::default() };
    let named =
        rewrite_resources(&logs, |resource| resource.service_name().is_empty().then(|| vec![name.clone()]));
    assert_eq!(named, Logs::from_message(one_log("cart", "out of stock")));
}

#[test]
fn what_is_left_out_takes_its_scope_and_resource_along() {
    let mut message = one_log("checkout", "out of stock");
    message.resource_logs.extend(one_log("cart", "full").resource_logs);
    let kept = Logs::from_message(message).retain(|resource, scope, record| {
        scope.name().is_empty()
            && (resource.service_name() != "cart" || record.has_body())
            && record.body().as_str() != Some("out of stock")
    });
    assert_eq!(kept, Logs::from_message(one_log("cart", "full")));
}
