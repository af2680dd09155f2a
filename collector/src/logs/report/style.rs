//! How things look on a terminal.

use std::io::{self, IsTerminal};

use super::super::args::Color;
use super::super::severity::Severity;

/// How a piece of text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// What to read first.
    Strong,
    /// What to read last.
    Dim,
    /// What varies.
    Variable,
    /// What may be wrong.
    Warn,
    /// What is wrong.
    Bad,
}

impl Look {
    /// How a severity looks, if it looks like anything.
    pub(super) const fn of(severity: Severity) -> Option<Self> {
        match severity {
            Severity::Fatal | Severity::Error => Some(Self::Bad),
            Severity::Warn => Some(Self::Warn),
            Severity::Debug | Severity::Trace | Severity::Unset => Some(Self::Dim),
            Severity::Info => None,
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Strong => "1",
            Self::Dim => "2",
            Self::Variable => "36",
            Self::Warn => "33",
            Self::Bad => "1;31",
        }
    }
}

/// What the terminal can do.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Style {
    /// Whether colours are understood.
    pub(super) colour: bool,
    /// How many columns there are; not limited if nobody knows.
    pub(super) columns: Option<usize>,
}

impl Style {
    /// That of standard output. Colours are for terminals, and not for those who refuse them (no-color.org). `COLUMNS` has
    /// the last word about the width.
    pub(super) fn of_stdout(color: Color) -> Self {
        let out = io::stdout();
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = match color {
            Color::Auto => out.is_terminal() && !refused,
            Color::Always => true,
            Color::Never => false,
        };
        let asked = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let columns = asked.or_else(|| {
            let size = rustix::termios::tcgetwinsize(&out).ok()?;
            Some(usize::from(size.ws_col))
        });
        Self { colour, columns: columns.filter(|columns| *columns > 0) }
    }

    /// `text` with a look.
    pub(super) fn paint(&self, look: Option<Look>, text: &str) -> String {
        match look {
            Some(look) if self.colour && !text.is_empty() => format!("\x1b[{}m{text}\x1b[0m", look.code()),
            _ => text.to_owned(),
        }
    }

    /// A template, with what varies in it marked.
    pub(super) fn template(&self, template: &str) -> String {
        if !self.colour {
            return template.to_owned();
        }
        let mut text = String::new();
        let mut rest = template;
        while let Some((before, mask, after)) = next_mask(rest) {
            text.push_str(before);
            text.push_str(&self.paint(Some(Look::Variable), mask));
            rest = after;
        }
        text + rest
    }
}

/// The text before the next mask, such as `<IP>`, the mask, and the text after it.
fn next_mask(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let start = from + text.get(from..)?.find('<')?;
        let inside = text.get(start + 1..)?;
        let end = inside
            .find(|char: char| !(char.is_ascii_uppercase() || matches!(char, '*' | '_' | '0'..='9')))?;
        if end > 0 && inside.as_bytes().get(end) == Some(&b'>') {
            let after = start + 1 + end + 1;
            return Some((&text[..start], &text[start..after], &text[after..]));
        }
        from = start + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_painted_and_other_angle_brackets_are_not() {
        let style = Style { colour: true, columns: None };
        let painted = style.template("a < b <IP>:<*> <tag> <");
        assert_eq!(painted, "a < b \x1b[36m<IP>\x1b[0m:\x1b[36m<*>\x1b[0m <tag> <");
        assert_eq!(Style::default().template("<IP>"), "<IP>");
        assert_eq!(Style::default().paint(Some(Look::Bad), "x"), "x");
    }
}
