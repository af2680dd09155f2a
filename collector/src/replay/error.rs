//! What can be wrong with an input.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use pdata::DecodeError;

use super::table::TableError;

/// Where something is in the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file, or `-`.
    pub(super) input: Arc<str>,
    /// The line or the frame, counted from 1.
    pub(super) number: u64,
    /// The character within it, counted from 1, if that is known.
    pub(super) column: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.input, self.number)?;
        self.column.map_or(Ok(()), |column| write!(f, ":{column}"))
    }
}

/// Why reading ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    /// An input cannot be opened.
    #[error("cannot open {}", path.display())]
    Open {
        /// The file or the directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An input cannot be read, or its compression is damaged.
    #[error("cannot read on at {place}")]
    Read {
        /// How far it could be read.
        place: Place,
        /// Why.
        source: io::Error,
    },
    /// A record is malformed, and reading is strict.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A directory has nothing in it that could be replayed.
    #[error("there is no telemetry in {}", path.display())]
    Empty {
        /// The directory.
        path: PathBuf,
    },
}

/// A record that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {reason}")]
pub(crate) struct Malformed {
    /// Which one.
    pub(super) place: Place,
    /// Why.
    pub(super) reason: Reason,
}

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Reason {
    /// It is something else.
    #[error("neither OTLP nor an event")]
    Unknown,
    /// It claims to be telemetry but is not.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// It is no row of the table that it is in.
    #[error(transparent)]
    Table(#[from] TableError),
    /// It is larger than any that is read.
    #[error("longer than {} MiB", super::record::LONGEST >> 20)]
    TooLong,
    /// The input ends within it.
    #[error("the input ends in the middle of a frame")]
    Cut,
    /// It begins like zstd but is not.
    #[error("not valid zstd: {0}")]
    Zstd(io::Error),
}
