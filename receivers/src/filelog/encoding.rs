//! How a file's bytes are text.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a file's bytes are text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Encoding {
    /// UTF-8; what is not is replaced by U+FFFD.
    #[default]
    #[serde(rename = "utf-8", alias = "utf8", alias = "UTF-8", alias = "utf-8-raw")]
    Utf8,
    /// UTF-16, low byte first.
    #[serde(rename = "utf-16le", alias = "utf16-le", alias = "utf-16-le", alias = "UTF-16LE")]
    Utf16Le,
    /// UTF-16, high byte first.
    #[serde(rename = "utf-16be", alias = "utf16-be", alias = "utf-16-be", alias = "UTF-16BE")]
    Utf16Be,
    /// ASCII; what is not is replaced by U+FFFD.
    #[serde(rename = "ascii", alias = "ASCII", alias = "us-ascii")]
    Ascii,
    /// ISO 8859-1: one byte, one character.
    #[serde(rename = "latin-1", alias = "latin1", alias = "iso-8859-1", alias = "ISO-8859-1")]
    Latin1,
    /// Not text: bodies are bytes, and nothing is split but what is longer than `max_log_size`.
    #[serde(rename = "nop", alias = "")]
    Nop,
}

impl Encoding {
    /// Whether a line feed is two bytes.
    pub(super) const fn is_wide(self) -> bool {
        matches!(self, Self::Utf16Le | Self::Utf16Be)
    }

    /// The text that `bytes` are. Whatever they are, the result is text.
    pub(super) fn decode(self, bytes: &[u8]) -> Cow<'_, str> {
        match self {
            Self::Utf8 | Self::Nop => String::from_utf8_lossy(bytes),
            Self::Ascii => match std::str::from_utf8(bytes) {
                Ok(text) if text.is_ascii() => text.into(),
                _ => bytes
                    .iter()
                    .map(|byte| if byte.is_ascii() { char::from(*byte) } else { '\u{fffd}' })
                    .collect(),
            },
            Self::Latin1 => match std::str::from_utf8(bytes) {
                Ok(text) if text.is_ascii() => text.into(),
                _ => bytes.iter().map(|byte| char::from(*byte)).collect(),
            },
            Self::Utf16Le => utf16(bytes, u16::from_le_bytes).into(),
            Self::Utf16Be => utf16(bytes, u16::from_be_bytes).into(),
        }
    }

    /// The longest prefix of `bytes` of at most `max` bytes that ends between characters, but never nothing.
    pub(super) fn floor(self, bytes: &[u8], max: usize) -> usize {
        let end = max.min(bytes.len());
        if end == bytes.len() {
            return end;
        }
        let shorter = match self {
            Self::Utf8 => {
                let is_boundary = |at: &usize| bytes.get(*at).is_none_or(|byte| byte & 0xc0 != 0x80);
                // A character has at most three continuation bytes; more of them are not UTF-8 anyway.
                (end.saturating_sub(3)..=end).rev().find(is_boundary).unwrap_or(end)
            }
            Self::Utf16Le | Self::Utf16Be => end & !1,
            Self::Ascii | Self::Latin1 | Self::Nop => end,
        };
        if shorter == 0 { end.max(1) } else { shorter }
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let (units, rest) = bytes.as_chunks::<2>();
    let decoded = char::decode_utf16(units.iter().map(|bytes| unit(*bytes)));
    let mut text: String = decoded.map(|unit| unit.unwrap_or('\u{fffd}')).collect();
    // A byte order mark is no part of the text, and half a unit is no character.
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    if !rest.is_empty() {
        text.push('\u{fffd}');
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(Encoding::Utf8.decode(b"a\xffb"), "a\u{fffd}b");
        assert_eq!(Encoding::Ascii.decode("aä".as_bytes()), "a\u{fffd}\u{fffd}");
        assert_eq!(Encoding::Latin1.decode(b"a\xe4"), "aä");
        assert_eq!(Encoding::Utf16Le.decode(b"a\0\x00\xd8b"), "a\u{fffd}\u{fffd}");
    }

    #[test]
    fn a_byte_order_mark_is_dropped() {
        assert_eq!(Encoding::Utf16Be.decode(&[0xfe, 0xff, 0, b'a']), "a");
    }

    proptest! {
        #[test]
        fn utf_16_comes_back(text in "\\PC{0,40}") {
            prop_assume!(!text.starts_with('\u{feff}'));
            let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            prop_assert_eq!(Encoding::Utf16Le.decode(&little), text.as_str());
            prop_assert_eq!(Encoding::Utf16Be.decode(&big), text.as_str());
        }

        #[test]
        fn a_prefix_of_text_is_text(text in "\\PC{1,40}", max in 4..40usize) {
            let end = Encoding::Utf8.floor(text.as_bytes(), max);
            prop_assert!(end > 0 && end <= max);
            prop_assert!(text.is_char_boundary(end));
        }
    }
}
