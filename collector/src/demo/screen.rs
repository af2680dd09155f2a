//! The terminal: lines that stay, and below them one that is written over as time passes.

use std::io::{self, IsTerminal, Write};

use pdata::Timestamp;

/// Where the story is written.
pub(super) struct Screen {
    out: Box<dyn Write + Send>,
    /// Whether colours are understood.
    colour: bool,
    /// Whether a line can be written over.
    live: bool,
    /// Whether such a line stands there now.
    status: bool,
    /// The reader has gone away.
    failed: Option<io::Error>,
}

/// How a piece of text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// What to read first.
    Strong,
    /// What to read last.
    Dim,
    /// Good news.
    Good,
    /// Bad news.
    Bad,
    /// What the demo did, as opposed to what was found.
    Injected,
}

impl Look {
    const fn code(self) -> &'static str {
        match self {
            Self::Strong => "1",
            Self::Dim => "2",
            Self::Good => "1;32",
            Self::Bad => "1;31",
            Self::Injected => "1;35",
        }
    }
}

impl Screen {
    /// Standard output. Colours and the line that changes are for terminals only, colours moreover not for those who
    /// refuse them (no-color.org).
    pub(super) fn stdout() -> Self {
        let out = io::stdout();
        let live = out.is_terminal();
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { out: Box::new(out), colour: live && !refused, live, status: false, failed: None }
    }

    /// Plain text into `out`.
    #[cfg(test)]
    pub(super) fn plain(out: Box<dyn Write + Send>) -> Self {
        Self { out, colour: false, live: false, status: false, failed: None }
    }

    /// Whether colours are understood.
    pub(super) const fn colour(&self) -> bool {
        self.colour
    }

    /// `text` with a look.
    pub(super) fn paint(&self, look: Look, text: &str) -> String {
        if self.colour { format!("\x1b[{}m{text}\x1b[0m", look.code()) } else { text.to_owned() }
    }

    /// Writes text that stays.
    pub(super) fn line(&mut self, text: &str) {
        let clear = if std::mem::take(&mut self.status) { "\r\x1b[K" } else { "" };
        self.write(&format!("{clear}{text}\n"));
    }

    /// Writes the line that changes, where there can be one.
    pub(super) fn status(&mut self, text: &str) {
        if self.live {
            self.status = true;
            let text = self.paint(Look::Dim, text);
            // Without wrapping: of a line that became two, only one could be written over.
            self.write(&format!("\r\x1b[K\x1b[?7l{text}\x1b[?7h"));
        }
    }

    /// Takes the line that changes away.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.status) {
            self.write("\r\x1b[K");
        }
    }

    /// Why nothing could be written any more, if so.
    pub(super) const fn failure(&mut self) -> Option<io::Error> {
        self.failed.take()
    }

    fn write(&mut self, text: &str) {
        if let Err(error) = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()) {
            self.failed.get_or_insert(error);
        }
    }
}

/// The time of day, UTC.
pub(super) fn time_of_day(time: Timestamp) -> String {
    let second = time.as_nanos() / 1_000_000_000 % 86_400;
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

/// A bar that is filled to `share`.
pub(super) fn bar(share: f64) -> String {
    const WIDTH: usize = 24;
    let full = (share.clamp(0.0, 1.0) * WIDTH as f64).round() as usize;
    format!("▕{}{}▏", "█".repeat(full), "░".repeat(WIDTH - full))
}
