//! The pass over a line: cuts it into words and hands each to the scanner for what it begins with.

use super::class::{BACKSLASH, DIGIT, SLASH, class, is_space};
use super::{Kind, Part, Redaction, Role, Settings, number};

/// A line being taken apart.
pub(super) struct Scanner<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) settings: &'a Settings,
    pub(super) parts: &'a mut Vec<Part>,
    pub(super) redactions: &'a mut Vec<Redaction>,
    /// Past the head or the last part: only secrets still matter.
    is_full: bool,
}

/// Takes `line` apart. Says whether it was too long to be looked at as a whole.
pub(super) fn scan(
    line: &str,
    settings: &Settings,
    parts: &mut Vec<Part>,
    redactions: &mut Vec<Redaction>,
) -> bool {
    let bytes = line.as_bytes();
    let mut scanner = Scanner { bytes, settings, parts, redactions, is_full: false };
    let mut at = 0;
    while at < bytes.len() {
        let first = class(bytes[at]);
        if first == 0 {
            at = if bytes[at] == b'<' { scanner.angle(at) } else { at + 1 };
            continue;
        }
        let start = at;
        let mut classes = first;
        at += 1;
        while at < bytes.len() {
            let next = class(bytes[at]);
            if next == 0 {
                break;
            }
            classes |= next;
            at += 1;
        }
        at = scanner.atom(start, at, classes);
        if !scanner.is_full && (at > settings.head || scanner.parts.len() >= settings.max_parts) {
            scanner.is_full = true;
            if !settings.redact {
                break;
            }
        }
    }
    scanner.is_full && at > 0
}

impl Scanner<'_> {
    /// A run of bytes that may be in words, of these classes. Returns where to go on.
    fn atom(&mut self, start: usize, end: usize, classes: u8) -> usize {
        if classes & (DIGIT | SLASH | BACKSLASH) == 0 {
            self.letters(start, end, classes)
        } else {
            self.mixed(start, end, classes)
        }
    }

    /// Adds a word of the message.
    #[inline]
    pub(super) fn word(&mut self, start: usize, end: usize) {
        if !self.is_full && start < end {
            let (start, end) = (start as u32, end as u32);
            self.parts.push(Part { start, end, kind: Kind::Word, role: Role::Position(Kind::Word) });
        }
    }

    /// Adds a variable part.
    pub(super) fn mask(&mut self, start: usize, end: usize, kind: Kind) {
        if self.is_full {
            return;
        }
        if self.repeats(start, kind) {
            return self.joined(start, end, kind);
        }
        let mut role = Role::Position(kind);
        if let Some(last) = self.parts.last()
            && last.kind.is_mask()
            && last.kind != Kind::Secret
            && kind != Kind::Secret
            && self.bytes[last.end as usize..start].iter().all(|byte| is_space(*byte) || *byte == b',')
        {
            role = Role::Joined;
            let head = self.parts.iter_mut().rev().find(|part| part.role != Role::Joined);
            if let Some(Part { role: Role::Position(all), .. }) = head {
                *all = all.or(kind);
            }
        }
        self.parts.push(Part { start: start as u32, end: end as u32, kind, role });
    }

    /// Whether the word just before `start` and this part repeat what came before, as in `id_1, id_2`: how long such a
    /// list is varies. The word is joined then.
    fn repeats(&mut self, start: usize, kind: Kind) -> bool {
        let [.., head, word] = &self.parts[..] else { return false };
        if word.kind != Kind::Word
            || word.end as usize != start
            || !head.kind.is_mask()
            || kind == Kind::Secret
        {
            return false;
        }
        let text = |part: &Part| &self.bytes[part.start as usize..part.end as usize];
        let between = &self.bytes[head.end as usize..word.start as usize];
        if !between.iter().all(|byte| is_space(*byte) || *byte == b',') {
            return false;
        }
        // The word before the list's first part; the others are joined.
        let first = self.parts[..self.parts.len() - 1].iter().rposition(|part| part.role != Role::Joined);
        let Some(first) = first.filter(|first| *first > 0) else { return false };
        let before = &self.parts[first - 1];
        if before.kind != Kind::Word || before.end != self.parts[first].start || text(before) != text(word) {
            return false;
        }
        if let Some(part) = self.parts.last_mut() {
            part.role = Role::Joined;
        }
        if let Role::Position(all) = &mut self.parts[first].role {
            *all = all.or(kind);
        }
        true
    }

    /// Adds a variable part of which the template says nothing.
    pub(super) fn joined(&mut self, start: usize, end: usize, kind: Kind) {
        if !self.is_full {
            self.parts.push(Part { start: start as u32, end: end as u32, kind, role: Role::Joined });
        }
    }

    /// Takes out a secret.
    pub(super) fn secret(&mut self, start: usize, end: usize, name: &'static str) {
        self.redactions.push(Redaction { start, end, name });
    }

    /// Takes out a secret that is a part of its own.
    pub(super) fn secret_part(&mut self, start: usize, end: usize, name: &'static str) -> usize {
        self.mask(start, end, Kind::Secret);
        self.secret(start, end, name);
        end
    }

    /// An opening angle bracket: a mask, or a bound such as `<1 sec`.
    fn angle(&mut self, at: usize) -> usize {
        if let Some((kind, len)) = Kind::at(&self.bytes[at..]) {
            self.mask(at, at + len, kind);
            return at + len;
        }
        if self.bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
            && let Some(end) = number::bounded_duration(self.bytes, at + 1)
        {
            self.mask(at, end, Kind::Duration);
            return end;
        }
        at + 1
    }
}
