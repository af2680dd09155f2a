//! Values and attributes, read in place.

use std::borrow::Cow;

use crate::proto::common::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value};
use crate::wire::{Fields, Repeated, Slices, Value, text};

/// The value of an attribute or a body.
#[derive(Clone, Copy, Debug)]
pub enum AnyValueView<'a> {
    /// Text.
    Str(&'a str),
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Double(f64),
    /// Raw bytes.
    Bytes(&'a [u8]),
    /// A list of values.
    Array(ArrayView<'a>),
    /// A map of values.
    KvList(KvListView<'a>),
    /// No value, or one that refers to a table that OTLP batches of spans, points and records do not have.
    Empty,
}

impl<'a> AnyValueView<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Self {
        let mut value = AnyValueView::Empty;
        for field in Fields::of(bytes) {
            value = match field {
                (1, Value::Bytes(bytes)) => AnyValueView::Str(text(bytes)),
                (2, Value::Varint(number)) => AnyValueView::Bool(number != 0),
                (3, Value::Varint(number)) => AnyValueView::Int(number.cast_signed()),
                (4, Value::Fixed64(bits)) => AnyValueView::Double(f64::from_bits(bits)),
                (5, Value::Bytes(bytes)) => AnyValueView::Array(ArrayView { bytes }),
                (6, Value::Bytes(bytes)) => AnyValueView::KvList(KvListView { bytes }),
                (7, Value::Bytes(bytes)) => AnyValueView::Bytes(bytes),
                (8, Value::Varint(_)) => AnyValueView::Empty,
                _ => value,
            };
        }
        value
    }

    /// The text, if it is text.
    pub const fn as_str(self) -> Option<&'a str> {
        if let AnyValueView::Str(text) = self { Some(text) } else { None }
    }

    /// The truth value, if it is one.
    pub const fn as_bool(self) -> Option<bool> {
        if let AnyValueView::Bool(truth) = self { Some(truth) } else { None }
    }

    /// The whole number, if it is one.
    pub const fn as_i64(self) -> Option<i64> {
        if let AnyValueView::Int(number) = self { Some(number) } else { None }
    }

    /// The number, if it is one of either kind.
    pub const fn as_f64(self) -> Option<f64> {
        match self {
            AnyValueView::Double(number) => Some(number),
            AnyValueView::Int(number) => Some(number as f64),
            _ => None,
        }
    }

    /// Whether there is no value.
    pub const fn is_empty(self) -> bool {
        matches!(self, AnyValueView::Empty)
    }

    /// The value as text, as the collector prints it: text as it is, numbers in decimal, bytes in base64, lists and
    /// maps as JSON, no value as nothing.
    pub fn to_text(self) -> Cow<'a, str> {
        match self {
            AnyValueView::Str(text) => Cow::Borrowed(text),
            AnyValueView::Bool(true) => Cow::Borrowed("true"),
            AnyValueView::Bool(false) => Cow::Borrowed("false"),
            AnyValueView::Int(number) => Cow::Owned(itoa::Buffer::new().format(number).to_owned()),
            AnyValueView::Double(number) => Cow::Owned(super::json::double_text(number)),
            AnyValueView::Bytes(bytes) => Cow::Owned(super::json::base64(bytes)),
            AnyValueView::Array(_) | AnyValueView::KvList(_) => Cow::Owned(self.to_json().to_string()),
            AnyValueView::Empty => Cow::Borrowed(""),
        }
    }

    /// The value as plain JSON, for people and other programs (not the OTLP/JSON form): bytes become base64 text and
    /// numbers that JSON does not have become text.
    pub fn to_json(self) -> serde_json::Value {
        super::json::plain(self)
    }

    /// An owned copy.
    pub fn to_owned(self) -> AnyValue {
        use any_value::Value as Owned;
        AnyValue {
            value: match self {
                AnyValueView::Str(text) => Some(Owned::StringValue(text.to_owned())),
                AnyValueView::Bool(truth) => Some(Owned::BoolValue(truth)),
                AnyValueView::Int(number) => Some(Owned::IntValue(number)),
                AnyValueView::Double(number) => Some(Owned::DoubleValue(number)),
                AnyValueView::Bytes(bytes) => Some(Owned::BytesValue(bytes.to_vec())),
                AnyValueView::Array(array) => Some(Owned::ArrayValue(ArrayValue {
                    values: array.iter().map(AnyValueView::to_owned).collect(),
                })),
                AnyValueView::KvList(list) => {
                    Some(Owned::KvlistValue(KeyValueList { values: list.iter().to_owned() }))
                }
                AnyValueView::Empty => None,
            },
        }
    }
}

/// A list of values.
#[derive(Clone, Copy, Debug)]
pub struct ArrayView<'a> {
    bytes: &'a [u8],
}

impl<'a> ArrayView<'a> {
    /// The values, in order.
    pub fn iter(self) -> impl Iterator<Item = AnyValueView<'a>> + Clone {
        Repeated::within(self.bytes).slices(1).map(AnyValueView::read)
    }
}

/// A map of values.
#[derive(Clone, Copy, Debug)]
pub struct KvListView<'a> {
    bytes: &'a [u8],
}

impl<'a> KvListView<'a> {
    /// The entries, in order.
    pub const fn iter(self) -> Attributes<'a> {
        Attributes::new(Repeated::within(self.bytes), 1)
    }

    /// The first entry with this key.
    pub fn get(self, key: &str) -> Option<AnyValueView<'a>> {
        self.iter().get(key)
    }
}

/// Attributes: keys with values, in order.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a> {
    entries: Slices<'a>,
}

impl<'a> Attributes<'a> {
    pub(crate) const fn new(entries: Repeated<'a>, tag: u32) -> Self {
        Self { entries: entries.slices(tag) }
    }

    /// The encoded attributes: equal bytes mean equal attributes.
    pub const fn bytes(self) -> &'a [u8] {
        self.entries.rest()
    }

    /// The value of the first attribute with this key.
    pub fn get(self, key: &str) -> Option<AnyValueView<'a>> {
        for entry in self.entries {
            let (found, value) = split(entry);
            if found == key.as_bytes() {
                return Some(AnyValueView::read(value));
            }
        }
        None
    }

    /// The text of the first attribute with this key, if it is text.
    pub fn get_str(self, key: &str) -> Option<&'a str> {
        self.get(key).and_then(AnyValueView::as_str)
    }

    /// An owned copy.
    pub fn to_owned(self) -> Vec<KeyValue> {
        self.map(|(key, value)| KeyValue {
            key: key.to_owned(),
            value: Some(value.to_owned()),
            ..KeyValue::default()
        })
        .collect()
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, AnyValueView<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.entries.next().map(|entry| {
            let (key, value) = split(entry);
            (text(key), AnyValueView::read(value))
        })
    }
}

/// Key and encoded value of a `KeyValue`. An absent value reads as an empty one.
#[inline]
fn split(entry: &[u8]) -> (&[u8], &[u8]) {
    let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
    for field in Fields::of(entry) {
        match field {
            (1, Value::Bytes(bytes)) => key = bytes,
            (2, Value::Bytes(bytes)) => value = bytes,
            _ => {}
        }
    }
    (key, value)
}
