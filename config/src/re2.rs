//! Regular expressions as the collector and Prometheus read them.
//!
//! In: a pattern in the syntax of Go's `regexp` (RE2). Out: one in that of the `regex` crate that means the same.

use std::iter::Peekable;
use std::str::CharIndices;

/// Rewrites a pattern where the two syntaxes differ:
/// - a brace that begins no repetition is itself: `^{`;
/// - `\d`, `\s`, `\w` and `\b` are about ASCII;
/// - `\Q...\E` is literal;
/// - inside a class `[`, `&` and `~` are themselves.
///
/// What is wrong in both stays wrong, and is for the `regex` crate to refuse. Reference: <https://github.com/google/re2/wiki/Syntax>.
#[must_use]
pub fn re2(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut chars = pattern.char_indices().peekable();
    let mut class = Class::Outside;
    while let Some((at, character)) = chars.next() {
        let was = class;
        class = match was {
            Class::Outside if character == '[' => Class::Begins,
            Class::Begins if character == '^' => Class::Negated,
            // A bracket that comes first is itself.
            Class::Begins | Class::Negated => Class::Inside,
            Class::Inside if character == ']' => Class::Outside,
            same => same,
        };
        match (character, was) {
            ('\\', _) => escape(&mut out, pattern, &mut chars, was != Class::Outside),
            ('{', Class::Outside) if !is_repetition(&pattern[at..]) => out.push_str("\\{"),
            ('[', Class::Begins | Class::Negated | Class::Inside) => match named(&pattern[at..]) {
                Some(name) => {
                    out.push_str(name);
                    chars.by_ref().take(name.chars().count() - 1).for_each(drop);
                }
                None => out.push_str("\\["),
            },
            ('&' | '~', Class::Begins | Class::Negated | Class::Inside) => out.extend(['\\', character]),
            _ => out.push(character),
        }
    }
    out
}

/// Where the reader is with regard to a class of characters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Outside,
    /// Behind its bracket.
    Begins,
    /// Behind the sign that negates it.
    Negated,
    Inside,
}

/// What follows a backslash.
fn escape(out: &mut String, pattern: &str, chars: &mut Peekable<CharIndices<'_>>, in_class: bool) {
    let Some((at, escaped)) = chars.next() else {
        out.push('\\');
        return;
    };
    let class = match escaped {
        'd' => "0-9",
        's' => r"\t\n\f\r ",
        'w' => "0-9A-Za-z_",
        'D' => "^0-9",
        'S' => r"^\t\n\f\r ",
        'W' => "^0-9A-Za-z_",
        'b' if !in_class => return out.push_str(r"(?-u:\b)"),
        'Q' => {
            let rest = &pattern[at + 1..];
            let literal = rest.find("\\E").map_or(rest, |end| &rest[..end]);
            out.push_str(&regex_escape(literal));
            let skipped = literal.chars().count() + if literal.len() < rest.len() { 2 } else { 0 };
            return chars.by_ref().take(skipped).for_each(drop);
        }
        other => return out.extend(['\\', other]),
    };
    if in_class && !class.starts_with('^') {
        out.push_str(class);
    } else {
        out.extend(["[", class, "]"]);
    }
}

fn regex_escape(literal: &str) -> String {
    let mut escaped = String::with_capacity(literal.len() + 4);
    for character in literal.chars() {
        if character.is_ascii_punctuation() {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// Whether this is `{2}`, `{2,}` or `{2,5}`, and perhaps more.
fn is_repetition(text: &str) -> bool {
    let Some((inside, _)) = text[1..].split_once('}') else { return false };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match inside.split_once(',') {
        None => is_number(inside),
        Some((least, most)) => is_number(least) && (most.is_empty() || is_number(most)),
    }
}

/// The class that this begins with: `[:alpha:]`.
fn named(text: &str) -> Option<&str> {
    let name = text.strip_prefix("[:")?;
    let end = name.find(":]")?;
    let is_name = name[..end].chars().all(|character| character == '^' || character.is_ascii_lowercase());
    is_name.then(|| &text[..end + 4])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::re2;

    fn matches(pattern: &str, text: &str) -> bool {
        Regex::new(&re2(pattern)).unwrap().is_match(text)
    }

    #[test]
    fn patterns_mean_what_they_mean_in_go() {
        for (pattern, yes, no) in [
            ("^{", "{\"a\":1}", "a{"),
            ("a{,2}b", "a{,2}b", "aab"),
            ("^a{2,3}$", "aa", "a"),
            ("x{2}{", "xx{", "x{"),
            (r"^\d+$", "12", "\u{664}"),
            (r"^[\w.]+$", "a.b_1", "\u{e4}"),
            (r"^[^\s]+$", "ab", "a b"),
            (r"^[\D]$", "a", "1"),
            (r"\bfoo\b", "a foo", "afoo"),
            (r"^\Qa.b*\E+$", "a.b**", "axb*"),
            (r"\Q[x", "[x", "x"),
            ("^[[a]+$", "[a", "b"),
            ("^[]a]+$", "]a", "b"),
            ("^[^]]+$", "a", "]"),
            ("^[[:digit:]&&~]+$", "1&~", "a"),
            (r"^(?P<time>\S+) (?<rest>.*)$", "a b", "ab"),
            (r"^[\[\]]+$", "[]", "a"),
        ] {
            assert!(matches(pattern, yes), "{pattern} should match {yes}: {}", re2(pattern));
            assert!(!matches(pattern, no), "{pattern} should not match {no}: {}", re2(pattern));
        }
    }

    proptest! {
        #[test]
        fn anything_is_rewritten_without_a_panic(pattern in r"([\\\[\]{}^:&~QEdwb,0-9a]|\PC){0,20}") {
            let _ = re2(&pattern);
        }

        #[test]
        fn text_of_letters_is_left_alone(pattern in r"[a-zA-Z0-9 .*+?|()^$]{0,20}") {
            prop_assert_eq!(re2(&pattern), pattern);
        }
    }
}
