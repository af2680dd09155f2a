//! Secrets: by their looks ([`pattern`], [`checksum`]) or by what stands before them ([`keyed`]).

mod checksum;
mod keyed;
mod pattern;
#[cfg(test)]
mod tests;

pub(super) use self::keyed::is_key;
pub(super) use self::pattern::{known, known_at, webhook};
use super::Part;
use crate::logs::template::SECRET;

/// A place from which a secret was taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redaction {
    /// Where the secret began in the original line.
    pub start: usize,
    /// Where it ended.
    pub end: usize,
    /// What kind of secret it was.
    pub name: &'static str,
}

/// Writes `line` without its secrets to `out`, and moves the parts to their places there.
pub(super) fn apply(line: &str, redactions: &mut Vec<Redaction>, parts: &mut [Part], out: &mut String) {
    redactions.sort_unstable_by_key(|redaction| (redaction.start, redaction.end));
    // One within another: the outer one stands.
    let mut end = 0;
    redactions.retain_mut(|redaction| {
        let is_new = redaction.end > end;
        redaction.start = redaction.start.max(end);
        end = end.max(redaction.end);
        is_new
    });
    out.clear();
    let mut from = 0;
    for redaction in redactions.iter() {
        out.push_str(line.get(from..redaction.start).unwrap_or_default());
        out.push_str(SECRET);
        from = redaction.end;
    }
    out.push_str(line.get(from..).unwrap_or_default());
    let mut moved = Moved { redactions, next: 0, shift: 0 };
    for part in parts {
        part.start = moved.start(part.start as usize) as u32;
        part.end = moved.end(part.end as usize) as u32;
    }
}

/// Translates places in the original line, in ascending order.
struct Moved<'a> {
    redactions: &'a [Redaction],
    next: usize,
    shift: isize,
}

impl Moved<'_> {
    fn start(&mut self, at: usize) -> usize {
        while let Some(redaction) = self.redactions.get(self.next)
            && redaction.end <= at
        {
            self.shift += SECRET.len() as isize - (redaction.end - redaction.start) as isize;
            self.next += 1;
        }
        let base = self.redactions.get(self.next).map_or(at, |redaction| at.min(redaction.start));
        base.saturating_add_signed(self.shift)
    }

    fn end(&mut self, at: usize) -> usize {
        let start = self.start(at);
        match self.redactions.get(self.next) {
            // Ends inside of a secret: with it.
            Some(redaction) if redaction.start < at => start + SECRET.len(),
            _ => start,
        }
    }
}
