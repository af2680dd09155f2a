//! URLs, and the secrets inside them.

use super::class::{class_at, is_space};
use super::scan::Scanner;
use super::{Kind, secret};
use crate::logs::template::SECRET;

impl Scanner<'_> {
    /// The URL whose scheme is at `start..colon`. Returns where it ends.
    pub(super) fn url(&mut self, start: usize, colon: usize) -> usize {
        let rest = colon + 3;
        let mut end = rest;
        while let Some(byte) = self.bytes.get(end) {
            if *byte == b'<' && self.bytes[end..].starts_with(SECRET.as_bytes()) {
                end += SECRET.len();
                continue;
            }
            if is_space(*byte)
                || matches!(byte, b'"' | b'\'' | b'<' | b'>' | b')' | b']' | b'}' | b'|' | b'`')
            {
                break;
            }
            end += 1;
        }
        while end > rest && matches!(self.bytes[end - 1], b'.' | b',' | b':' | b';' | b'!' | b'?') {
            end -= 1;
        }
        if end == rest {
            self.word(start, colon);
            return rest;
        }
        if self.settings.redact {
            self.url_secrets(rest, end);
        }
        // Which of its variants a web address uses varies; another scheme says what the address is of.
        if matches!(&self.bytes[start..colon], b"http" | b"https" | b"ws" | b"wss" | b"ftp") {
            self.mask(start, end, Kind::Url);
        } else {
            self.word(start, colon);
            self.mask(rest, end, Kind::Url);
        }
        end
    }

    fn url_secrets(&mut self, start: usize, end: usize) {
        let bytes = self.bytes;
        let authority = bytes[start..end].iter().position(|byte| matches!(byte, b'/' | b'?' | b'#'));
        let authority = authority.map_or(end, |len| start + len);
        let mut at = authority;
        if let Some(len) = bytes[start..authority].iter().rposition(|byte| *byte == b'@') {
            self.user_info(start, start + len);
        }
        if let Some((from, name)) = secret::webhook(&bytes[start..end]) {
            self.secret(start + from, end, name);
            return;
        }
        while at < end {
            let from = at + 1;
            let len =
                bytes[from..end].iter().position(|byte| matches!(byte, b'/' | b'?' | b'&' | b'#' | b';'));
            at = len.map_or(end, |len| from + len);
            let item = &bytes[from..at];
            match item.iter().position(|byte| *byte == b'=') {
                Some(equals) if secret::is_key(&item[..equals]) && equals + 1 < item.len() => {
                    self.secret(from + equals + 1, at, "url_query");
                }
                Some(equals) => self.known_secret(from + equals + 1, at),
                None => self.known_secret(from, at),
            }
        }
    }

    fn user_info(&mut self, start: usize, end: usize) {
        let colon = self.bytes[start..end].iter().position(|byte| *byte == b':');
        match colon {
            Some(len) if start + len + 1 < end => self.secret(start + len + 1, end, "url_password"),
            // A token in the place of a user.
            None if end - start >= 16 && self.bytes[start..end].iter().any(u8::is_ascii_digit) => {
                self.secret(start, end, "url_password");
            }
            _ => {}
        }
    }

    /// Takes the item out if it is a secret by its looks.
    fn known_secret(&mut self, start: usize, end: usize) {
        if let Some((len, name)) = secret::known(&self.bytes[start..end]) {
            self.secret(start, start + len, name);
        }
    }

    /// Whether a URL's `://` is at `at`.
    pub(super) fn is_url_at(&self, at: usize) -> bool {
        self.bytes[at..].starts_with(b"://") && class_at(self.bytes, at + 3) != 0
            || self.bytes[at..].starts_with(b"://:")
            || self.bytes[at..].starts_with(b"://[")
    }
}
