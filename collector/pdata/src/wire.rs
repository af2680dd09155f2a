//! Protobuf's wire format, read in place.
//!
//! In: bytes. Out: fields, one after the other, as tag and undecoded value. Nothing here allocates or panics; bytes
//! that are not protobuf end the iteration.

/// How deep messages and groups may nest. prost stops at 100; a processor that wraps a value in another one must not
/// make data that the next hop refuses.
pub(crate) const MAX_DEPTH: u32 = 90;

/// A field's value, undecoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// An integer, an enum or a boolean.
    Varint(u64),
    /// Eight bytes.
    Fixed64(u64),
    /// Four bytes.
    Fixed32(u32),
    /// A string, bytes, a message or packed numbers.
    Bytes(&'a [u8]),
    /// A group, skipped: OTLP has none, but unknown fields may.
    Group,
}

/// Takes a varint off the front.
#[inline(always)]
pub(crate) fn varint(bytes: &mut &[u8]) -> Option<u64> {
    match **bytes {
        [first, ref rest @ ..] if first < 0x80 => {
            *bytes = rest;
            Some(u64::from(first))
        }
        [first, second, ref rest @ ..] if second < 0x80 => {
            *bytes = rest;
            Some(u64::from(first & 0x7f) | u64::from(second) << 7)
        }
        _ => long_varint(bytes),
    }
}

#[cold]
#[inline(never)]
fn long_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for (i, byte) in bytes.iter().copied().enumerate().take(10) {
        if i == 9 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            *bytes = &bytes[i + 1..];
            return Some(value);
        }
    }
    None
}

/// Takes `N` bytes off the front.
#[inline(always)]
pub(crate) fn array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

/// Takes a length and as many bytes off the front.
#[inline(always)]
pub(crate) fn delimited<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(varint(bytes)?).ok()?;
    let (head, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(head)
}

/// Takes a key off the front: the tag and the wire type.
#[inline(always)]
pub(crate) fn key(bytes: &mut &[u8]) -> Option<(u32, u8)> {
    let key = u32::try_from(varint(bytes)?).ok()?;
    (key >= 8).then_some((key >> 3, (key & 7) as u8))
}

/// Takes a value of the given wire type off the front.
#[inline(always)]
pub(crate) fn value<'a>(bytes: &mut &'a [u8], tag: u32, wire_type: u8, depth: u32) -> Option<Value<'a>> {
    Some(match wire_type {
        0 => Value::Varint(varint(bytes)?),
        1 => Value::Fixed64(u64::from_le_bytes(array(bytes)?)),
        2 => Value::Bytes(delimited(bytes)?),
        3 => {
            skip_group(bytes, tag, depth)?;
            Value::Group
        }
        5 => Value::Fixed32(u32::from_le_bytes(array(bytes)?)),
        _ => return None,
    })
}

#[cold]
#[inline(never)]
fn skip_group(bytes: &mut &[u8], tag: u32, depth: u32) -> Option<()> {
    if depth >= MAX_DEPTH {
        return None;
    }
    loop {
        match key(bytes)? {
            (end, 4) => return (end == tag).then_some(()),
            (inner, wire_type) => {
                value(bytes, inner, wire_type, depth + 1)?;
            }
        }
    }
}

/// The fields of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of the message that `bytes` encode.
    pub(crate) const fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The bytes that have not been read yet.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// How many bytes have not been read yet.
    pub(crate) const fn remaining(&self) -> usize {
        self.rest.len()
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u32, Value<'a>);

    // Callers match on tag and wire type at once; only inlined does the compiler join that with the decoding.
    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let mut rest = self.rest;
        let field =
            key(&mut rest).and_then(|(tag, wire_type)| Some((tag, value(&mut rest, tag, wire_type, 0)?)));
        self.rest = if field.is_some() { rest } else { &[] };
        field
    }
}

/// The part of a message that holds all occurrences of one repeated field, and perhaps others between them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Repeated<'a> {
    bytes: &'a [u8],
}

impl<'a> Repeated<'a> {
    /// All of a message.
    pub(crate) const fn within(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The occurrences that hold bytes: messages, strings.
    pub(crate) const fn slices(self, tag: u32) -> Slices<'a> {
        Slices { fields: Fields::of(self.bytes), tag }
    }

    /// The occurrences as eight-byte numbers, packed or not.
    pub(crate) const fn fixed64s(self, tag: u32) -> Fixed64s<'a> {
        Fixed64s { fields: Fields::of(self.bytes), tag, packed: &[] }
    }

    /// The occurrences as varints, packed or not.
    pub(crate) const fn varints(self, tag: u32) -> Varints<'a> {
        Varints { fields: Fields::of(self.bytes), tag, packed: &[] }
    }
}

/// Notes where in a message a repeated field begins and ends, while its fields are read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extent {
    start: usize,
    end: usize,
}

impl Extent {
    /// Takes in a field that reaches from `before` remaining bytes to `after` remaining bytes of `len`.
    #[inline]
    pub(crate) const fn add(&mut self, len: usize, before: usize, after: usize) {
        if self.end == 0 {
            self.start = len - before;
        }
        self.end = len - after;
    }

    /// The part of the message that was noted.
    #[inline]
    pub(crate) fn of(self, message: &[u8]) -> Repeated<'_> {
        Repeated { bytes: message.get(self.start..self.end).unwrap_or_default() }
    }
}

/// Messages or strings of one repeated field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slices<'a> {
    fields: Fields<'a>,
    tag: u32,
}

impl<'a> Slices<'a> {
    /// What has not been read yet.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.fields.rest()
    }
}

impl<'a> Iterator for Slices<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            match self.fields.next()? {
                (tag, Value::Bytes(bytes)) if tag == self.tag => return Some(bytes),
                _ => {}
            }
        }
    }
}

/// Eight-byte numbers of one repeated field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fixed64s<'a> {
    fields: Fields<'a>,
    tag: u32,
    packed: &'a [u8],
}

impl Iterator for Fixed64s<'_> {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        loop {
            if let Some(number) = array(&mut self.packed) {
                return Some(u64::from_le_bytes(number));
            }
            match self.fields.next()? {
                (tag, Value::Bytes(packed)) if tag == self.tag => self.packed = packed,
                (tag, Value::Fixed64(number)) if tag == self.tag => return Some(number),
                _ => {}
            }
        }
    }
}

/// Varints of one repeated field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Varints<'a> {
    fields: Fields<'a>,
    tag: u32,
    packed: &'a [u8],
}

impl Iterator for Varints<'_> {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        loop {
            if let Some(number) = varint(&mut self.packed) {
                return Some(number);
            }
            match self.fields.next()? {
                (tag, Value::Bytes(packed)) if tag == self.tag => self.packed = packed,
                (tag, Value::Varint(number)) if tag == self.tag => return Some(number),
                _ => {}
            }
        }
    }
}

/// A `sint32`, from its zigzag form.
pub(crate) const fn zigzag32(number: u64) -> i32 {
    let number = number as u32;
    ((number >> 1) as i32) ^ -((number & 1) as i32)
}

/// A string field's text. The bytes of a scanned message are UTF-8; of others, text that is not is empty.
#[inline]
pub(crate) fn text(bytes: &[u8]) -> &str {
    simdutf8::basic::from_utf8(bytes).unwrap_or_default()
}
