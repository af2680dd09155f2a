//! Telemetry as CEL values, read from the borrowed views only where an expression looks.

use std::sync::OnceLock;

use cel::ExecutionError;
use cel::common::traits::{self, Container, Indexer, Iterable, Sizer};
use cel::common::types::{
    CelBool, CelBytes, CelDouble, CelDuration, CelInt, CelList, CelNull, CelString, CelTimestamp, MAP_TYPE,
    Type,
};
use cel::common::value::{CowVal, Val};
use pdata::Timestamp;
use pdata::view::{AnyValueView, Attributes};

use super::records::Fields;

/// A boxed value.
pub(super) type Boxed<'a> = Box<dyn Val + 'a>;

static MAP: Type = MAP_TYPE;

/// Something with named fields, looked up only when asked for. An absent field is `NoSuchKey`, as in any CEL map.
#[derive(Debug)]
pub(super) struct MapVal<'a> {
    fields: Fields<'a>,
    keys: OnceLock<Vec<CelString<'a>>>,
}

impl<'a> MapVal<'a> {
    /// A map over these fields.
    pub(super) const fn new(fields: Fields<'a>) -> Self {
        Self { fields, keys: OnceLock::new() }
    }

    /// A map over attributes.
    pub(super) const fn attributes(attributes: Attributes<'a>) -> Self {
        Self::new(Fields::Attributes(attributes))
    }

    fn keys(&self) -> &[CelString<'a>] {
        self.keys.get_or_init(|| self.fields.keys().map(CelString::from).collect())
    }
}

impl<'a> Val for MapVal<'a> {
    fn get_type(&self) -> &Type {
        &MAP
    }

    fn cel_type() -> &'static Type {
        &MAP
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_iterable<'b, 'v>(&'b self) -> Option<&'b (dyn Iterable + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(MapVal::new(self.fields))
    }
}

impl Indexer for MapVal<'_> {
    fn get<'b, 'v>(&'b self, index: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let Some(key) = index.downcast_ref::<CelString<'_>>() else {
            return Err(ExecutionError::UnexpectedType {
                got: index.get_type().name().to_owned(),
                want: "string".to_owned(),
            });
        };
        match self.fields.get(key.inner()) {
            Some(value) => Ok(CowVal::Owned(value)),
            None => Err(ExecutionError::no_such_key(key.inner())),
        }
    }

    fn steal<'v>(self: Box<Self>, index: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.get(index).map(CowVal::into_owned)
    }
}

impl Container for MapVal<'_> {
    fn contains(&self, value: &dyn Val) -> Result<bool, ExecutionError> {
        let key = value.downcast_ref::<CelString<'_>>();
        Ok(key.is_some_and(|key| self.fields.get(key.inner()).is_some()))
    }
}

impl Sizer for MapVal<'_> {
    fn size(&self) -> CelInt {
        CelInt::from(i64::try_from(self.keys().len()).unwrap_or(i64::MAX))
    }
}

impl Iterable for MapVal<'_> {
    fn iter<'b, 'v>(&'b self) -> Box<dyn traits::Iterator<'b, 'v> + 'b>
    where
        Self: 'v,
    {
        Box::new(Keys(self.keys().iter()))
    }
}

struct Keys<'b, 'a>(std::slice::Iter<'b, CelString<'a>>);

impl<'b, 'v, 'a: 'v> traits::Iterator<'b, 'v> for Keys<'b, 'a> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'v)> {
        self.0.next().map(|key| key as &(dyn Val + 'v))
    }
}

/// An attribute's value or a body.
pub(super) fn any<'a>(value: AnyValueView<'a>) -> Boxed<'a> {
    match value {
        AnyValueView::Str(text) => string(text),
        AnyValueView::Bool(value) => Box::new(CelBool::from(value)),
        AnyValueView::Int(value) => int(value),
        AnyValueView::Double(value) => double(value),
        AnyValueView::Bytes(bytes) => Box::new(CelBytes::from(bytes)),
        AnyValueView::Array(array) => Box::new(CelList::from(array.iter().map(any).collect::<Vec<_>>())),
        AnyValueView::KvList(list) => Box::new(MapVal::attributes(list.iter())),
        AnyValueView::Empty => Box::new(CelNull),
    }
}

/// Text, borrowed.
pub(super) fn string(text: &str) -> Boxed<'_> {
    Box::new(CelString::from(text))
}

/// A whole number.
pub(super) fn int<'a>(value: i64) -> Boxed<'a> {
    Box::new(CelInt::from(value))
}

/// A number.
pub(super) fn double<'a>(value: f64) -> Boxed<'a> {
    Box::new(CelDouble::from(value))
}

/// A truth value.
pub(super) fn boolean<'a>(value: bool) -> Boxed<'a> {
    Box::new(CelBool::from(value))
}

/// An id, in hexadecimal as OTLP/JSON writes it.
pub(super) fn hex<'a>(bytes: &[u8]) -> Boxed<'a> {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
        text.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
    }
    Box::new(CelString::from(text))
}

/// A moment.
pub(super) fn time<'a>(time: Timestamp) -> Boxed<'a> {
    let nanos = i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
    Box::new(CelTimestamp::from(chrono::DateTime::from_timestamp_nanos(nanos).fixed_offset()))
}

/// A length of time.
pub(super) fn duration<'a>(duration: std::time::Duration) -> Boxed<'a> {
    let nanos = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    Box::new(CelDuration::from(chrono::Duration::nanoseconds(nanos)))
}
