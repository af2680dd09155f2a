//! Whether one template is another one with more wildcards: templates turn out to be one as more lines are seen, and the more
//! general one then stands for both.

use super::super::template::WILDCARD;

/// The least share of the old template's letters that the new one has, too: `<*> <*>` is a generalisation of nothing.
const LEAST_SHARE: f64 = 0.4;

/// Whether every line of the template `old` is, as far as can be told, a line of `new`. Both are canonical texts.
pub(super) fn generalises(new: &str, old: &str) -> bool {
    if new == old || !new.contains(WILDCARD) {
        return false;
    }
    let letters = letters(new);
    letters > 0 && letters as f64 >= LEAST_SHARE * self::letters(old) as f64 && matches(new, old)
}

/// Whether the text fits the pattern, in which each wildcard stands for at least one character.
fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split(WILDCARD);
    let Some(mut rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, middle)) = pieces.split_last() else { return rest.is_empty() };
    for piece in middle {
        match after(rest, piece) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.strip_suffix(last).is_some_and(|varies| !varies.is_empty())
}

/// What follows the first `piece` that has at least one character before it.
fn after<'a>(text: &'a str, piece: &str) -> Option<&'a str> {
    let first = text.chars().next()?.len_utf8();
    let at = text[first..].find(piece)?;
    text.get(first + at + piece.len()..)
}

fn letters(template: &str) -> usize {
    template.split(WILDCARD).map(|piece| piece.chars().filter(|c| c.is_alphanumeric()).count()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_wildcards_are_a_generalisation() {
        assert!(generalises("session <*> for user <*>", "session opened for user <*>"));
        assert!(generalises("a <*> b <*>", "a x b <*> c"));
        assert!(generalises("user <*> has left <*>", "user <*> has left <*> early"));
    }

    #[test]
    fn other_templates_are_none() {
        assert!(!generalises("session opened for <*>", "session <*> for <*>"));
        assert!(!generalises("session <*> for user <*>", "session <*> for user <*>"));
        assert!(!generalises("session <*> for user <*>", "session for user <*>"));
        assert!(!generalises("<*> <*>", "anything at all"));
        assert!(!generalises("<*>", "x"));
        assert!(!generalises("<*> it", "the payment of order <*> did not go through it"));
        assert!(!generalises("disk <*> full", "disk <*> ok"));
    }
}
