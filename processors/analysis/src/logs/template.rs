//! A log template and its identity.
//!
//! In: a template's text, with typed masks such as `<NUM>`. Out: the canonical text, in which every mask is `<*>`, and
//! a [`TemplateId`] that depends on the canonical text alone: two nodes that learn the same template give it the same
//! id without talking to each other.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What stands for a variable part in a canonical template.
pub const WILDCARD: &str = "<*>";

/// What stands for a secret: also part of canonical templates, since it can never vary visibly.
pub const SECRET: &str = "<SECRET>";

/// The version of the canonical form and of the hash: it begins every id in text form.
const VERSION: &str = "t1:";

/// The longest name of a mask, as in `<NAME>`.
const MAX_NAME: usize = 16;

/// The identity of a template: a hash of its canonical text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TemplateId([u8; 16]);

impl TemplateId {
    /// The id of the template with this text. Masks and white space may be written in any way that has the same
    /// canonical form.
    pub fn of(text: &str) -> Self {
        Self::of_canonical(&canonical(text))
    }

    fn of_canonical(canonical: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(VERSION.as_bytes());
        hasher.update(canonical.as_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(id)
    }

    /// The text form: the version and 32 hexadecimal digits.
    pub fn text(&self) -> IdText {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; VERSION.len() + 32];
        let (version, digits) = text.split_at_mut(VERSION.len());
        version.copy_from_slice(VERSION.as_bytes());
        for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(self.0) {
            *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
        }
        IdText(text)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

/// A template id in text form, on the stack: every log record gets one.
#[derive(Clone, Copy)]
pub struct IdText([u8; VERSION.len() + 32]);

impl std::ops::Deref for IdText {
    type Target = str;

    fn deref(&self) -> &str {
        // It is ASCII throughout.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for TemplateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for TemplateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is no template id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseIdError {
    /// It does not begin with the version that this build knows.
    #[error("a template id begins with `{VERSION}`")]
    Version,
    /// What follows the version is not 32 hexadecimal digits.
    #[error("a template id is `{VERSION}` and 32 lowercase hexadecimal digits")]
    Digits,
}

impl FromStr for TemplateId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let digits = text.strip_prefix(VERSION).ok_or(ParseIdError::Version)?;
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if digits.len() != 32 || !digits.bytes().all(hex) {
            return Err(ParseIdError::Digits);
        }
        let number = u128::from_str_radix(digits, 16).map_err(|_| ParseIdError::Digits)?;
        Ok(Self(number.to_be_bytes()))
    }
}

/// A template: what is always the same in the lines of one kind. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Arc<Inner>);

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    id: TemplateId,
    text: Box<str>,
    canonical: Arc<str>,
}

impl Template {
    /// The template with this text, in which variable parts are masks such as `<NUM>` or `<*>`.
    pub fn new(text: &str) -> Self {
        let text = tidy(text);
        let canonical = canonical(&text);
        let id = TemplateId::of_canonical(&canonical);
        Self(Arc::new(Inner { id, canonical: canonical.into(), text: text.into() }))
    }

    /// The identity, equal on every node.
    pub fn id(&self) -> TemplateId {
        self.0.id
    }

    /// For people: variable parts say what they are, as in `took <DURATION>`.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// For comparison: every variable part is `<*>`.
    pub fn canonical(&self) -> &str {
        &self.0.canonical
    }

    /// The canonical text, shared.
    pub fn shared_canonical(&self) -> Arc<str> {
        Arc::clone(&self.0.canonical)
    }
}

impl Serialize for Template {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.text.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::new(&Cow::<'_, str>::deserialize(deserializer)?))
    }
}

/// The mask at the start of `text`, as `<NAME>` or `<*>`, if one is there.
pub fn mask_at(text: &str) -> Option<&str> {
    let rest = text.strip_prefix('<')?;
    let end = rest.bytes().take(MAX_NAME + 1).position(|byte| byte == b'>')?;
    let name = &rest[..end];
    let named = name.len() > 1 && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    (named && !name.as_bytes()[0].is_ascii_digit() || name == "*").then(|| &text[..end + 2])
}

/// The text with masks as `<*>` (secrets stay `<SECRET>`), adjacent wildcards as one and white space as one blank.
pub fn canonical(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let text = tidy(text);
    let mut rest = &*text;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let Some(mask) = mask_at(rest) else {
            out.push('<');
            rest = &rest[1..];
            continue;
        };
        rest = &rest[mask.len()..];
        if mask == SECRET {
            out.push_str(SECRET);
        } else if out.strip_suffix(' ').is_some_and(|before| is_only_wildcard(before) && ends_word(rest)) {
            // `<*> <*>`: how many there are is itself variable.
            out.pop();
        } else if !out.ends_with(WILDCARD) {
            out.push_str(WILDCARD);
        }
    }
    out.push_str(rest);
    out
}

/// Whether the last word of `text` is a wildcard and nothing else.
fn is_only_wildcard(text: &str) -> bool {
    text.strip_suffix(WILDCARD).is_some_and(|before| before.is_empty() || before.ends_with(' '))
}

fn ends_word(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(' ')
}

/// White space as one blank, none at either end.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_id_depends_on_neither_mask_names_nor_white_space() {
        let id = TemplateId::of("took <DURATION> for  <NUM> <IP> items");
        assert_eq!(id, TemplateId::of("took <*> for <*>\titems "));
        assert_ne!(id, TemplateId::of("took <*> for items"));
    }

    #[test]
    fn masks_inside_words_stay_where_they_are() {
        let template = Template::new("blk_<ID> from <IP>:<PORT> <b> <SECRET>");
        assert_eq!(template.canonical(), "blk_<*> from <*>:<*> <b> <SECRET>");
        assert_eq!(canonical("<IP>:<PORT> <NUM> <NUM>x"), "<*>:<*> <*> <*>x");
    }

    #[test]
    fn ids_never_change() {
        // Stored data holds them: a change here must come with a new version prefix.
        assert_eq!(TemplateId::of("connected to <*>").to_string(), "t1:8e33b48e29c7f0eb917a2f80118d0f74");
    }

    #[test]
    fn what_is_no_id_is_refused() {
        assert_eq!("t2:00".parse::<TemplateId>(), Err(ParseIdError::Version));
        for digits in ["", "+0000000000000000000000000000000", "0000000000000000000000000000000G"] {
            assert_eq!(format!("t1:{digits}").parse::<TemplateId>(), Err(ParseIdError::Digits));
        }
    }

    proptest! {
        #[test]
        fn canonical_text_is_its_own_canonical_text(text in "([a-z]{0,2}|<\\*>|<NUM>|<SECRET>|[ <>,:]){0,12}") {
            let once = canonical(&text);
            prop_assert_eq!(&canonical(&once), &once);
            let id = TemplateId::of(&text);
            prop_assert_eq!(id.to_string().parse::<TemplateId>(), Ok(id));
        }
    }
}
