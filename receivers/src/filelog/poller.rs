//! Rounds: find the files, tell them apart, read what is new.
//!
//! In: the file system and the time. Out: batches, each with how far its files have been read. It neither waits nor
//! reads a clock, so tests drive it by hand. How rotation is recognised is in [`super::lineage`].

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pdata::Timestamp;

use super::finder::Finder;
use super::identity::{FileId, Inode, Mark, Stat};
use super::lineage::Shadow;
use super::read::{ReadError, Reader, Sink, Stopped, Visit};
use super::settings::Settings;
use super::tracked::{Labels, OpenError, Tracked};

/// A file gives way to others after so many bytes.
const BUDGET: u64 = 8 << 20;
/// A file that is no longer found is let go when it has not grown for this long: its writer may need a while to notice.
const LINGER: Duration = Duration::from_secs(5);

/// So many times a round looks again while files are being rotated.
const MOST_LOOKS: usize = 10;

/// Reads files, round by round.
pub(super) struct Poller {
    pub(super) settings: Settings,
    pub(super) finder: Finder,
    pub(super) reader: Reader,
    /// What is being read, oldest first.
    pub(super) files: BTreeMap<FileId, Tracked>,
    pub(super) by_inode: HashMap<Inode, FileId>,
    pub(super) by_path: HashMap<PathBuf, FileId>,
    /// What has been read and is gone, latest last: a copy of it may turn up.
    pub(super) ended: VecDeque<Tracked>,
    /// Copies of what is being read.
    pub(super) shadows: HashMap<Inode, Shadow>,
    pub(super) next_id: u64,
    pub(super) first_round: bool,
    /// When the first run began.
    pub(super) began: Timestamp,
    /// Whether this goes on where an earlier run stopped.
    pub(super) is_restored: bool,
    /// What was complained about already.
    pub(super) complaints: HashSet<PathBuf>,
    /// How many files are open, more or less.
    pub(super) n_open: usize,
    /// Where the last round stopped, if it was not allowed to read all files.
    cursor: FileId,
}

/// A file that was found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) stat: Stat,
}

impl Poller {
    /// Reads the files that `finder` finds.
    pub(super) fn new(settings: Settings, finder: Finder, reader: Reader) -> Self {
        Self {
            settings,
            finder,
            reader,
            files: BTreeMap::new(),
            by_inode: HashMap::new(),
            by_path: HashMap::new(),
            ended: VecDeque::new(),
            shadows: HashMap::new(),
            next_id: 1,
            first_round: true,
            began: Timestamp::default(),
            is_restored: false,
            complaints: HashSet::new(),
            n_open: 0,
            cursor: FileId(0),
        }
    }

    /// One round. Says whether there is more to read at once.
    ///
    /// # Errors
    /// If nobody takes batches any more.
    pub(super) fn round(&mut self, now: Timestamp, sink: &mut dyn Sink) -> Result<bool, Stopped> {
        if self.first_round && !self.is_restored {
            self.began = now;
        }
        self.n_open = self.files.values().filter(|file| file.source.is_some()).count();
        let found = self.look_calmly(now);
        let strangers = self.recognise(&found, now);
        self.adopt(strangers, now);
        let more = self.read_all(now, sink)?;
        self.let_go(now, sink)?;
        self.reader.flush_operators(now, None);
        self.files.values_mut().for_each(|file| self.reader.note(file));
        self.reader.send(sink)?;
        self.first_round = false;
        Ok(more)
    }

    /// Notes that what was read of a file up to `mark` has been delivered.
    pub(super) fn commit(&mut self, id: FileId, mark: Mark) {
        if let Some(file) = self.files.get_mut(&id) {
            file.committed = mark;
            let is_done =
                file.committed == file.mark && file.seen.is_some_and(|stat| stat.size == file.mark.offset);
            if self.settings.config.delete_after_read && is_done && !self.reader.is_pending(file) {
                self.delete(id);
            }
        } else if let Some(file) = self.ended.iter_mut().find(|file| file.id == id) {
            file.committed = mark;
        }
    }

    /// Every file that matches. When there are new ones, looks again until nothing has changed meanwhile: a file that is
    /// rotated during the listing would otherwise be missed, and read only after the one that replaced it.
    fn look_calmly(&self, now: Timestamp) -> Vec<Found> {
        let name = |found: &Found| (found.path.clone(), found.stat.inode);
        let mut found = self.look(now);
        for _ in 0..MOST_LOOKS {
            if found.iter().all(|found| self.by_inode.contains_key(&found.stat.inode)) {
                break;
            }
            let again = self.look(now);
            let is_calm = again.iter().map(name).eq(found.iter().map(name));
            found = again;
            if is_calm {
                break;
            }
        }
        found
    }

    /// Every file that matches, each inode once.
    fn look(&self, now: Timestamp) -> Vec<Found> {
        let oldest = now - self.settings.config.exclude_older_than.get();
        let (mut found, mut inodes): (Vec<Found>, HashMap<Inode, usize>) = (Vec::new(), HashMap::new());
        for path in self.finder.find() {
            // A file that vanished in this moment will be missed below.
            let Ok(metadata) = std::fs::metadata(&path) else { continue };
            let stat = Stat::of(&metadata);
            let is_known = self.by_inode.contains_key(&stat.inode);
            let is_old = u64::try_from(stat.modified).unwrap_or_default() < oldest.as_nanos();
            if !is_known && is_old && !self.settings.config.exclude_older_than.is_zero() {
                continue;
            }
            match inodes.get(&stat.inode) {
                None => {
                    inodes.insert(stat.inode, found.len());
                    found.push(Found { path, stat });
                }
                // Of several names, the one that it had before.
                Some(at)
                    if self
                        .by_path
                        .get(&path)
                        .is_some_and(|id| self.by_inode.get(&stat.inode) == Some(id)) =>
                {
                    found[*at] = Found { path, stat };
                }
                Some(_) => {}
            }
        }
        found
    }

    /// Updates the files that are known, ends those that were rewritten, and returns those that are not known.
    fn recognise(&mut self, found: &[Found], now: Timestamp) -> Vec<Found> {
        let present: HashSet<Inode> = found.iter().map(|found| found.stat.inode).collect();
        let mut strangers = self.missed_rotations(&present);
        for file in self.files.values_mut() {
            file.missing = if present.contains(&file.inode) { 0 } else { file.missing.saturating_add(1) };
        }
        let missing: Vec<FileId> = self.files.values().filter(|f| f.missing == 1).map(|f| f.id).collect();
        strangers.extend(missing.into_iter().filter_map(|id| self.locate(id, now)));
        self.recognise_missing(now);
        for Found { path, stat } in found {
            match self.by_inode.get(&stat.inode).copied() {
                Some(id) => strangers.extend(self.update(id, path, stat, now)),
                None => strangers.push(Found { path: path.clone(), stat: *stat }),
            }
        }
        strangers
    }

    /// Ends files that were first rewritten and then renamed, before what replaced them is begun.
    fn recognise_missing(&mut self, now: Timestamp) {
        let mut rewritten = Vec::new();
        for file in self.files.values_mut().filter(|file| file.missing > 0) {
            let stat = file.source.as_ref().and_then(|source| source.stat().ok());
            if let Some(stat) = stat.filter(|stat| file.seen != Some(*stat))
                && file.is_rewritten(&stat)
            {
                rewritten.push((file.id, file.path.clone(), stat));
            }
        }
        rewritten.into_iter().for_each(|(id, path, stat)| self.rewrite(id, &path, &stat, now));
    }

    /// Notes what was found about a file that is known. It comes back if its inode was given away to a stranger.
    fn update(&mut self, id: FileId, path: &Path, stat: &Stat, now: Timestamp) -> Option<Found> {
        let file = self.files.get_mut(&id)?;
        let is_changed = file.seen != Some(*stat);
        let before = std::mem::replace(&mut file.path, path.to_owned());
        // A file that was in the state of an earlier run has not been opened yet: its inode may have been given away.
        let is_new = file.seen.is_none() && file.source.is_none();
        let is_other =
            is_new && stat.size > 0 && matches!(file.open(), Err(OpenError::Gone | OpenError::Rewritten));
        if is_other || (is_changed && file.is_rewritten(stat)) {
            // The name is that of the new content.
            file.path = before;
            if is_new {
                return self.give_away(id, Found { path: path.to_owned(), stat: *stat }, now);
            }
            self.rewrite(id, path, stat, now);
            return None;
        }
        let is_frozen = file.frozen;
        if before != path {
            file.labels = Arc::new(Labels::of(&self.settings.config, path));
            // Another file may have its name already.
            if self.by_path.get(&before) == Some(&id) {
                self.by_path.remove(&before);
            }
        }
        self.by_path.insert(path.to_owned(), id);
        if is_frozen && is_changed {
            // It is looked at anew as a file that nobody knows.
            self.end(id);
        }
        None
    }

    /// Reads what is new in every file, oldest first, so that what was rotated away comes before what replaced it.
    fn read_all(&mut self, now: Timestamp, sink: &mut dyn Sink) -> Result<bool, Stopped> {
        let config = &self.settings.config;
        let limit = match config.max_batches {
            0 => usize::MAX,
            batches => batches.saturating_mul(config.max_concurrent_files),
        };
        // What replaced a file waits until that one has been read to its end.
        let mut unfinished: HashSet<PathBuf> = HashSet::new();
        let (mut n_read, mut has_any_more) = (0, false);
        let after: Vec<FileId> = self.files.range(self.cursor..).map(|(id, _)| *id).collect();
        let before: Vec<FileId> = self.files.range(..self.cursor).map(|(id, _)| *id).collect();
        self.cursor = FileId(0);
        for id in after.into_iter().chain(before) {
            if n_read >= limit {
                self.cursor = id;
                return Ok(true);
            }
            if !unfinished.is_empty()
                && self.files.get(&id).is_some_and(|file| unfinished.contains(&file.first_path))
            {
                continue;
            }
            if let Some(has_more) = self.visit(id, now, false, sink)? {
                n_read += 1;
                has_any_more |= has_more;
                if has_more && let Some(file) = self.files.get(&id) {
                    unfinished.insert(file.first_path.clone());
                }
            }
        }
        Ok(has_any_more)
    }

    /// Reads one file if there is something to read; says whether there is more.
    fn visit(
        &mut self,
        id: FileId,
        now: Timestamp,
        last: bool,
        sink: &mut dyn Sink,
    ) -> Result<Option<bool>, Stopped> {
        let Some(file) = self.files.get_mut(&id) else { return Ok(None) };
        let Some(stat) = current_stat(file) else { return Ok(None) };
        if file.frozen {
            return Ok(None);
        }
        let is_changed = file.seen != Some(stat);
        if file.seen.is_none_or(|seen| seen.size != stat.size) {
            file.grown = now;
        }
        let force = self.settings.force_flush;
        let is_due = last || (!force.is_zero() && now.since(file.grown) >= force);
        // How much of a compressed file is left cannot be seen from outside.
        let is_rest = if file.gzip { file.flushed_at != Some(stat) } else { file.mark.offset < stat.size };
        let flush = is_due && is_rest;
        if !is_changed && !flush {
            return Ok(None);
        }
        let was_open = file.source.is_some();
        let budget = if last { u64::MAX } else { BUDGET };
        let visit = Visit { now, flush, budget };
        let result = self.reader.read(file, &self.settings, visit, sink);
        // What was written anew is read at once: it may not be there for long.
        let more = matches!(result, Ok(true) | Err(ReadError::Rewritten));
        file.flushed_at = flush.then_some(stat);
        match result {
            Ok(more) => {
                file.seen = if more { file.seen } else { Some(stat) };
                file.extend_head(self.settings.head_len, stat.size);
            }
            Err(ReadError::Stopped(stopped)) => return Err(stopped),
            Err(ReadError::Rewritten) => {
                let path = file.path.clone();
                self.rewrite(id, &path, &stat, now);
            }
            // The next round finds it under another name, or misses it.
            Err(ReadError::Gone) => {}
            Err(ReadError::Io(error)) => self.complain_about(id, &stat, &error),
        }
        self.n_open += usize::from(!was_open);
        self.close_if_many(id);
        Ok(Some(more))
    }

    fn complain_about(&mut self, id: FileId, stat: &Stat, error: &std::io::Error) {
        let Some(file) = self.files.get_mut(&id) else { return };
        // What is damaged stays so until the file changes.
        file.seen = Some(*stat);
        self.settings.counters.unreadable.add(1);
        tracing::warn!(path = %file.path.display(), %error, "cannot read the file");
    }

    /// Keeps no more files open than allowed. Those whose name is gone cannot be opened again, so they stay.
    pub(super) fn close_if_many(&mut self, id: FileId) {
        if self.n_open > self.settings.config.max_concurrent_files
            && let Some(file) =
                self.files.get_mut(&id).filter(|file| file.missing == 0 && file.source.is_some())
        {
            self.n_open -= 1;
            file.source = None;
        }
    }

    /// Ends the files that are gone and read to their end.
    fn let_go(&mut self, now: Timestamp, sink: &mut dyn Sink) -> Result<(), Stopped> {
        let is_over =
            |file: &&Tracked| file.missing > 0 && (file.source.is_none() || now.since(file.grown) >= LINGER);
        let over: Vec<FileId> = self.files.values().filter(is_over).map(|file| file.id).collect();
        for id in over {
            self.visit(id, now, true, sink)?;
            let Some(file) = self.files.get_mut(&id) else { continue };
            let is_cut_off =
                file.source.is_none() && file.seen.is_some_and(|stat| stat.size > file.mark.offset);
            if is_cut_off && !file.gzip && !file.frozen {
                self.settings.counters.lost.add(1);
                tracing::warn!(path = %file.path.display(), "the file was gone before it was read to its end");
            }
            self.reader.flush_operators(now, Some(file));
            self.reader.note(file);
            self.end(id);
        }
        Ok(())
    }

    fn delete(&mut self, id: FileId) {
        let Some(file) = self.files.get(&id) else { return };
        let is_same = std::fs::metadata(&file.path).is_ok_and(|metadata| {
            let stat = Stat::of(&metadata);
            stat.inode == file.inode && stat.size == file.mark.offset
        });
        if !is_same {
            return;
        }
        match std::fs::remove_file(&file.path) {
            Ok(()) => self.end(id),
            Err(error) => tracing::warn!(path = %file.path.display(), %error, "cannot delete the file"),
        }
    }
}

/// What the file system says about a file now, whatever its name is.
fn current_stat(file: &Tracked) -> Option<Stat> {
    match &file.source {
        Some(source) => source.stat().ok(),
        None if file.missing == 0 => std::fs::metadata(&file.path).ok().map(|metadata| Stat::of(&metadata)),
        None => None,
    }
}
