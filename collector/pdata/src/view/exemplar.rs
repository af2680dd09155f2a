//! Exemplars, read in place, and the numbers that they and points hold.

use super::Attributes;
use crate::Timestamp;
use crate::wire::{Fields, Repeated, Value};

/// A number of either kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NumberValue {
    /// A whole number.
    Int(i64),
    /// A number.
    Double(f64),
}

impl NumberValue {
    /// The number; whole numbers beyond 2^53 lose precision.
    pub const fn as_f64(self) -> f64 {
        match self {
            Self::Int(number) => number as f64,
            Self::Double(number) => number,
        }
    }
}

/// A single measurement that stands for others.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExemplarView<'a> {
    time: u64,
    value: Option<NumberValue>,
    trace_id: &'a [u8],
    span_id: &'a [u8],
    bytes: &'a [u8],
}

impl<'a> ExemplarView<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Self {
        let mut exemplar = Self { bytes, ..Self::default() };
        for field in Fields::of(bytes) {
            match field {
                (2, Value::Fixed64(nanos)) => exemplar.time = nanos,
                (3, Value::Fixed64(bits)) => exemplar.value = Some(NumberValue::Double(f64::from_bits(bits))),
                (4, Value::Bytes(id)) => exemplar.span_id = id,
                (5, Value::Bytes(id)) => exemplar.trace_id = id,
                (6, Value::Fixed64(bits)) => exemplar.value = Some(NumberValue::Int(bits.cast_signed())),
                _ => {}
            }
        }
        exemplar
    }

    /// When it was measured.
    pub const fn time(self) -> Timestamp {
        Timestamp(self.time)
    }

    /// What was measured.
    pub const fn value(self) -> Option<NumberValue> {
        self.value
    }

    /// The trace it belongs to: sixteen bytes, or none.
    pub const fn trace_id(self) -> &'a [u8] {
        self.trace_id
    }

    /// The span it belongs to: eight bytes, or none.
    pub const fn span_id(self) -> &'a [u8] {
        self.span_id
    }

    /// Attributes that the point itself does not have.
    pub const fn attributes(self) -> Attributes<'a> {
        Attributes::new(Repeated::within(self.bytes), 7)
    }
}
