//! JSON and XML over several lines: where it ends.

/// The longest tag that is remembered.
const MAX_TAG: usize = 64;

/// What is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Nested {
    /// So many brackets.
    Json(usize),
    /// An element; `None` while only the declaration was seen.
    Xml(Option<Box<str>>),
}

/// What a further line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// More follow.
    Inside,
    /// Everything is closed with it.
    Last,
    /// It does not belong to it.
    Foreign,
}

impl Nested {
    /// What a line opens and leaves open.
    pub(super) fn begin(text: &str) -> Option<Self> {
        if text.ends_with(['{', '[', ',']) {
            let starts = text.starts_with(['{', '[']);
            // `GET /a {` may be anything; `response: {` is a value that begins.
            let is_value = text.ends_with([':', '=']) || text.len() < 2;
            let before = text.get(..text.len() - 1).unwrap_or_default().trim_ascii_end();
            let is_labelled = before.ends_with([':', '=']) && !text.ends_with(',');
            let depth = depth(text, 0)?;
            return (depth > 0 && (starts || is_value || is_labelled)).then_some(Self::Json(depth));
        }
        if text.starts_with("<?xml") && text.ends_with("?>") {
            return Some(Self::Xml(None));
        }
        let tag = tag(text)?;
        let is_open = text.ends_with('>') && !text.ends_with("/>") && !closes(text, tag);
        is_open.then(|| Self::Xml(Some(tag.into())))
    }

    /// Looks at the next line.
    pub(super) fn push(&mut self, text: &str, indent: usize) -> Next {
        match self {
            Self::Json(open) => {
                let is_json = indent > 0
                    || text.starts_with(['"', '{', '}', '[', ']', '-', '\''])
                    || text.starts_with(|char: char| char.is_ascii_digit())
                    || ["true", "false", "null"].iter().any(|word| text.trim_end_matches(',') == *word);
                match depth(text, *open) {
                    Some(0) if is_json => Next::Last,
                    Some(depth) if is_json => {
                        *open = depth;
                        Next::Inside
                    }
                    _ => Next::Foreign,
                }
            }
            Self::Xml(open) => {
                if open.is_none() {
                    *open = tag(text).map(Into::into);
                }
                match open {
                    Some(tag) if closes(text, tag) => Next::Last,
                    Some(_) if text.starts_with('<') || indent > 0 || text.ends_with('>') => Next::Inside,
                    _ => Next::Foreign,
                }
            }
        }
    }
}

/// How many brackets are open after a line, of `open` before. `None` if more are closed than were open.
fn depth(text: &str, mut open: usize) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => open += 1,
            b'}' | b']' if !quoted => open = open.checked_sub(1)?,
            _ => {}
        }
    }
    Some(open)
}

/// The name of the element that a line begins with.
fn tag(text: &str) -> Option<&str> {
    let rest = text.strip_prefix('<')?;
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'_' | b'-' | b'.');
    let len = rest.bytes().take_while(|byte| is_part(byte)).count();
    let is_tag = rest.starts_with(|char: char| char.is_ascii_alphabetic()) && len <= MAX_TAG;
    (is_tag && matches!(rest.as_bytes().get(len), Some(b'>' | b' '))).then(|| &rest[..len])
}

/// Whether a line has the end of an element.
fn closes(text: &str, tag: &str) -> bool {
    text.match_indices("</").any(|(at, _)| {
        text[at + 2..].strip_prefix(tag).is_some_and(|rest| rest.trim_ascii_start().starts_with('>'))
    })
}
