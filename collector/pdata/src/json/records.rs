//! Log records as JSON: what the tables would print, faster.
//!
//! Nearly all of what a pipeline prints are log records of a few kinds: each field once, a text as body, attributes that are
//! texts and often the same as in a record before. Those are printed here; a record with anything else is left to the tables.

use std::ops::Range;

use super::write::{entry, hex, message, string, text_entry};
use crate::schema::LOG_RECORD;
use crate::wire::{Fields, Value, varint};

/// Attributes and their texts that were printed lately.
const REMEMBERED: usize = 64;
/// Comparing longer ones would cost more than it saves.
const LONGEST: usize = 1024;

/// Prints the records of a scope.
pub(super) struct Records<'a> {
    /// Encoded attributes, each with the part of the output where it was printed.
    printed: [(&'a [u8], Range<u32>); REMEMBERED],
}

impl Default for Records<'_> {
    fn default() -> Self {
        Self { printed: [const { (&[], 0..0) }; REMEMBERED] }
    }
}

impl<'a> Records<'a> {
    /// Prints a record.
    pub(super) fn print(&mut self, record: &'a [u8], depth: u32, out: &mut Vec<u8>) {
        let start = out.len();
        if self.usual(record, out).is_none() {
            out.truncate(start);
            self.printed = Self::default().printed;
            message(&LOG_RECORD, record, depth, out);
        }
    }

    /// Prints a record that has each field once. `None` if it does not, or if one is out of the ordinary.
    fn usual(&mut self, record: &'a [u8], out: &mut Vec<u8>) -> Option<()> {
        let start = out.len();
        let mut fields = Fields::of(record);
        let mut seen = 0_u16;
        loop {
            let before = fields;
            let Some((tag, value)) = fields.next() else { break };
            let bit = 1_u16.checked_shl(tag)?;
            if seen & bit != 0 {
                return None;
            }
            seen |= bit;
            match (tag, value) {
                (1, Value::Fixed64(nanos)) => time(b",\"timeUnixNano\":\"", nanos, out),
                (2, Value::Varint(number)) => {
                    out.extend_from_slice(b",\"severityNumber\":");
                    out.extend_from_slice(itoa::Buffer::new().format(number as i32).as_bytes());
                }
                (3, Value::Bytes(text)) => {
                    out.extend_from_slice(b",\"severityText\":");
                    string(text, out);
                }
                (5, Value::Bytes(body)) => {
                    out.extend_from_slice(b",\"body\":{\"stringValue\":");
                    string(only_text(body)?, out);
                    out.push(b'}');
                }
                (6, Value::Bytes(_)) => fields = self.attributes(before, out)?,
                (9, Value::Bytes(id)) => {
                    out.extend_from_slice(b",\"traceId\":");
                    hex(id, out);
                }
                (10, Value::Bytes(id)) => {
                    out.extend_from_slice(b",\"spanId\":");
                    hex(id, out);
                }
                (11, Value::Fixed64(nanos)) => time(b",\"observedTimeUnixNano\":\"", nanos, out),
                _ => return None,
            }
        }
        // What stands there is the first comma.
        *out.get_mut(start)? = b'{';
        out.push(b'}');
        Some(())
    }

    /// Prints the attributes that follow each other. Returns what is behind them.
    fn attributes(&mut self, mut fields: Fields<'a>, out: &mut Vec<u8>) -> Option<Fields<'a>> {
        out.extend_from_slice(b",\"attributes\":[");
        loop {
            let before = fields;
            let Some((6, Value::Bytes(attribute))) = fields.next() else {
                // Where the last comma is.
                *out.last_mut()? = b']';
                return Some(before);
            };
            self.attribute(attribute, out)?;
            out.push(b',');
        }
    }

    fn attribute(&mut self, attribute: &'a [u8], out: &mut Vec<u8>) -> Option<()> {
        let printed = self.printed.get_mut(place(attribute))?;
        if printed.0 == attribute && !attribute.is_empty() {
            out.extend_from_within(printed.1.start as usize..printed.1.end as usize);
            return Some(());
        }
        let start = out.len();
        let (key, text) = text_entry(attribute)?;
        entry(key, text, out);
        if attribute.len() <= LONGEST
            && let Ok(end) = u32::try_from(out.len())
        {
            *printed = (attribute, start as u32..end);
        }
        Some(())
    }
}

/// Where an attribute is remembered. Equal ones have equal places.
fn place(attribute: &[u8]) -> usize {
    let word = |chunk: Option<&[u8; 8]>| chunk.map_or(0, |chunk| u64::from_le_bytes(*chunk));
    let middle = attribute.get(attribute.len() / 2..).unwrap_or_default();
    let mixed = (word(attribute.last_chunk()) ^ word(middle.first_chunk()).rotate_left(32))
        .wrapping_add(attribute.len() as u64)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> (u64::BITS - REMEMBERED.ilog2())) as usize
}

/// The text of a value that holds a text and nothing else.
fn only_text(value: &[u8]) -> Option<&[u8]> {
    let mut rest = value.strip_prefix(&[1 << 3 | 2])?;
    let len = usize::try_from(varint(&mut rest)?).ok()?;
    (rest.len() == len).then_some(rest)
}

fn time<const N: usize>(name: &[u8; N], nanos: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    out.extend_from_slice(itoa::Buffer::new().format(nanos).as_bytes());
    out.push(b'"');
}
