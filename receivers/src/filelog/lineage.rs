//! Rotation: which file goes on where another one ended.
//!
//! A renamed file keeps its inode and needs nothing of this. Four things do:
//! - A file that was truncated or written anew is another content under the same inode (copytruncate, or an inode that the
//!   file system gave away again). It is recognised by its size, or because the bytes before the mark have changed.
//! - A copy of a file, plain or compressed, is the same content under another inode. It is recognised by its name, its
//!   first bytes and the bytes before the mark; it is read only once the original no longer can be, and from the mark on.
//! - A file that was created and rotated away between two rounds is found beside the one that replaced it.
//! - A file whose name no longer matches is read to its end through its open handle, or looked for by its inode.
//!
//! Looking beside a file is in [`super::beside`].

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use pdata::Timestamp;

use super::identity::{FileId, Inode, Mark, Print, Stat, TAIL};
use super::names::{is_name_of_copy, sort_by_age};
use super::poller::{Found, Poller};
use super::source::Source;
use super::tracked::{Labels, Tracked, read_fully};

/// So many files that are gone are remembered.
const MAX_ENDED: usize = 256;
/// A copy that is still shorter than the original and has not grown for so many rounds is no copy.
const PATIENCE: u32 = 10;

/// A copy of what is being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shadow {
    /// The original.
    of: FileId,
    /// What the file system said about the copy.
    stat: Stat,
    /// Whether it was seen to hold all that was read of the original.
    is_proven: bool,
    /// In how many rounds it has not changed.
    still: u32,
}

impl Shadow {
    /// Whether it never became what it seemed to become.
    const fn is_given_up(&self) -> bool {
        !self.is_proven && self.still >= PATIENCE
    }
}

/// What a stranger's content says about it.
pub(super) enum Relation {
    /// It is nobody's copy.
    None,
    /// It is a copy of this file, which cannot be read any more.
    Continues(FileId),
    /// It is a copy of this file, which still can be read.
    Shadows(FileId, bool),
}

impl Poller {
    /// Begins to read files that are not known, the oldest first, unless they are copies of known ones.
    pub(super) fn adopt(&mut self, mut strangers: Vec<Found>, now: Timestamp) {
        sort_by_age(&mut strangers);
        let present: HashSet<Inode> = strangers.iter().map(|found| found.stat.inode).collect();
        self.shadows.retain(|inode, _| present.contains(inode));
        for found in strangers {
            // An empty file has nothing that could identify it.
            if found.stat.size == 0 || self.by_inode.contains_key(&found.stat.inode) {
                continue;
            }
            match self.adopt_one(&found, now) {
                Ok(true) => drop(self.complaints.remove(&found.path)),
                // It was rotated in this moment. The younger ones wait, so that it comes before them.
                Ok(false) => return,
                Err(error) => {
                    if self.complaints.insert(found.path.clone()) {
                        self.settings.counters.unreadable.add(1);
                        tracing::warn!(path = %found.path.display(), %error, "cannot read the file");
                    }
                }
            }
        }
    }

    /// Begins one; false if its name belongs to another file by now.
    fn adopt_one(&mut self, found: &Found, now: Timestamp) -> io::Result<bool> {
        if let Some(shadow) = self.shadows.get_mut(&found.stat.inode)
            && self.files.get(&shadow.of).is_some_and(Tracked::is_live)
        {
            if shadow.stat == found.stat {
                shadow.still += 1;
            } else {
                (shadow.stat, shadow.still) = (found.stat, 0);
            }
            if !shadow.is_given_up() {
                return Ok(true);
            }
        }
        let gzip = self.settings.is_gzip(&found.path);
        let mut source = match Source::open(&found.path, gzip) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            opened => opened?,
        };
        let stat = source.stat()?;
        if stat.inode != found.stat.inode {
            return Ok(false);
        }
        let mut head = vec![0; self.settings.head_len];
        let n = read_fully(&mut source, 0, &mut head)?;
        head.truncate(n);
        if n == 0 {
            return Ok(true);
        }
        let given_up = self.shadows.remove(&found.stat.inode).filter(|shadow| shadow.is_given_up());
        match self.relation(found, &head, &mut source, given_up.map(|shadow| shadow.of))? {
            Relation::Continues(id) => self.continue_as(id, found, source, gzip, now),
            Relation::Shadows(of, is_proven) => {
                let still = self.shadows.get(&stat.inode).map_or(0, |shadow| shadow.still);
                self.shadows.insert(stat.inode, Shadow { of, stat: found.stat, is_proven, still });
            }
            Relation::None => self.begin(found, source, &head, now)?,
        }
        Ok(true)
    }

    /// Whether the stranger is a copy of a known file. `not` is not asked.
    pub(super) fn relation(
        &self,
        found: &Found,
        head: &[u8],
        source: &mut Source,
        not: Option<FileId>,
    ) -> io::Result<Relation> {
        let known = self.ended.iter().rev().chain(self.files.values());
        for file in known.filter(|file| Some(file.id) != not) {
            let is_full = file.head.len >= self.settings.head_len;
            // A file of which nothing was read, but still can be, has no copy that matters.
            let is_name = is_name_of_copy(&file.path, &found.path);
            if is_name && head.len() < file.head.len && file.missing == 0 && begins_as(file, head) {
                return Ok(Relation::Shadows(file.id, false));
            }
            let is_related = file.head.len > 0
                && (file.mark.tail.len > 0 || !file.is_live())
                && (is_name || (is_full && !file.is_live()))
                && file.head.begins(head);
            if !is_related {
                continue;
            }
            let tail = &file.mark.tail;
            let mut buffer = [0; TAIL];
            let wanted = &mut buffer[..tail.len.min(TAIL)];
            let place = file.mark.offset.saturating_sub(wanted.len() as u64);
            let n = read_fully(source, place, wanted)?;
            // It may still be growing to the original's length.
            let is_shorter = n < wanted.len();
            if is_shorter || tail.begins(&wanted[..n]) {
                let is_ended = self.ended.iter().any(|ended| ended.id == file.id);
                return Ok(if file.is_live() && !is_ended {
                    Relation::Shadows(file.id, !is_shorter)
                } else {
                    Relation::Continues(file.id)
                });
            }
        }
        Ok(Relation::None)
    }

    /// A copy takes the place of what it is a copy of.
    pub(super) fn continue_as(
        &mut self,
        id: FileId,
        found: &Found,
        source: Source,
        gzip: bool,
        now: Timestamp,
    ) {
        let file = self.files.remove(&id).or_else(|| {
            let at = self.ended.iter().position(|file| file.id == id)?;
            self.ended.remove(at)
        });
        let Some(mut file) = file else { return };
        if self.by_inode.get(&file.inode) == Some(&id) {
            self.by_inode.remove(&file.inode);
        }
        if self.by_path.get(&file.path) == Some(&id) {
            self.by_path.remove(&file.path);
        }
        file.labels = Arc::new(Labels::of(&self.settings.config, &found.path));
        file.path.clone_from(&found.path);
        file.inode = found.stat.inode;
        file.source = Some(source);
        (file.gzip, file.is_copy, file.missing, file.frozen) = (gzip, true, 0, false);
        (file.seen, file.grown, file.flushed_at) = (None, now, None);
        self.track(file);
    }

    fn begin(&mut self, found: &Found, mut source: Source, head: &[u8], now: Timestamp) -> io::Result<()> {
        let gzip = self.settings.is_gzip(&found.path);
        let skip = self.first_round && self.settings.starts_at_end() && !self.is_new_since_restore(found);
        let mut mark = Mark::default();
        if skip && !gzip {
            mark = mark_at(&mut source, found.stat.size)?;
        }
        let file = Tracked {
            id: FileId(self.next_id),
            inode: found.stat.inode,
            path: found.path.clone(),
            first_path: found.path.clone(),
            gzip,
            labels: Arc::new(Labels::of(&self.settings.config, &found.path)),
            head: Print::of(head),
            committed: mark.clone(),
            noted: mark.clone(),
            mark,
            replay_until: 0,
            source: Some(source),
            seen: (skip && gzip).then_some(found.stat),
            modified: None,
            flushed_at: None,
            grown: now,
            missing: 0,
            frozen: skip && gzip,
            is_copy: false,
        };
        self.next_id += 1;
        let id = file.id;
        self.track(file);
        self.n_open += 1;
        self.close_if_many(id);
        Ok(())
    }

    pub(super) fn track(&mut self, file: Tracked) {
        self.by_inode.insert(file.inode, file.id);
        self.by_path.insert(file.path.clone(), file.id);
        self.files.insert(file.id, file);
    }

    /// Whether the file came into being after the first run began. It was empty, or did not exist, when an earlier run
    /// looked last: otherwise it would be known.
    fn is_new_since_restore(&self, found: &Found) -> bool {
        if !self.is_restored {
            return false;
        }
        let replaces = self.files.values().chain(&self.ended).any(|file| file.path == found.path);
        replaces || found.stat.created.is_some_and(|created| created >= self.began.as_nanos())
    }

    /// The inode holds another content now, under the name `path`.
    pub(super) fn rewrite(&mut self, id: FileId, path: &Path, stat: &Stat, now: Timestamp) {
        let Some(file) = self.files.get_mut(&id) else { return };
        self.settings.counters.rewritten.add(1);
        tracing::debug!(path = %path.display(), "the file was truncated or written anew");
        let labels = if file.path == path {
            Arc::clone(&file.labels)
        } else {
            Arc::new(Labels::of(&self.settings.config, path))
        };
        let (before, inode, gzip, missing) = (file.path.clone(), file.inode, file.gzip, file.missing);
        let source = file.source.take();
        self.reader.flush_operators(now, Some(file));
        self.reader.note(file);
        self.end(id);
        let next = Tracked {
            id: FileId(self.next_id),
            inode,
            path: path.to_owned(),
            first_path: before.clone(),
            gzip,
            labels,
            head: Print::default(),
            mark: Mark::default(),
            committed: Mark::default(),
            noted: Mark::default(),
            replay_until: 0,
            // A handle of an earlier file of that name is of no use.
            source: source.filter(|source| source.stat().is_ok_and(|now| now.inode == stat.inode)),
            seen: None,
            modified: None,
            flushed_at: None,
            grown: now,
            missing,
            frozen: false,
            is_copy: false,
        };
        self.next_id += 1;
        self.track(next);
        self.find_copy(id, &before, now);
    }

    /// Ends a file whose inode belongs to a stranger now.
    pub(super) fn give_away(&mut self, id: FileId, stranger: Found, now: Timestamp) -> Option<Found> {
        let path = self.files.get(&id)?.path.clone();
        self.settings.counters.rewritten.add(1);
        self.end(id);
        self.find_copy(id, &path, now);
        Some(stranger)
    }

    /// Forgets all of a file but what is needed to recognise a copy.
    pub(super) fn end(&mut self, id: FileId) {
        let Some(mut file) = self.files.remove(&id) else { return };
        if self.by_inode.get(&file.inode) == Some(&id) {
            self.by_inode.remove(&file.inode);
        }
        if self.by_path.get(&file.path) == Some(&id) {
            self.by_path.remove(&file.path);
        }
        file.source = None;
        file.missing = file.missing.max(1);
        self.ended.push_back(file);
        if self.ended.len() > MAX_ENDED {
            self.ended.pop_front();
        }
    }
}

/// Whether the file begins with exactly these bytes. What cannot be read does not.
fn begins_as(file: &Tracked, head: &[u8]) -> bool {
    let Ok(mut source) = Source::open(&file.path, file.gzip) else { return false };
    let mut buffer = vec![0; head.len()];
    read_fully(&mut source, 0, &mut buffer).is_ok_and(|n| n == head.len() && buffer == head)
}

/// A mark at the end of what is there.
fn mark_at(source: &mut Source, offset: u64) -> io::Result<Mark> {
    let mut buffer = [0; TAIL];
    let len = usize::try_from(offset).unwrap_or(TAIL).min(TAIL);
    let n = read_fully(source, offset - len as u64, &mut buffer[..len])?;
    Ok(Mark { offset, delivered: offset, records: 0, tail: Print::of(&buffer[..n]) })
}
