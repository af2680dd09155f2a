//! File names for arbitrary texts.
//!
//! A name is unambiguous: two texts never share one. It never leaves its directory, is never hidden, and fits every
//! usual file system.

use component::ComponentKey;

/// The longest escaped text; leaves room for suffixes within the 255 bytes that a file name may have.
const LONGEST: usize = 200;
/// How much of a longer text stays readable.
const READABLE: usize = 120;

/// A file name for `text`: letters, digits, `.`, `-` and `_` stay, other bytes become `%XX`.
pub(super) fn escape(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for (i, byte) in text.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || (byte == b'.' && i > 0);
        if plain {
            name.push(char::from(byte));
        } else {
            name.push('%');
            name.extend(
                [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])),
            );
        }
    }
    if name.is_empty() {
        // No escaped text is a lone `%`.
        name.push('%');
    }
    if name.len() > LONGEST {
        // `~` is escaped otherwise, so that this cannot be the name of a shorter text.
        name.truncate(READABLE);
        name.push('~');
        name.push_str(&blake3::hash(text.as_bytes()).to_hex());
    }
    name
}

/// The directory of a component's space for `purpose`.
pub(super) fn space(key: &ComponentKey, purpose: &str) -> String {
    let parts = [
        key.kind.name(),
        key.id.type_name(),
        key.id.name().unwrap_or_default(),
        key.pipeline.as_deref().unwrap_or_default(),
        purpose,
    ];
    // `+` is escaped otherwise, so that the parts cannot run into each other.
    let name = parts.map(|part| if part.is_empty() { String::new() } else { escape(part) }).join("+");
    if name.len() <= LONGEST { name } else { escape(&name) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use component::Kind;
    use config::ComponentId;

    use super::*;

    #[test]
    fn hostile_names_stay_plain_files() {
        for text in ["", ".", "..", "../../etc/passwd", "a/b", "a\0b", "~", "ü", &"x/".repeat(500)] {
            let name = escape(text);
            assert!(!name.is_empty() && name.len() <= LONGEST, "{name}");
            assert!(!name.starts_with('.') && !name.contains(['/', '\0']), "{name}");
        }
    }

    #[test]
    fn different_texts_have_different_names() {
        let long = "x".repeat(300);
        let texts =
            ["", "%", "%25", "a/b", "a%2Fb", "a%2fb", ".a", "%2Ea", "a b", "a+b", "~", &long, &long[1..]];
        let names: HashSet<_> = texts.iter().map(|text| escape(text)).collect();
        assert_eq!(names.len(), texts.len());
    }

    #[test]
    fn spaces_are_told_apart_by_every_part() {
        let key = |name: Option<&str>, pipeline: Option<&str>| ComponentKey {
            kind: Kind::Processor,
            id: ComponentId::new("detect", name),
            pipeline: pipeline.map(str::to_owned),
        };
        let names: HashSet<_> = [
            space(&key(None, None), "state"),
            space(&key(Some("a"), None), "state"),
            space(&key(None, Some("a")), "state"),
            space(&key(None, None), "a+state"),
            space(&key(Some("a"), Some(&"p".repeat(300))), "state"),
        ]
        .into();
        assert_eq!(names.len(), 5);
    }
}
