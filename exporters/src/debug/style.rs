//! Colours, where there is a terminal to show them.

use std::fmt;

use pdata::event::Severity;

/// Whether text may be coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Style {
    /// Whether the output understands ANSI escapes.
    pub(super) colour: bool,
}

/// What a piece of text is, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    /// What to read first.
    Strong,
    /// What to read last.
    Dim,
    /// Good news.
    Good,
    /// A component's name.
    Name,
    /// A severity's own colour.
    Level(Severity),
    /// A severity's own colour, as a label.
    Label(Severity),
}

impl Paint {
    const fn code(self) -> &'static str {
        match self {
            Self::Strong => "1",
            Self::Dim => "2",
            Self::Good => "1;32",
            Self::Name => "36",
            Self::Level(Severity::Info) => "34",
            Self::Level(Severity::Warning) => "33",
            Self::Level(Severity::Error) => "31",
            Self::Level(Severity::Critical) => "1;31",
            Self::Label(Severity::Info) => "1;37;44",
            Self::Label(Severity::Warning) => "1;30;43",
            Self::Label(Severity::Error | Severity::Critical) => "1;37;41",
        }
    }
}

/// Text with its colour.
pub(super) struct Painted<T> {
    text: T,
    paint: Paint,
    style: Style,
}

impl Style {
    /// `text`, coloured if colours are allowed.
    pub(super) const fn paint<T: fmt::Display>(self, paint: Paint, text: T) -> Painted<T> {
        Painted { text, paint, style: self }
    }
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.style.colour {
            write!(f, "\x1b[{}m{}\x1b[0m", self.paint.code(), self.text)
        } else {
            self.text.fmt(f)
        }
    }
}
