//! Finds what varies in a line and what is secret in it, in one pass over its bytes.
//!
//! In: a line. Out: its [`Part`]s (words and typed variable parts, with their place in the redacted line), and the line
//! without its secrets. Secrets are gone before anything is remembered: whoever comes after sees the redacted line only.
//! Every scanner is chosen by the class of the byte at hand; nothing is looked for twice.

mod class;
mod email;
mod host;
mod kind;
mod number;
mod scan;
mod secret;
#[cfg(test)]
mod tests;
mod url;
mod word;

use std::borrow::Cow;

pub use self::kind::Kind;
pub use self::secret::Redaction;

/// Whether a value of this name may be secret whatever it looks like, as that of `password`, `api_key` and their kin.
pub fn is_secret_key(name: &str) -> bool {
    secret::is_key(name.as_bytes())
}

/// What to do with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether secrets are taken out.
    pub redact: bool,
    /// Whether email addresses count as secrets.
    pub redact_emails: bool,
    /// How many bytes of a line are looked at for its template. Secrets are taken out of all of it.
    pub head: usize,
    /// How many parts a line may have; what comes after them is one variable part.
    pub max_parts: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { redact: true, redact_emails: false, head: 4096, max_parts: 256 }
    }
}

/// A part of a line. Between two parts is punctuation or white space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it begins in the redacted line.
    pub start: u32,
    /// Where it ends.
    pub end: u32,
    /// What it is.
    pub kind: Kind,
    /// What it is for the template: a run of variable parts with nothing but blanks and commas between them counts as
    /// one, since how long it is varies too. Its first part speaks for all of it.
    pub role: Role,
}

/// What a part is for the template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A position of its own.
    Position(Kind),
    /// Belongs to the run that began before.
    Joined,
}

/// Takes lines apart; keeps its buffers from line to line.
#[derive(Debug, Default)]
pub struct Masker {
    settings: Settings,
    parts: Vec<Part>,
    redactions: Vec<Redaction>,
    redacted: String,
}

/// A line taken apart.
#[derive(Clone, Copy, Debug)]
pub struct Masked<'a> {
    /// The line without its secrets.
    pub text: &'a str,
    /// Its parts, in order.
    pub parts: &'a [Part],
    /// What was taken out, with places in the original line.
    pub redactions: &'a [Redaction],
    /// Whether the template stands for the beginning of the line only.
    pub is_cut: bool,
}

impl<'a> Masked<'a> {
    /// The text of a part.
    pub fn text_of(&self, part: &Part) -> &'a str {
        self.text.get(part.start as usize..part.end as usize).unwrap_or_default()
    }

    /// The variable parts, in order: what they are, and their text.
    pub fn parameters(&self) -> impl Iterator<Item = (Kind, &'a str)> + '_ {
        self.parts.iter().filter(|part| part.kind.is_mask()).map(|part| (part.kind, self.text_of(part)))
    }

    /// The line as a template of its own: every variable part as its mask.
    pub fn masked(&self) -> String {
        let mut out = String::with_capacity(self.text.len());
        let mut end = 0;
        for part in self.parts {
            out.push_str(self.text.get(end..part.start as usize).unwrap_or_default());
            out.push_str(if part.kind.is_mask() { part.kind.mask() } else { self.text_of(part) });
            end = part.end as usize;
        }
        out.push_str(self.text.get(end..).unwrap_or_default());
        out
    }
}

impl Masker {
    /// One with these settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// Takes a line apart.
    pub fn mask<'a>(&'a mut self, line: &'a str) -> Masked<'a> {
        self.parts.clear();
        self.redactions.clear();
        let is_cut = scan::scan(line, &self.settings, &mut self.parts, &mut self.redactions);
        let text = if self.redactions.is_empty() {
            line
        } else {
            secret::apply(line, &mut self.redactions, &mut self.parts, &mut self.redacted);
            &self.redacted
        };
        Masked { text, parts: &self.parts, redactions: &self.redactions, is_cut }
    }

    /// A line without its secrets.
    pub fn redact<'a>(&mut self, line: &'a str) -> Cow<'a, str> {
        let masked = self.mask(line);
        if masked.redactions.is_empty() { Cow::Borrowed(line) } else { Cow::Owned(masked.text.to_owned()) }
    }
}
