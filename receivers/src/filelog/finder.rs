//! Finds the files that patterns name.
//!
//! In: patterns with `*`, `?`, `[...]`, `{a,b}` and `**`. Out: the paths that exist, each once, in order. Only directories
//! that a pattern can reach are read.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use globset::{Glob, GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};

/// Finds files.
#[derive(Clone, Debug)]
pub(super) struct Finder {
    include: Vec<Pattern>,
    exclude: GlobSet,
}

#[derive(Clone, Debug)]
struct Pattern {
    root: PathBuf,
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    /// A name as it is.
    Name(String),
    /// A name that matches.
    Match(Box<GlobMatcher>),
    /// Any number of directories.
    Deep,
}

/// Directories deeper than this below `**` are not searched.
const MAX_DEPTH: usize = 64;

impl Finder {
    /// Finds what matches `include` but not `exclude`.
    ///
    /// # Errors
    /// If a pattern is malformed; the error names it.
    pub(super) fn new(include: &[String], exclude: &[String]) -> Result<Self, globset::Error> {
        let mut patterns = Vec::new();
        for pattern in include {
            for pattern in expand_braces(pattern) {
                patterns.push(Pattern::new(&pattern)?);
            }
        }
        let mut set = GlobSetBuilder::new();
        for pattern in exclude {
            set.add(glob(pattern)?);
        }
        Ok(Self { include: patterns, exclude: set.build()? })
    }

    /// What exists now.
    pub(super) fn find(&self) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        for pattern in &self.include {
            walk(&pattern.root, &pattern.parts, 0, &mut found);
        }
        found.retain(|path| !self.is_excluded(path));
        found
    }

    /// Whether `path` is excluded.
    pub(super) fn is_excluded(&self, path: &Path) -> bool {
        self.exclude.is_match(path)
    }
}

fn glob(pattern: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(pattern).literal_separator(true).build()
}

impl Pattern {
    fn new(pattern: &str) -> Result<Self, globset::Error> {
        let (root, rest) = match pattern.strip_prefix('/') {
            Some(rest) => (PathBuf::from("/"), rest),
            None => (PathBuf::new(), pattern),
        };
        let part = |text: &str| match text {
            "**" => Ok(Part::Deep),
            text if text.contains(['*', '?', '[', '\\']) => {
                Ok(Part::Match(Box::new(glob(text)?.compile_matcher())))
            }
            text => Ok(Part::Name(text.to_owned())),
        };
        let parts = rest.split('/').filter(|text| !text.is_empty() && *text != ".");
        Ok(Self { root, parts: parts.map(part).collect::<Result<_, _>>()? })
    }
}

fn walk(directory: &Path, parts: &[Part], depth: usize, found: &mut BTreeSet<PathBuf>) {
    let Some((part, rest)) = parts.split_first() else { return };
    match part {
        Part::Name(name) => visit(directory.join(name), rest, depth, found),
        Part::Match(matcher) => {
            for entry in entries(directory) {
                // A hidden file is found only by a pattern that says so, as in a shell.
                let name = entry.file_name();
                let hidden =
                    name.to_string_lossy().starts_with('.') && !matcher.glob().glob().starts_with('.');
                if !hidden && matcher.is_match(&name) {
                    visit(directory.join(name), rest, depth, found);
                }
            }
        }
        Part::Deep => {
            walk(directory, rest, depth, found);
            if depth >= MAX_DEPTH {
                return;
            }
            for entry in entries(directory) {
                // Links to directories are not followed: they may lead in a circle.
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    walk(&directory.join(entry.file_name()), parts, depth + 1, found);
                } else if rest.is_empty() {
                    visit(directory.join(entry.file_name()), rest, depth, found);
                }
            }
        }
    }
}

fn visit(path: PathBuf, rest: &[Part], depth: usize, found: &mut BTreeSet<PathBuf>) {
    if !rest.is_empty() {
        walk(&path, rest, depth, found);
    } else if fs::metadata(&path).is_ok_and(|metadata| metadata.is_file()) {
        found.insert(path);
    }
}

/// What is in a directory; nothing if it cannot be read, for it may be gone in the next moment anyway.
fn entries(directory: &Path) -> impl Iterator<Item = fs::DirEntry> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    fs::read_dir(directory).into_iter().flatten().flatten()
}

/// `a{b,c{d,e}}` as `ab`, `acd`, `ace`, so that an alternative may hold a slash. A brace without its other half is a
/// character.
fn expand_braces(pattern: &str) -> Vec<String> {
    const MAX_PATTERNS: usize = 1024;
    let Some((open, close, commas)) = outer_braces(pattern) else { return vec![pattern.to_owned()] };
    let mut patterns = Vec::new();
    let mut start = open + 1;
    for end in commas.into_iter().chain([close]) {
        for tail in expand_braces(&format!("{}{}", &pattern[start..end], &pattern[close + 1..])) {
            if patterns.len() < MAX_PATTERNS {
                patterns.push(format!("{}{tail}", &pattern[..open]));
            }
        }
        start = end + 1;
    }
    patterns
}

fn outer_braces(pattern: &str) -> Option<(usize, usize, Vec<usize>)> {
    let (mut open, mut depth, mut commas) = (None, 0, Vec::new());
    for (at, byte) in pattern.bytes().enumerate() {
        match byte {
            b'{' => {
                open.get_or_insert(at);
                depth += 1;
            }
            b',' if depth == 1 => commas.push(at),
            b'}' if depth > 1 => depth -= 1,
            b'}' if depth == 1 => return open.map(|open| (open, at, commas)),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(include: &[&str], exclude: &[&str]) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        for path in ["a.log", "a.log.1", ".hidden.log", "pods/x/1.log", "pods/x/y/2.log", "pods/z/3.txt"] {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        std::os::unix::fs::symlink(root.join("pods"), root.join("pods/x/loop")).unwrap();
        let full = |patterns: &[&str]| -> Vec<String> {
            patterns.iter().map(|pattern| format!("{}/{pattern}", root.display())).collect()
        };
        let finder = Finder::new(&full(include), &full(exclude)).unwrap();
        let relative = |path: PathBuf| path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        finder.find().into_iter().map(relative).collect()
    }

    #[test]
    fn a_star_stays_in_its_directory_and_two_stars_do_not() {
        assert_eq!(found(&["*.log"], &[]), ["a.log"]);
        assert_eq!(found(&["pods/*/*.log"], &[]), ["pods/x/1.log"]);
        assert_eq!(found(&["pods/**/*.log"], &[]), ["pods/x/1.log", "pods/x/y/2.log"]);
        assert_eq!(found(&["**/?.log"], &[]), ["a.log", "pods/x/1.log", "pods/x/y/2.log"]);
    }

    #[test]
    fn exclude_and_braces_work_across_directories() {
        assert_eq!(found(&["pods/**/*"], &["**/*.txt", "pods/x/1.*"]), ["pods/x/y/2.log"]);
        assert_eq!(found(&["{a.log,pods/{x/1,z/3}.*}"], &[]), ["a.log", "pods/x/1.log", "pods/z/3.txt"]);
        assert_eq!(found(&["a.log*", "a.log"], &["a.log"]), ["a.log.1"]);
    }

    #[test]
    fn what_does_not_exist_is_not_found() {
        assert!(found(&["nowhere/*.log", "b.log", "a{"], &[]).is_empty());
    }
}
