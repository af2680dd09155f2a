//! Why a server or a client could not be made.

use std::error::Error;
use std::fmt::Display;
use std::path::PathBuf;

/// Any error, as hyper's traits want it.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Why a server or a client could not be made from its settings.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// A file that the settings name could not be read.
    #[error("cannot read {what} {}", path.display())]
    Read {
        /// What the file should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A certificate or a key is not usable.
    #[error("{what}: {reason}")]
    Tls {
        /// Which setting.
        what: &'static str,
        /// Why, in words.
        reason: String,
    },
    /// A setting has a value that cannot work.
    #[error("{key}: {reason}")]
    Setting {
        /// Which setting.
        key: &'static str,
        /// Why, in words.
        reason: String,
    },
    /// The address could not be bound.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address as configured.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// The HTTP client could not be built.
    #[error("cannot build the HTTP client: {0}")]
    Client(String),
}

impl TransportError {
    pub(crate) fn tls(what: &'static str, reason: impl Display) -> Self {
        Self::Tls { what, reason: format!("{reason}") }
    }

    pub(crate) fn setting(key: &'static str, reason: impl Display) -> Self {
        Self::Setting { key, reason: format!("{reason}") }
    }
}

/// An error with everything that caused it, in one line: `connect failed: connection refused`.
pub fn describe(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let reason = error.to_string();
        if !text.contains(&reason) {
            text.push_str(": ");
            text.push_str(&reason);
        }
        cause = error.source();
    }
    text
}
