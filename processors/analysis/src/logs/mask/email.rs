//! Email addresses.

use super::class::{DIGIT, DOT, JOINER, LETTER, class_at, run};

/// Where the address ends whose `@` is at `at`, if what follows is a domain.
pub(super) fn domain_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut end = run(bytes, at + 1, LETTER | DIGIT | DOT | JOINER);
    while end > at + 1 && class_at(bytes, end - 1) & (LETTER | DIGIT) == 0 {
        end -= 1;
    }
    let domain = &bytes[at + 1..end];
    let dot = domain.iter().rposition(|byte| *byte == b'.')?;
    let last = &domain[dot + 1..];
    (dot > 0 && (2..=12).contains(&last.len()) && last.iter().all(u8::is_ascii_alphabetic)).then_some(end)
}
