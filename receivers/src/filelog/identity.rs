//! How files are told apart: by device and inode, and by what is in them.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Identifies a file's content over its whole life; a truncated file becomes another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct FileId(pub(super) u64);

/// Where the file system keeps a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Inode {
    /// The device.
    pub(super) dev: u64,
    /// The inode on that device.
    pub(super) ino: u64,
}

/// What the file system says about a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stat {
    /// Where it is.
    pub(super) inode: Inode,
    /// Its size in bytes.
    pub(super) size: u64,
    /// When it was last written, in nanoseconds since the epoch.
    pub(super) modified: i64,
    /// When it was created, in nanoseconds since the epoch, if the file system knows.
    pub(super) created: Option<u64>,
}

impl Stat {
    /// From the standard library's form.
    pub(super) fn of(metadata: &Metadata) -> Self {
        let since_epoch = metadata.created().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
        Self {
            inode: Inode { dev: metadata.dev(), ino: metadata.ino() },
            size: metadata.size(),
            modified: metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec()),
            created: since_epoch.and_then(|since| u64::try_from(since.as_nanos()).ok()),
        }
    }
}

/// Some bytes of a file, remembered by their hash only: they may hold secrets, and prints are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Print {
    /// How many bytes.
    pub(super) len: usize,
    /// The first 128 bits of their SHA-256.
    hash: u128,
}

impl Print {
    /// The print of all of `bytes`.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let digest: [u8; 32] = Sha256::digest(bytes).into();
        let half = digest.first_chunk::<16>().copied().unwrap_or_default();
        Self { len: bytes.len(), hash: u128::from_be_bytes(half) }
    }

    /// Whether `bytes` begin with what this is the print of. Nothing is the beginning of everything.
    pub(super) fn begins(&self, bytes: &[u8]) -> bool {
        bytes.get(..self.len).is_some_and(|begin| self.len == 0 || Self::of(begin).hash == self.hash)
    }
}

/// So many bytes before a mark are remembered to recognise the place.
pub(super) const TAIL: usize = 64;

/// How far a file has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// Reading goes on here.
    pub(super) offset: u64,
    /// What is complete before here has been delivered; more than `offset` while parts of a record wait for the rest.
    pub(super) delivered: u64,
    /// How many records were read.
    pub(super) records: u64,
    /// The bytes before `offset`.
    pub(super) tail: Print,
}
