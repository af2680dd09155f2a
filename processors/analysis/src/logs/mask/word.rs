//! What begins with a letter, and what letters and digits make together: names, identifiers, paths, hosts.

use super::class::{
    BACKSLASH, DIGIT, DOT, JOINER, LETTER, LOWER, OTHER, SLASH, UPPER, class, class_at, digits, is_space, run,
};
use super::scan::Scanner;
use super::{Kind, email, number, secret};

impl Scanner<'_> {
    /// A run without digits and slashes.
    pub(super) fn letters(&mut self, start: usize, end: usize, classes: u8) -> usize {
        let (start, end, next) = self.trimmed(start, end, classes);
        if start == end {
            return next;
        }
        match self.bytes.get(end) {
            Some(b':') => {
                if self.is_url_at(end) {
                    return self.url(start, end);
                }
                if end - start <= 4
                    && let Some((kind, end)) = self.hex_colons(start, end)
                {
                    self.mask(start, end, kind);
                    return end;
                }
                if end - start == 1 && self.bytes.get(end + 1) == Some(&b'\\') {
                    return self.path(start, end + 1);
                }
                if let Some(next) = self.host_port(start, end, classes) {
                    return next;
                }
            }
            Some(b'@') => {
                if let Some(next) = self.email(start, end) {
                    return next;
                }
            }
            Some(b' ') if self.bytes[start..end] == *b"bytes" => {
                if let Some(stop) = number::restated(self.bytes, end) {
                    self.word(start, end);
                    self.joined(end + 1, stop, Kind::Size);
                    return stop;
                }
            }
            Some(b' ') if end - start == 3 => {
                if let Some(end) = named_date(self.bytes, start) {
                    self.mask(start, end, Kind::Time);
                    return end;
                }
            }
            _ => {}
        }
        if self.settings.redact
            && let Some(next) = self.secret_after(start, end)
        {
            return next;
        }
        if classes & DOT != 0 && self.is_host(start, end, classes) {
            self.mask(start, end, Kind::Host);
        } else if self.bytes[start] | 0x20 == b'f' && end - start >= 4 && all_ones(&self.bytes[start..end]) {
            self.mask(start, end, Kind::Hex);
        } else {
            self.word(start, end);
        }
        next
    }

    /// Without joiners and dots at either end; a run of dots ends the word. With it, where to go on.
    fn trimmed(&self, mut start: usize, mut end: usize, classes: u8) -> (usize, usize, usize) {
        let next = end;
        if classes & (DOT | JOINER) == 0 {
            return (start, end, next);
        }
        while start < end && class(self.bytes[start]) & (DOT | JOINER) != 0 && self.bytes[start] != b'_' {
            start += 1;
        }
        // Among letters alone a run of dots is rare, and at the end it goes as it is.
        if classes & DOT != 0 && classes & DIGIT != 0 {
            let mut was_dot = false;
            for at in start..end {
                let is_dot = self.bytes[at] == b'.';
                if is_dot && was_dot {
                    return (start, at - 1, run(self.bytes, at, DOT).min(next));
                }
                was_dot = is_dot;
            }
        }
        while start < end && matches!(self.bytes[end - 1], b'.' | b'-' | b'~') {
            end -= 1;
        }
        (start, end, next)
    }

    /// A run with digits or slashes in it.
    pub(super) fn mixed(&mut self, start: usize, end: usize, classes: u8) -> usize {
        let bytes = self.bytes;
        if classes & BACKSLASH != 0
            && let Some(next) = self.escaped(start, end)
        {
            return next;
        }
        let sign = matches!(bytes[start], b'-' | b'+') && class_at(bytes, start + 1) == DIGIT;
        let (first, stop, next) =
            if classes & SLASH != 0 { (start, end, end) } else { self.trimmed(start, end, classes) };
        if first >= stop {
            return next;
        }
        if self.settings.redact
            && let Some(next) = self.secret_at(first, stop)
        {
            return next;
        }
        if class(bytes[first]) == DIGIT
            && let Some(next) = self.numeric(if sign { start } else { first }, first)
        {
            return next;
        }
        if classes & BACKSLASH != 0 {
            return self.path(first, stop);
        }
        if classes & SLASH != 0 {
            return self.slashes(first, stop, next, classes);
        }
        match bytes.get(stop) {
            Some(b':') if self.is_url_at(stop) => return self.url(first, stop),
            Some(b':') => {
                let found = if stop - first <= 4 { self.hex_colons(first, stop) } else { None };
                if let Some((kind, end)) = found {
                    self.mask(first, end, kind);
                    return end;
                }
                if let Some(next) = self.host_port(first, stop, classes) {
                    return next;
                }
            }
            Some(b'@') => {
                if let Some(next) = self.email(first, stop) {
                    return next;
                }
            }
            _ => {}
        }
        if classes & DOT != 0 && self.is_host(first, stop, classes) {
            self.mask(first, stop, Kind::Host);
            return next;
        }
        if self.settings.redact
            && let Some(next) = self.secret_after(first, stop)
        {
            return next;
        }
        self.compound(first, stop);
        next
    }

    /// A run with backslashes that is no path: what is between them, for each itself.
    fn escaped(&mut self, start: usize, end: usize) -> Option<usize> {
        let text = &self.bytes[start..end];
        let count = text.iter().filter(|byte| **byte == b'\\').count();
        let is_path = count >= 2 && text[0] != b'\\' && text[text.len() - 1] != b'\\'
            || text.starts_with(b"\\\\") && count >= 3;
        if is_path {
            return None;
        }
        let skip = text.iter().take_while(|byte| **byte == b'\\').count();
        if skip > 0 {
            return Some(start + skip);
        }
        let len = text.iter().position(|byte| *byte == b'\\')?;
        let classes = text[..len].iter().fold(0, |all, byte| all | class(*byte));
        let next = if classes & (DIGIT | SLASH) == 0 {
            self.letters(start, start + len, classes)
        } else {
            self.mixed(start, start + len, classes)
        };
        Some(next.max(start + len))
    }

    /// What begins with the digit at `first`, perhaps with a sign before it. `None` if it is more than a number.
    fn numeric(&mut self, start: usize, first: usize) -> Option<usize> {
        let (kind, end) = number::number(self.bytes, first)?;
        if number::ends(self.bytes, end) {
            self.mask(if kind == Kind::Ip { first } else { start }, end, kind);
            return Some(if kind == Kind::Ip { self.port(end) } else { end });
        }
        // A number with a word grown onto it, as in `7Distance`.
        let word = run(self.bytes, end, LETTER);
        if kind == Kind::Number && word >= end + 3 && class_at(self.bytes, word) == 0 {
            self.mask(start, end, kind);
            self.word(end, word);
            return Some(word);
        }
        None
    }

    fn hex_colons(&self, start: usize, end: usize) -> Option<(Kind, usize)> {
        (number::hex_run(self.bytes, start) == end).then(|| number::colons(self.bytes, start))?
    }

    /// A run with slashes in it.
    fn slashes(&mut self, start: usize, end: usize, next: usize, classes: u8) -> usize {
        let bytes = self.bytes;
        if bytes[start] == b'/'
            && class_at(bytes, start + 1) == DIGIT
            && let Some(stop) = number::ip4(bytes, start + 1)
        {
            if number::ends(bytes, stop) {
                self.mask(start + 1, stop, Kind::Ip);
                return self.port(stop);
            }
            return start + 1;
        }
        let slashes = bytes[start..end].iter().filter(|byte| **byte == b'/').count();
        let is_file = bytes[start..end]
            .windows(2)
            .any(|pair| pair[0] == b'.' && class(pair[1]) & (LETTER | SLASH) != 0);
        if slashes >= 2 || bytes[start] == b'/' && classes & DIGIT != 0 || is_file {
            return self.path(start, end);
        }
        if classes & DIGIT != 0
            && let Some(len) = bytes[start..end].iter().position(|byte| *byte == b'/')
        {
            // Two things side by side: each for itself.
            let left = bytes[start..start + len].iter().fold(0, |all, byte| all | class(*byte));
            if left & DIGIT != 0 {
                self.mixed(start, start + len, left);
            } else {
                self.letters(start, start + len, left);
            }
            return start + len + 1;
        }
        let stop = if bytes[end - 1] == b'.' { end - 1 } else { end };
        self.word(start, stop);
        next
    }

    /// A path, of which `start..end` is the beginning.
    fn path(&mut self, start: usize, end: usize) -> usize {
        let bytes = self.bytes;
        let mut end = end;
        while bytes.get(end).is_some_and(|byte| class(*byte) != 0 && !is_space(*byte)) {
            end += 1;
        }
        while end > start + 1 && bytes[end - 1] == b'.' {
            end -= 1;
        }
        self.mask(start, end, Kind::Path);
        end
    }

    fn email(&mut self, start: usize, end: usize) -> Option<usize> {
        let stop = email::domain_end(self.bytes, end)?;
        if self.settings.redact_emails {
            return Some(self.secret_part(start, stop, "email"));
        }
        self.mask(start, stop, Kind::Email);
        Some(stop)
    }

    /// Letters, digits and joiners mixed: what comes before the first number in it is a word, the rest varies.
    fn compound(&mut self, start: usize, end: usize) {
        let bytes = self.bytes;
        let hex = number::hex_run(bytes, start);
        if hex == end && end - start >= 6 {
            return self.mask(start, end, Kind::Hex);
        }
        let mut at = start;
        while at < end {
            if bytes[at] == b'-' && at > start && class_at(bytes, at + 1) == DIGIT {
                // A joiner and a sign, as in `blk_-7`.
                self.word(start, at);
                return self.varying(at, end);
            }
            if class(bytes[at]) == DIGIT && run(bytes, at, DIGIT) >= end {
                self.word(start, at);
                return self.mask(at, end, Kind::Number);
            }
            let stop = run(bytes, at, LETTER | DIGIT | OTHER).min(end);
            if number::uuid(bytes, at) && at + 36 <= end {
                self.word(start, at);
                self.mask(at, at + 36, Kind::Uuid);
                return self.tail(at + 36, end);
            }
            let segment = &bytes[at..stop];
            if varies(segment) {
                let letters = run(bytes, at, LETTER) - at;
                let is_counted = letters > 0 && segment[letters..].iter().all(u8::is_ascii_digit);
                let from = if is_counted { at + letters } else { at };
                self.word(start, from);
                return self.varying(from, end);
            }
            at = stop + 1;
        }
        self.word(start, end);
    }

    /// The varying rest of a compound; the extension of a file's name is kept.
    fn varying(&mut self, start: usize, end: usize) {
        let rest = &self.bytes[start..end];
        if rest[usize::from(rest[0] == b'-')..].iter().all(u8::is_ascii_digit) {
            return self.mask(start, end, Kind::Number);
        }
        let extension = rest.iter().rposition(|byte| *byte == b'.').filter(|dot| {
            (2..=6).contains(&(rest.len() - dot))
                && rest[dot + 1..].iter().all(u8::is_ascii_lowercase)
                && *dot > 0
        });
        let stop = extension.map_or(end, |dot| start + dot);
        let kind =
            if self.bytes[start..stop].iter().all(u8::is_ascii_digit) { Kind::Number } else { Kind::Id };
        self.mask(start, stop, kind);
        self.word(stop, end);
    }

    /// What follows a UUID in the same word.
    fn tail(&mut self, start: usize, end: usize) {
        let from = start + usize::from(class_at(self.bytes, start) & (JOINER | DOT) != 0);
        if from < end {
            self.compound(from, end);
        }
    }

    /// A secret by its looks at `start`.
    fn secret_at(&mut self, start: usize, end: usize) -> Option<usize> {
        let (len, name) = secret::known_at(self.bytes, start, end)?;
        Some(self.secret_part(start, start + len, name))
    }
}

/// Whether this is a hexadecimal number with every bit set.
fn all_ones(word: &[u8]) -> bool {
    word.iter().all(|byte| *byte == b'f') || word.iter().all(|byte| *byte == b'F')
}

/// Whether a segment of a compound varies: `07`, `r24`, `2kb`, but not `ssh2`.
fn varies(segment: &[u8]) -> bool {
    let count = segment.iter().filter(|byte| byte.is_ascii_digit()).count();
    count >= 2 || count == 1 && segment[0].is_ascii_digit()
}

/// `Jun 14 15:16:01`, `Thu Jun 09 06:07:04 2005`.
fn named_date(bytes: &[u8], start: usize) -> Option<usize> {
    const DAYS: [&[u8]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
    if class(bytes[start]) != UPPER || class_at(bytes, start + 1) != LOWER {
        return None;
    }
    let blank = |at: usize| bytes.get(at) == Some(&b' ');
    let mut at =
        if DAYS.contains(&bytes.get(start..start + 3)?) && blank(start + 3) { start + 4 } else { start };
    at += number::month(bytes, at)?;
    let mut day = at + 1;
    if blank(day) {
        day += 1;
    }
    let len = digits(bytes, day);
    if !blank(at) || !(1..=2).contains(&len) {
        return None;
    }
    let end = number::with_time(bytes, day + len);
    if end == day + len {
        return None;
    }
    let year =
        if blank(end) && digits(bytes, end + 1) == 4 && number::ends(bytes, end + 5) { end + 5 } else { end };
    Some(year)
}
