//! What a byte may be part of.

/// A lowercase letter.
pub(super) const LOWER: u8 = 1;
/// An uppercase letter.
pub(super) const UPPER: u8 = 2;
/// A digit.
pub(super) const DIGIT: u8 = 4;
/// A dot.
pub(super) const DOT: u8 = 8;
/// What joins the parts of a name: `_`, `-`, `~`.
pub(super) const JOINER: u8 = 16;
/// A slash.
pub(super) const SLASH: u8 = 32;
/// A backslash.
pub(super) const BACKSLASH: u8 = 64;
/// Anything else that may be in a word.
pub(super) const OTHER: u8 = 128;
/// A letter.
pub(super) const LETTER: u8 = LOWER | UPPER;

/// The classes of all bytes; 0 for those that end a word.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [OTHER; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'a'..=b'z' => LOWER,
            b'A'..=b'Z' => UPPER,
            b'0'..=b'9' => DIGIT,
            b'.' => DOT,
            b'_' | b'-' | b'~' => JOINER,
            b'/' => SLASH,
            b'\\' => BACKSLASH,
            0..=b' ' | 0x7f => 0,
            b'=' | b':' | b',' | b';' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'<' | b'>' | b'"' => 0,
            b'\'' | b'|' | b'!' | b'?' | b'*' | b'#' | b'@' | b'&' | b'`' => 0,
            _ => OTHER,
        };
        byte += 1;
    }
    table
}

/// The class of a byte.
#[inline]
pub(super) fn class(byte: u8) -> u8 {
    CLASSES[byte as usize]
}

/// The class of the byte at `at`; 0 past the end.
#[inline]
pub(super) fn class_at(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).map_or(0, |byte| class(*byte))
}

/// Where the run of bytes of these classes that starts at `at` ends.
#[inline]
pub(super) fn run(bytes: &[u8], mut at: usize, classes: u8) -> usize {
    while class_at(bytes, at) & classes != 0 {
        at += 1;
    }
    at
}

/// How many digits there are at `at`.
#[inline]
pub(super) fn digits(bytes: &[u8], at: usize) -> usize {
    run(bytes, at, DIGIT) - at
}

/// Whether `byte` is white space or a control character.
#[inline]
pub(super) const fn is_space(byte: u8) -> bool {
    byte <= b' ' || byte == 0x7f
}
