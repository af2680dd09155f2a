//! Looking beside a file for what became of it: under another name, as a copy, or rotated away unseen.

use std::collections::HashSet;
use std::path::Path;

use pdata::Timestamp;

use super::identity::{FileId, Inode, Stat};
use super::lineage::Relation;
use super::names::is_name_of_copy;
use super::poller::{Found, Poller};
use super::source::Source;
use super::tracked::{Tracked, begins_with, read_fully};

impl Poller {
    /// Looks beside a file that was truncated or is gone for a copy of what was in it, whether the copy's name matches or
    /// not, to read what had been written since the last round.
    pub(super) fn find_copy(&mut self, id: FileId, path: &Path, now: Timestamp) {
        let directory = path.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            let found = Found { path: entry.path(), stat: Stat::of(&metadata) };
            let is_candidate = metadata.is_file()
                && is_name_of_copy(path, &found.path)
                && !self.by_inode.contains_key(&found.stat.inode)
                && !self.finder.is_excluded(&found.path);
            if !is_candidate {
                continue;
            }
            let gzip = self.settings.is_gzip(&found.path);
            let Ok(mut source) = Source::open(&found.path, gzip) else { continue };
            if source.stat().is_ok_and(|stat| stat.inode != found.stat.inode) {
                continue;
            }
            let mut head = vec![0; self.settings.head_len];
            let Ok(n) = read_fully(&mut source, 0, &mut head) else { continue };
            let relation = self.relation(&found, &head[..n], &mut source, None);
            if matches!(relation, Ok(Relation::Continues(original)) if original == id) {
                self.continue_as(id, &found, source, gzip, now);
                return;
            }
        }
    }

    /// Looks for a file whose name no longer matches, under another name in the same directory; or for a copy of it. Gives
    /// what has its inode now and is another rotated file.
    pub(super) fn locate(&mut self, id: FileId, now: Timestamp) -> Option<Found> {
        let file = self.files.get_mut(&id).filter(|file| file.source.is_none() && !file.frozen)?;
        let directory =
            file.path.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let inode = file.inode;
        let (mut is_given_away, mut other) = (false, None);
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let Ok(stat) = entry.metadata().map(|metadata| Stat::of(&metadata)) else { continue };
            if stat.inode != inode {
                continue;
            }
            let path = entry.path();
            if let Ok(mut source) = Source::open(&path, file.gzip)
                && begins_with(&mut source, &file.head).unwrap_or(false)
            {
                file.path = path;
                file.source = Some(source);
                return None;
            }
            let is_rotated = is_name_of_copy(&file.path, &path) && !self.finder.is_excluded(&path);
            (is_given_away, other) = (true, is_rotated.then_some(Found { path, stat }));
        }
        let path = file.path.clone();
        self.find_copy(id, &path, now);
        if is_given_away && self.by_inode.get(&inode) == Some(&id) {
            self.settings.counters.rewritten.add(1);
            self.end(id);
        }
        other
    }

    /// Files beside one that was rotated away that were created after it and rotated away before this round, whatever their
    /// name is.
    pub(super) fn missed_rotations(&self, present: &HashSet<Inode>) -> Vec<Found> {
        let mut missed: Vec<Found> = Vec::new();
        let rotated = self.by_path.iter().filter_map(|(path, id)| Some((path, self.files.get(id)?)));
        for (path, file) in
            rotated.filter(|(_, file)| !present.contains(&file.inode) || !is_still_there(file))
        {
            let Some(modified) = file.seen.map(|stat| stat.modified).or(file.modified) else { continue };
            let directory =
                path.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
            for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
                let Ok(metadata) = entry.metadata() else { continue };
                let (beside, stat) = (entry.path(), Stat::of(&metadata));
                let is_unknown = metadata.is_file()
                    && !present.contains(&stat.inode)
                    && !self.is_known(&beside, &stat)
                    && missed.iter().all(|found| found.stat.inode != stat.inode);
                // What was rotated away before this one was written last has been seen, or left out.
                let is_newer = stat.modified >= modified;
                let is_readable = self.settings.is_gzip(&beside)
                    || beside.extension().is_none_or(|extension| extension != "gz");
                let is_rotated = is_name_of_copy(path, &beside) && !self.finder.is_excluded(&beside);
                if is_unknown && is_newer && is_readable && is_rotated {
                    missed.push(Found { path: beside, stat });
                }
            }
        }
        missed
    }

    /// Whether the file is one that is being read. The inode of one that is gone may have been given away.
    fn is_known(&self, path: &Path, stat: &Stat) -> bool {
        let Some(file) = self.by_inode.get(&stat.inode).and_then(|id| self.files.get(id)) else {
            return false;
        };
        let begins = || begins_with(&mut Source::open(path, file.gzip)?, &file.head);
        file.source.is_some() || file.path == path || begins().unwrap_or(true)
    }
}

/// Whether the name of a file that has not been looked at since a restart still is that file's.
fn is_still_there(file: &Tracked) -> bool {
    let begins = || begins_with(&mut Source::open(&file.path, file.gzip)?, &file.head);
    file.seen.is_some() || file.source.is_some() || begins().unwrap_or(true)
}
