//! What the names and times of rotated files say.

use std::path::{Path, PathBuf};

use super::poller::Found;

/// Sorts by the time of the last write. File systems count in steps of some milliseconds, in which a busy writer fills
/// several files: of those the one under the usual name is the youngest, and rotated ones are ordered by their names.
pub(super) fn sort_by_age(files: &mut [Found]) {
    let age = |found: &Found| (found.stat.modified, found.stat.created);
    files.sort_by_key(age);
    for group in files.chunk_by_mut(|a, b| age(a) == age(b)) {
        let paths: Vec<PathBuf> = group.iter().map(|found| found.path.clone()).collect();
        group.sort_by_cached_key(|found| {
            let is_usual = paths.iter().any(|path| *path != found.path && is_name_of_copy(&found.path, path));
            (is_usual, found.path.as_os_str().len(), found.path.clone())
        });
    }
}

/// Whether `path` is what a rotation would call a copy of `original`: its name with something behind it (`app.log.1`,
/// `app.log-20260102.gz`), or with something before its extension (`app-20260102.log`).
pub(super) fn is_name_of_copy(original: &Path, path: &Path) -> bool {
    let (Some(original), Some(name)) = (original.file_name(), path.file_name()) else { return false };
    let (original, name) = (original.to_string_lossy(), name.to_string_lossy());
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    if let Some(rest) = name.strip_prefix(original.strip_suffix(".gz").unwrap_or(&original)) {
        return rest.is_empty() || rest.starts_with(['.', '-', '_']);
    }
    let Some((stem, extension)) = original.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()) else {
        return false;
    };
    let between = name.strip_prefix(stem).and_then(|rest| rest.strip_suffix(extension)?.strip_suffix('.'));
    between.is_some_and(|between| {
        let mut chars = between.chars();
        chars.next().is_some_and(|first| ".-_".contains(first))
            && between.len() > 1
            && chars.all(|c| c.is_ascii_digit() || "TZ:.-_".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_rotation_gives_are_names_of_copies() {
        for (original, name, expected) in [
            ("app.log", "app.log.1", true),
            ("app.log", "app.log.1.gz", true),
            ("app.log.1", "app.log.1.gz", true),
            ("app.log", "app.log-20260102", true),
            ("app.log", "app-2026-01-02T03-04-05.000.log", true),
            ("app.log", "app-2026.log.gz", true),
            ("app.log", "app2.log", false),
            ("app.log", "app-worker.log", false),
            ("a.log", "b.log", false),
            ("app.log", "app.login", false),
            ("app", "app-2", true),
        ] {
            assert_eq!(is_name_of_copy(Path::new(original), Path::new(name)), expected, "{original} {name}");
        }
    }
}
