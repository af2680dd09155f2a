//! The lines of one template, printed as they come.

use std::collections::HashSet;
use std::io::{self, BufWriter, IsTerminal, Write};

use anyhow::anyhow;

use super::tally::Tally;
use crate::cli::Failure;

/// Which lines to print.
#[derive(Debug)]
pub(super) enum Wanted {
    /// Those whose template has one of these ids.
    Ids(HashSet<Box<str>>),
    /// Those whose template's id begins so, after its version.
    Beginning(Box<str>),
}

impl Wanted {
    /// The lines of the template whose id is or begins with `id`, also of what became part of it later.
    ///
    /// # Errors
    /// If there is no such template, or several.
    pub(super) fn of(tally: &Tally, id: &str) -> Result<Self, Failure> {
        let found: Vec<_> = tally.templates().filter(|(known, _)| begins(known, id)).collect();
        match found[..] {
            [] => Err(anyhow!("no line has the template {id}"))?,
            [(known, _)] => Ok(Self::Ids(tally.former(known).into_iter().map(Into::into).collect())),
            _ => {
                let ids: Vec<_> = found.iter().map(|(known, _)| *known).collect();
                Err(Failure::Usage(format!("{id} is the beginning of several templates: {}", ids.join(", "))))
            }
        }
    }

    /// The lines of templates whose id begins with `id`.
    pub(super) fn beginning_with(id: &str) -> Self {
        Self::Beginning(id.into())
    }

    fn includes(&self, id: &str) -> bool {
        match self {
            Self::Ids(ids) => ids.contains(id),
            Self::Beginning(wanted) => begins(id, wanted),
        }
    }
}

/// Whether `id` begins with `prefix`, which may be given without the version.
fn begins(id: &str, prefix: &str) -> bool {
    let digits = id.split_once(':').map_or(id, |(_, digits)| digits);
    id.starts_with(prefix) || digits.starts_with(prefix)
}

/// Prints lines.
pub(super) struct Lines {
    out: Box<dyn Write + Send>,
    /// Whether control characters would do something.
    terminal: bool,
    wanted: Wanted,
    printed: u64,
    missed: u64,
    failed: Option<io::Error>,
}

impl Lines {
    /// To standard output.
    pub(super) fn stdout(wanted: Wanted) -> Self {
        let out = io::stdout();
        let terminal = out.is_terminal();
        Self::new(Box::new(BufWriter::new(out)), terminal, wanted)
    }

    /// To somewhere else.
    pub(super) const fn new(out: Box<dyn Write + Send>, terminal: bool, wanted: Wanted) -> Self {
        Self { out, terminal, wanted, printed: 0, missed: 0, failed: None }
    }

    /// Prints a line if it is wanted.
    pub(super) fn line(&mut self, id: &str, text: &str) {
        if self.failed.is_some() || !self.wanted.includes(id) {
            return;
        }
        self.printed += 1;
        let written = if self.terminal {
            text.split('\n').try_for_each(|line| writeln!(self.out, "{}", crate::words::plain(line)))
        } else {
            writeln!(self.out, "{text}")
        };
        self.failed = written.err();
    }

    /// The lines of `old`, so many, turn out to be of `new`.
    pub(super) fn merged(&mut self, old: &str, new: &str, lines: u64) {
        if !self.wanted.includes(old) && self.wanted.includes(new) {
            self.missed += lines;
        }
    }

    /// Hands on what was written. Returns false if nobody takes it.
    pub(super) fn flush(&mut self) -> bool {
        if self.failed.is_none() {
            self.failed = self.out.flush().err();
        }
        self.failed.is_none()
    }

    /// How many lines were printed.
    pub(super) const fn printed(&self) -> u64 {
        self.printed
    }

    /// How many lines were not printed because it was not known yet that they are wanted.
    pub(super) const fn missed(&self) -> u64 {
        self.missed
    }

    /// Why nothing can be written, if so.
    pub(super) const fn failure(&mut self) -> Option<io::Error> {
        self.failed.take()
    }
}
