//! Names of hosts, and the ports after them.

use super::Kind;
use super::class::{BACKSLASH, DIGIT, DOT, LETTER, OTHER, SLASH, UPPER, class_at, digits};
use super::number;
use super::scan::Scanner;

/// The last label of names that are hosts.
const DOMAINS: [&[u8]; 40] = [
    b"com",
    b"net",
    b"org",
    b"edu",
    b"gov",
    b"mil",
    b"int",
    b"info",
    b"biz",
    b"io",
    b"dev",
    b"app",
    b"cloud",
    b"cn",
    b"uk",
    b"de",
    b"jp",
    b"fr",
    b"ru",
    b"hk",
    b"mx",
    b"br",
    b"in",
    b"it",
    b"nl",
    b"es",
    b"eu",
    b"us",
    b"ca",
    b"au",
    b"kr",
    b"tw",
    b"sg",
    b"pl",
    b"se",
    b"ch",
    b"local",
    b"internal",
    b"svc",
    b"lan",
];

/// What a file's name ends with where a line's number may follow.
const SOURCES: [&[u8]; 20] = [
    b"java", b"go", b"py", b"rs", b"c", b"cc", b"cpp", b"h", b"hpp", b"js", b"ts", b"rb", b"php", b"kt",
    b"scala", b"cs", b"log", b"m", b"mm", b"ex",
];

impl Scanner<'_> {
    /// The port after an address or a host, if one is there.
    pub(super) fn port(&mut self, end: usize) -> usize {
        let len = if self.bytes.get(end) == Some(&b':') { digits(self.bytes, end + 1) } else { 0 };
        if !(1..=5).contains(&len) || class_at(self.bytes, end + 1 + len) & (LETTER | OTHER) != 0 {
            return end;
        }
        self.mask(end + 1, end + 1 + len, Kind::Port);
        end + 1 + len
    }

    /// A name with dots and a port after it.
    pub(super) fn host_port(&mut self, start: usize, end: usize, classes: u8) -> Option<usize> {
        if classes & DOT == 0 || class_at(self.bytes, end + 1) != DIGIT {
            return None;
        }
        let name = &self.bytes[start..end];
        let label = &name[name.iter().rposition(|byte| *byte == b'.')? + 1..];
        let is_lower = classes & UPPER == 0 || DOMAINS.contains(&label);
        let is_named = classes & OTHER == 0 && is_lower && !name.contains(&b'_');
        if !is_named || SOURCES.contains(&label) || label.len() < 2 {
            return None;
        }
        let len = digits(self.bytes, end + 1);
        (len <= 5 && number::ends(self.bytes, end + 1 + len) || class_at(self.bytes, end + 1 + len) == 0)
            .then(|| {
                self.mask(start, end, Kind::Host);
                self.port(end)
            })
    }

    /// Whether a name with dots is a host: by its last label, or because its labels are numbered.
    pub(super) fn is_host(&self, start: usize, end: usize, classes: u8) -> bool {
        let name = &self.bytes[start..end];
        if classes & (OTHER | SLASH | BACKSLASH) != 0
            || name.last().is_none_or(|byte| !byte.is_ascii_lowercase())
        {
            return false;
        }
        let last =
            name.iter().rposition(|byte| !byte.is_ascii_lowercase()).map_or(name, |at| &name[at + 1..]);
        let is_labelled = last.len() >= 2 && name.get(name.len().wrapping_sub(last.len() + 1)) == Some(&b'.');
        if !is_labelled || name.iter().filter(|byte| **byte == b'.').count() < 2 {
            return false;
        }
        let reversed = [&b"com."[..], b"org.", b"net.", b"io.", b"java.", b"javax.", b"de.", b"cn."];
        if reversed.iter().any(|tld| name.starts_with(tld)) {
            return false;
        }
        if name.contains(&b'_') || name.contains(&b'~') {
            return false;
        }
        let is_numbered = classes & (DIGIT | UPPER) == DIGIT && name.contains(&b'-');
        DOMAINS.contains(&last) || is_numbered && !SOURCES.contains(&last)
    }
}
