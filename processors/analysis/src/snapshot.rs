//! What was learned, as bytes that a later process can read.
//!
//! In: state that can be serialized. Out: its version and it, by postcard. The version is read first, so that a layout that has
//! changed is told from damage.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a snapshot was not taken over, or not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// It was written by another version.
    #[error("the snapshot has version {found}, this build reads {expected}")]
    Version {
        /// The snapshot's.
        found: u32,
        /// This build's.
        expected: u32,
    },
    /// It is damaged.
    #[error("the snapshot is damaged")]
    Damaged,
    /// It cannot be written.
    #[error("the snapshot cannot be written")]
    Unwritable,
}

/// `state` in the layout of `version`.
///
/// # Errors
/// If it cannot be encoded, which none of the library's types causes.
pub(crate) fn encode<T: Serialize>(version: u32, state: &T) -> Result<Vec<u8>, SnapshotError> {
    postcard::to_allocvec(&(version, state)).map_err(|_| SnapshotError::Unwritable)
}

/// The state in a snapshot of `version`.
///
/// # Errors
/// If it is of another version, or damaged.
pub(crate) fn decode<T: DeserializeOwned>(version: u32, snapshot: &[u8]) -> Result<T, SnapshotError> {
    let (found, rest) = postcard::take_from_bytes::<u32>(snapshot).map_err(|_| SnapshotError::Damaged)?;
    if found != version {
        return Err(SnapshotError::Version { found, expected: version });
    }
    postcard::from_bytes(rest).map_err(|_| SnapshotError::Damaged)
}
