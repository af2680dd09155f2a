//! Escapes in JSON strings, which logfmt has as well.

use std::borrow::Cow;

/// A JSON string's text; borrowed if nothing in it is escaped. What is escaped wrongly stays as it is.
pub(super) fn unescape(escaped: &str) -> Cow<'_, str> {
    let Some(mut at) = escaped.find('\\') else { return Cow::Borrowed(escaped) };
    let mut text = String::with_capacity(escaped.len());
    let mut from = 0;
    loop {
        text.push_str(&escaped[from..at]);
        from = at;
        if let Some((char, len)) = escape(&escaped[at..]) {
            text.push(char);
            from = at + len;
        }
        // Not over what stayed: its backslash is not looked at again.
        let next = if from == at { at + 1 } else { from };
        match escaped[next..].find('\\') {
            Some(further) => at = next + further,
            None => {
                text.push_str(&escaped[from..]);
                return Cow::Owned(text);
            }
        }
    }
}

/// The character that an escape at the beginning of `text` stands for, and how many bytes the escape takes.
fn escape(text: &str) -> Option<(char, usize)> {
    let char = match text.as_bytes().get(1)? {
        b'n' => '\n',
        b't' => '\t',
        b'r' => '\r',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        byte @ (b'"' | b'\\' | b'/') => char::from(*byte),
        b'u' => return unicode(text),
        _ => return None,
    };
    Some((char, 2))
}

fn unicode(text: &str) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 4)?;
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)
    };
    let first = unit(2)?;
    if let Some(char) = char::from_u32(first) {
        return Some((char, 6));
    }
    // Two surrogates make one character; one alone makes none.
    let second = text.get(6..8).filter(|prefix| *prefix == "\\u").and_then(|_| unit(8));
    match (first, second) {
        (0xD800..0xDC00, Some(second @ 0xDC00..0xE000)) => {
            char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00)).map(|char| (char, 12))
        }
        _ => Some((char::REPLACEMENT_CHARACTER, 6)),
    }
}
