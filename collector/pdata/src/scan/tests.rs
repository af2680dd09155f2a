//! The scan accepts what prost accepts, counts right, and batches that come in show what prost decodes.

use bytes::Bytes;
use proptest::prelude::*;
use prost::Message;

use crate::proto::{logs::LogsData, metrics::MetricsData, trace::TracesData};
use crate::schema::{self, Kind, Schema};
use crate::view::owned;
use crate::wire::{Fields, Value};
use crate::{DecodeError, Logs, Metrics, Otlp, Payload, Traces, arbitrary};

/// Something that decides, from a fixed supply of numbers.
struct Dice<'a>(std::iter::Cycle<std::slice::Iter<'a, u32>>);

impl Dice<'_> {
    fn roll(&mut self, sides: usize) -> usize {
        self.0.next().map_or(0, |number| *number as usize % sides)
    }
}

fn put_field(out: &mut Vec<u8>, tag: u32, value: Value<'_>) {
    use prost::encoding::{WireType, encode_key, encode_varint};
    match value {
        Value::Varint(number) => {
            encode_key(tag, WireType::Varint, out);
            encode_varint(number, out);
        }
        Value::Fixed64(number) => {
            encode_key(tag, WireType::SixtyFourBit, out);
            out.extend(number.to_le_bytes());
        }
        Value::Fixed32(number) => {
            encode_key(tag, WireType::ThirtyTwoBit, out);
            out.extend(number.to_le_bytes());
        }
        Value::Bytes(bytes) => {
            encode_key(tag, WireType::LengthDelimited, out);
            encode_varint(bytes.len() as u64, out);
            out.extend(bytes);
        }
        Value::Group => {
            encode_key(tag, WireType::StartGroup, out);
            put_field(out, 1, Value::Varint(7));
            encode_key(tag, WireType::EndGroup, out);
        }
    }
}

/// The same message as other encoders might write it, and as none should: fields in another order, repeated, mixed
/// with unknown ones, packed numbers unpacked.
fn scramble(schema: &'static Schema, bytes: &[u8], dice: &mut Dice<'_>) -> Vec<u8> {
    let mut fields: Vec<Vec<u8>> = Vec::new();
    for (tag, value) in Fields::of(bytes) {
        let mut field = Vec::new();
        match (schema.kind(tag), value) {
            (Kind::One(inner) | Kind::Many(inner), Value::Bytes(bytes)) => {
                put_field(&mut field, tag, Value::Bytes(&scramble(inner, bytes, dice)));
            }
            (Kind::Fixed64s, Value::Bytes(packed)) if dice.roll(2) == 0 => {
                for number in packed.chunks_exact(8) {
                    put_field(
                        &mut field,
                        tag,
                        Value::Fixed64(u64::from_le_bytes(number.try_into().unwrap())),
                    );
                }
            }
            _ => put_field(&mut field, tag, value),
        }
        fields.push(field);
    }
    for _ in 0..dice.roll(3) {
        let other = dice.roll(fields.len().max(1));
        match dice.roll(5) {
            0 if !fields.is_empty() => fields.push(fields[other].clone()),
            1 if !fields.is_empty() => {
                let last = fields.len() - 1;
                fields.swap(other, last);
            }
            2 => {
                let mut field = Vec::new();
                put_field(&mut field, 200, Value::Bytes(b"unknown"));
                put_field(&mut field, 2000, Value::Group);
                put_field(&mut field, 4000, Value::Fixed32(1));
                fields.insert(other, field);
            }
            _ => {}
        }
    }
    fields.concat()
}

/// One form for all messages that mean the same to a reader of views: without entity references and string table
/// indices, which views do not show, and with an empty value where there is none.
fn canonical(schema: &'static Schema, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut has_value = false;
    for (tag, value) in Fields::of(bytes) {
        match (schema.kind(tag), value) {
            (Kind::Many(_), _) if std::ptr::eq(schema, &raw const schema::RESOURCE) && tag == 3 => {}
            (Kind::Varint, _) if std::ptr::eq(schema, &raw const schema::KEY_VALUE) => {}
            (Kind::Varint, _) if std::ptr::eq(schema, &raw const schema::ANY_VALUE) && tag == 8 => {}
            (Kind::One(inner) | Kind::Many(inner), Value::Bytes(bytes)) => {
                has_value |= tag == 2;
                put_field(&mut out, tag, Value::Bytes(&canonical(inner, bytes)));
            }
            _ => put_field(&mut out, tag, value),
        }
    }
    if std::ptr::eq(schema, &raw const schema::KEY_VALUE) && !has_value {
        put_field(&mut out, 2, Value::Bytes(&[]));
    }
    out
}

/// Compares what comes of `bytes` with what prost makes of them. Returns whether they are good.
fn check<T: Payload>(
    bytes: Vec<u8>,
    schema: &'static Schema,
    owned: impl Fn(&Otlp<T>) -> T,
) -> Result<bool, TestCaseError> {
    let prost = T::decode(&*bytes);
    let ours = Otlp::<T>::from_bytes(Bytes::from(bytes));
    match (prost, ours) {
        (Ok(message), Ok(otlp)) => {
            prop_assert_eq!(otlp.items(), message.count());
            prop_assert_eq!(otlp.may_hold_events(), message.holds_events());
            let seen = owned(&otlp).encode_to_vec();
            let decoded = message.encode_to_vec();
            prop_assert_eq!(canonical(schema, &seen), canonical(schema, &decoded));
            prop_assert_eq!(otlp.message().encode_to_vec(), decoded);
            Ok(true)
        }
        (Err(_), Err(_)) => Ok(false),
        (prost, ours) => {
            Err(TestCaseError::fail(format!("prost: {:?}, we: {:?}", prost.map(|_| ()), ours.map(|_| ()))))
        }
    }
}

fn check_logs(bytes: Vec<u8>) -> Result<bool, TestCaseError> {
    check::<LogsData>(bytes, &schema::LOGS, |logs: &Logs| owned::logs(logs.view()))
}

fn check_traces(bytes: Vec<u8>) -> Result<bool, TestCaseError> {
    check::<TracesData>(bytes, &schema::TRACES, |traces: &Traces| owned::traces(traces.view()))
}

fn check_metrics(bytes: Vec<u8>) -> Result<bool, TestCaseError> {
    check::<MetricsData>(bytes, &schema::METRICS, |metrics: &Metrics| owned::metrics(metrics.view()))
}

/// Damages bytes here and there.
fn mutate(mut bytes: Vec<u8>, damage: &[(u16, u8, u8)]) -> Vec<u8> {
    for (at, how, byte) in damage {
        let at = usize::from(*at) % (bytes.len() + 1);
        match how % 4 {
            0 if at < bytes.len() => bytes[at] = *byte,
            1 => bytes.insert(at, *byte),
            2 if at < bytes.len() => {
                bytes.remove(at);
            }
            _ if at < bytes.len() => bytes[at] ^= 1 << (byte % 8),
            _ => bytes.truncate(at),
        }
    }
    bytes
}

fn damage() -> impl Strategy<Value = Vec<(u16, u8, u8)>> {
    proptest::collection::vec(any::<(u16, u8, u8)>(), 1..4)
}

fn dice() -> impl Strategy<Value = Vec<u32>> {
    proptest::collection::vec(any::<u32>(), 64)
}

proptest! {
    #![proptest_config(arbitrary::cases(32))]

    #[test]
    fn scrambled_logs_show_what_prost_decodes(message in arbitrary::logs(), dice in dice()) {
        let bytes = scramble(&schema::LOGS, &message.encode_to_vec(), &mut Dice(dice.iter().cycle()));
        prop_assert!(check_logs(bytes)?);
    }

    #[test]
    fn scrambled_spans_show_what_prost_decodes(message in arbitrary::traces(), dice in dice()) {
        let bytes = scramble(&schema::TRACES, &message.encode_to_vec(), &mut Dice(dice.iter().cycle()));
        prop_assert!(check_traces(bytes)?);
    }

    #[test]
    fn scrambled_metrics_show_what_prost_decodes(message in arbitrary::metrics(), dice in dice()) {
        let bytes = scramble(&schema::METRICS, &message.encode_to_vec(), &mut Dice(dice.iter().cycle()));
        prop_assert!(check_metrics(bytes)?);
    }

    #[test]
    fn damaged_logs_are_accepted_exactly_when_prost_accepts_them(
        message in arbitrary::logs(), damage in damage(),
    ) {
        check_logs(mutate(message.encode_to_vec(), &damage))?;
    }

    #[test]
    fn damaged_spans_are_accepted_exactly_when_prost_accepts_them(
        message in arbitrary::traces(), damage in damage(),
    ) {
        check_traces(mutate(message.encode_to_vec(), &damage))?;
    }

    #[test]
    fn damaged_metrics_are_accepted_exactly_when_prost_accepts_them(
        message in arbitrary::metrics(), damage in damage(),
    ) {
        check_metrics(mutate(message.encode_to_vec(), &damage))?;
    }

    #[test]
    fn arbitrary_bytes_are_accepted_exactly_when_prost_accepts_them(
        bytes in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        check_logs(bytes.clone())?;
        check_traces(bytes.clone())?;
        check_metrics(bytes)?;
    }
}

/// A log record whose body is `depth` lists in each other.
fn nested(depth: usize) -> Vec<u8> {
    let wrap = |tag: u32, bytes: &[u8]| {
        let mut out = Vec::new();
        put_field(&mut out, tag, Value::Bytes(bytes));
        out
    };
    let mut value = Vec::new();
    for _ in 0..depth {
        value = wrap(5, &wrap(1, &value));
    }
    wrap(1, &wrap(2, &wrap(2, &wrap(5, &value))))
}

#[test]
fn values_that_nest_too_deeply_are_refused_before_prost_refuses_them() {
    assert!(Logs::from_bytes(nested(40).into()).is_ok());
    let deep = nested(46);
    assert!(LogsData::decode(&*deep).is_ok());
    assert!(matches!(
        Logs::from_bytes(deep.into()),
        Err(DecodeError::Malformed { reason: "values nest too deeply", .. })
    ));
    assert!(Logs::from_bytes(nested(100_000).into()).is_err());
}

#[test]
fn an_error_says_where() {
    let mut message = crate::tests::one_log("checkout", "out of stock").encode_to_vec();
    let at = message.windows(3).position(|window| window == b"sto").unwrap();
    message[at] = 0xff;
    let error = Logs::from_bytes(message.into()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("malformed logs: text is not UTF-8 at byte {}", at - "out of ".len() - 1)
    );
}

#[test]
fn bytes_that_need_no_merging_are_kept_as_they_are() {
    let bytes = Bytes::from(crate::tests::one_log("checkout", "out of stock").encode_to_vec());
    let logs = Logs::from_bytes(bytes.clone()).unwrap();
    assert_eq!(logs.bytes().as_ptr(), bytes.as_ptr());
}
