//! One file that is being read, and what its records carry.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pdata::Timestamp;

use super::config::Config;
use super::encode;
use super::identity::{FileId, Inode, Mark, Print, Stat, TAIL};
use super::operators::entry::{Map, Value};
use super::source::Source;

/// What all records of a file carry.
#[derive(Debug)]
pub(super) struct Labels {
    /// The path.
    pub(super) path: Arc<str>,
    /// Their attributes.
    pub(super) attributes: Map,
    /// The same, encoded.
    pub(super) encoded_attributes: Vec<u8>,
    /// Their resource.
    pub(super) resource: Arc<Map>,
    /// The same, encoded.
    pub(super) encoded_resource: Arc<[u8]>,
}

impl Labels {
    /// What records of the file at `path` carry.
    pub(super) fn of(config: &Config, path: &Path) -> Self {
        let mut attributes: Map =
            config.attributes.iter().map(|(k, v)| (k.as_str().into(), Value::from(v))).collect();
        let mut add = |wanted: bool, key: &str, value: Option<String>| {
            if let Some(value) = value.filter(|_| wanted) {
                attributes.insert(key.into(), Value::String(value.into()));
            }
        };
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        add(config.include_file_name, "log.file.name", name(path));
        add(config.include_file_path, "log.file.path", Some(path.to_string_lossy().into_owned()));
        if config.include_file_name_resolved || config.include_file_path_resolved {
            let resolved = path.canonicalize().unwrap_or_else(|_| path.to_owned());
            add(config.include_file_name_resolved, "log.file.name_resolved", name(&resolved));
            let text = resolved.to_string_lossy().into_owned();
            add(config.include_file_path_resolved, "log.file.path_resolved", Some(text));
        }
        if config.include_file_owner_name || config.include_file_owner_group_name {
            // A file that has just vanished has no owner, and will have no records.
            let owner = path.metadata().ok().map(|metadata| (metadata.uid(), metadata.gid()));
            let user = owner.map(|(user, _)| name_of("/etc/passwd", user));
            let group = owner.map(|(_, group)| name_of("/etc/group", group));
            add(config.include_file_owner_name, "log.file.owner.name", user);
            add(config.include_file_owner_group_name, "log.file.owner.group.name", group);
        }
        let resource: Map =
            config.resource.iter().map(|(k, v)| (k.as_str().into(), Value::from(v))).collect();
        Self {
            path: path.to_string_lossy().into(),
            encoded_attributes: encode::record_attributes(&attributes),
            encoded_resource: encode::resource(&resource).into(),
            attributes,
            resource: resource.into(),
        }
    }
}

/// The name that a table such as `/etc/passwd` gives to a number; the number itself if it has none.
fn name_of(table: &str, id: u32) -> String {
    let number = id.to_string();
    let text = std::fs::read_to_string(table).unwrap_or_default();
    let line = text.lines().find(|line| line.split(':').nth(2) == Some(number.as_str()));
    line.and_then(|line| line.split(':').next()).map_or(number, str::to_owned)
}

/// Why a file cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    /// Nothing has its name, or another file has.
    #[error("the file is gone")]
    Gone,
    /// Its content is no longer what was read before.
    #[error("the file was rewritten")]
    Rewritten,
    /// It cannot be read.
    #[error(transparent)]
    Io(io::Error),
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound { Self::Gone } else { Self::Io(error) }
    }
}

/// One file that is being read.
pub(super) struct Tracked {
    /// Which content this is.
    pub(super) id: FileId,
    /// Where the file system keeps it.
    pub(super) inode: Inode,
    /// Its latest name.
    pub(super) path: PathBuf,
    /// The name under which it was found.
    pub(super) first_path: PathBuf,
    /// Whether it is compressed.
    pub(super) gzip: bool,
    /// What its records carry.
    pub(super) labels: Arc<Labels>,
    /// Its first bytes.
    pub(super) head: Print,
    /// How far it has been read.
    pub(super) mark: Mark,
    /// What the batches have been told of this.
    pub(super) noted: Mark,
    /// How far what was read has been delivered.
    pub(super) committed: Mark,
    /// What is complete before here was delivered before a restart.
    pub(super) replay_until: u64,
    /// Open as long as there is room.
    pub(super) source: Option<Source>,
    /// What the file system said when it was read last.
    pub(super) seen: Option<Stat>,
    /// When it had been written last, in an earlier run.
    pub(super) modified: Option<i64>,
    /// What the file system said when the end of it was taken for complete.
    pub(super) flushed_at: Option<Stat>,
    /// When it was seen to grow last.
    pub(super) grown: Timestamp,
    /// In how many rounds it has not been found under a name that matches.
    pub(super) missing: u32,
    /// It is not read: it was there before the start, compressed, or its content is damaged.
    pub(super) frozen: bool,
    /// It is a copy of what was read under another inode, and may still be on its way to its full size.
    pub(super) is_copy: bool,
}

impl Tracked {
    /// Whether it can still be read under the identity that it had.
    pub(super) const fn is_live(&self) -> bool {
        self.missing == 0 || self.source.is_some()
    }

    /// Opens it if it is not open, and makes sure that it is what it was.
    ///
    /// # Errors
    /// If it cannot be opened, or its name now belongs to another file.
    pub(super) fn open(&mut self) -> Result<&mut Source, OpenError> {
        let source = match self.source.take() {
            Some(source) => source,
            None => {
                let mut source = Source::open(&self.path, self.gzip)?;
                if source.stat()?.inode != self.inode {
                    return Err(OpenError::Gone);
                }
                if !begins_with(&mut source, &self.head)? {
                    return Err(OpenError::Rewritten);
                }
                source
            }
        };
        Ok(self.source.insert(source))
    }

    /// Remembers more of its first bytes while there are few, of an incomplete record too: it may be truncated before the
    /// end of that is written. `size` is how large it was when it was read.
    pub(super) fn extend_head(&mut self, len: usize, size: u64) {
        let is_longer = self.head.len < len && size > self.head.len as u64;
        if let Some(source) = self.source.as_mut().filter(|_| is_longer && !self.gzip) {
            let mut head = vec![0; len];
            // If it cannot be read, what is known of it stays true.
            if let Ok(n) = read_fully(source, 0, &mut head) {
                self.head = Print::of(&head[..n]);
            }
        }
    }

    /// Whether its content is no longer what was read: it was truncated, or written anew.
    pub(super) fn is_rewritten(&mut self, stat: &Stat) -> bool {
        if self.gzip || self.frozen {
            return false;
        }
        if stat.size < self.mark.offset.max(self.head.len as u64) {
            // A copy that is still being made is shorter for a while.
            let Self { source, head, is_copy, .. } = self;
            return !*is_copy || source.as_mut().is_some_and(|s| !begins_with(s, head).unwrap_or(true));
        }
        let (offset, tail) = (self.mark.offset, self.mark.tail.clone());
        let mut opened = None;
        let source = match &mut self.source {
            Some(source) => source,
            // Only for this look: there may be many such files.
            None => match Source::open(&self.path, self.gzip) {
                Ok(source) if source.stat().is_ok_and(|stat| stat.inode == self.inode) => {
                    opened.insert(source)
                }
                // What cannot be looked at will say so when it is read.
                _ => return false,
            },
        };
        if tail.len == 0 {
            return !begins_with(source, &self.head).unwrap_or(true);
        }
        let mut buffer = [0; TAIL];
        let wanted = &mut buffer[..tail.len.min(TAIL)];
        // If it cannot be read, reading it will say why.
        read_fully(source, offset.saturating_sub(wanted.len() as u64), wanted)
            .is_ok_and(|n| !tail.begins(&wanted[..n]))
    }
}

/// Reads until `buffer` is full or the file ends.
pub(super) fn read_fully(source: &mut Source, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read_at(position + filled as u64, &mut buffer[filled..])? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(filled)
}

/// Whether the file begins with what `head` is the print of.
pub(super) fn begins_with(source: &mut Source, head: &Print) -> io::Result<bool> {
    let mut buffer = vec![0; head.len];
    let n = read_fully(source, 0, &mut buffer)?;
    Ok(head.begins(&buffer[..n]))
}
