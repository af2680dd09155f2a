//! Notices that a file of the configuration has changed.
//!
//! In: the files that were read. Out: a notice when any of them is no longer the one that was read and has stopped changing.
//! Files are looked at by name, once a second. That also works where the kernel's notices do not: symbolic links that are
//! swapped, as Kubernetes updates a ConfigMap; editors that put a new file in the old one's place; network file systems.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

/// How often the files are looked at. A change counts once two looks in a row find the same, so that a file which is
/// still being written is not read.
const INTERVAL: Duration = Duration::from_secs(1);

/// What tells one state of a file from another. `None` if it is missing or no regular file: a pipe can be read only once.
type Print = Option<(u64, u64, u64, [i64; 4])>;

/// Watches the files of a configuration.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// As they were when they were read.
    read: BTreeMap<PathBuf, Print>,
    /// As they were at the last look.
    seen: BTreeMap<PathBuf, Print>,
}

impl Watch {
    /// Watches `files`, as they are now.
    pub(crate) async fn new(files: &[PathBuf]) -> Self {
        let mut watch = Self::default();
        watch.follow(files).await;
        watch
    }

    /// The files are about to be read: what they hold from now on is known.
    pub(crate) async fn mark_read(&mut self) {
        self.read = self.look().await;
        self.seen.clone_from(&self.read);
    }

    /// Watches `files` instead. Those that were watched already are still compared with what was read.
    pub(crate) async fn follow(&mut self, files: &[PathBuf]) {
        let mut read = BTreeMap::new();
        for file in files {
            let print = match self.read.get(file) {
                Some(print) => *print,
                None => print(file).await,
            };
            read.insert(file.clone(), print);
        }
        self.seen.clone_from(&read);
        self.read = read;
    }

    /// Waits for a change. Cancellation safe.
    pub(crate) async fn changed(&mut self) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            if self.has_changed().await {
                return;
            }
        }
    }

    async fn has_changed(&mut self) -> bool {
        let now = self.look().await;
        let changed = now != self.read && now == self.seen;
        self.seen = now;
        changed
    }

    async fn look(&self) -> BTreeMap<PathBuf, Print> {
        let mut prints = BTreeMap::new();
        for file in self.read.keys() {
            prints.insert(file.clone(), print(file).await);
        }
        prints
    }
}

async fn print(file: &PathBuf) -> Print {
    let metadata = tokio::fs::metadata(file).await.ok().filter(std::fs::Metadata::is_file)?;
    let times = [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()];
    Some((metadata.dev(), metadata.ino(), metadata.len(), times))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::*;

    async fn watch(file: &Path) -> Watch {
        let mut watch = Watch::new(&[file.to_owned()]).await;
        assert!(!watch.has_changed().await, "nothing has changed yet");
        watch
    }

    #[tokio::test]
    async fn a_change_is_noticed_once_it_is_over_and_only_until_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("c.yaml");
        fs::write(&file, "a").unwrap();
        let mut watch = watch(&file).await;
        fs::write(&file, "ab").unwrap();
        assert!(!watch.has_changed().await, "it may still be being written");
        fs::write(&file, "abc").unwrap();
        assert!(!watch.has_changed().await, "it was");
        assert!(watch.has_changed().await);
        watch.mark_read().await;
        assert!(!watch.has_changed().await && !watch.has_changed().await);
    }

    #[tokio::test]
    async fn swapped_links_replaced_and_missing_files_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for version in ["v1", "v2"] {
            fs::create_dir(path(version)).unwrap();
            fs::write(path(version).join("c.yaml"), "same length").unwrap();
        }
        symlink("v1", path("..data")).unwrap();
        symlink("..data/c.yaml", path("c.yaml")).unwrap();
        let mut watch = watch(&path("c.yaml")).await;
        symlink("v2", path("..new")).unwrap();
        fs::rename(path("..new"), path("..data")).unwrap();
        assert!(!watch.has_changed().await && watch.has_changed().await, "as Kubernetes does it");
        watch.mark_read().await;
        fs::write(path("edited"), "same length").unwrap();
        fs::rename(path("edited"), path("c.yaml")).unwrap();
        assert!(!watch.has_changed().await && watch.has_changed().await, "as editors do it");
        watch.mark_read().await;
        fs::remove_file(path("c.yaml")).unwrap();
        assert!(!watch.has_changed().await && watch.has_changed().await, "and a file that is gone");
    }

    #[tokio::test]
    async fn a_change_while_the_files_were_read_is_not_missed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("c.yaml");
        fs::write(&file, "a").unwrap();
        let mut watch = watch(&file).await;
        watch.mark_read().await;
        fs::write(&file, "ab").unwrap();
        watch.follow(&[file.clone(), folder.path().join("other")]).await;
        assert!(!watch.has_changed().await && watch.has_changed().await);
    }
}
