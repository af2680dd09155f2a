//! The memory controller of this process's cgroup, version 2 or 1.
//!
//! In: `/proc/self/cgroup`, `/proc/self/mountinfo` and the controller's files. A limit anywhere between the process's
//! cgroup and the mount point holds, so all levels are read.

use std::fs;
use std::path::{Path, PathBuf};

/// This process's cgroup with a memory controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cgroup {
    version: Version,
    /// Where the hierarchy is mounted: the outermost level that can be seen.
    mount: PathBuf,
    /// This process's level.
    leaf: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// One line of `mountinfo`, as far as it matters here.
struct Mount<'a> {
    root: &'a str,
    point: String,
    fs: &'a str,
    options: &'a str,
}

impl Cgroup {
    /// Finds it, or nothing if there is none or it cannot be seen.
    pub(super) fn detect(root: &Path) -> Option<Self> {
        let memberships = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
        let mounts = fs::read_to_string(root.join("proc/self/mountinfo")).ok()?;
        let mounts: Vec<_> = mounts.lines().filter_map(mount).collect();
        // Version 1 first: where both are mounted, the memory controller can only be in one of them, and if version 1
        // has it, version 2 does not.
        [Version::One, Version::Two].into_iter().find_map(|version| {
            let path = memberships.lines().find_map(|line| membership(line, version))?;
            let cgroup = mounts.iter().find(|mount| mount.is(version)).map(|mount| {
                let point = root.join(mount.point.trim_start_matches('/'));
                Self { version, leaf: leaf(&point, mount.root, path), mount: point }
            })?;
            cgroup.has_memory().then_some(cgroup)
        })
    }

    /// The tightest limit of all levels.
    pub(super) fn limit(&self) -> Option<u64> {
        let files: &[&str] = match self.version {
            // Above `memory.high` the kernel slows the process down until it is of no use: a limit as well.
            Version::Two => &["memory.max", "memory.high"],
            Version::One => &["memory.limit_in_bytes"],
        };
        let levels = self.leaf.ancestors().take_while(|level| level.starts_with(&self.mount));
        let limits = levels.flat_map(|level| files.iter().filter_map(|file| number(&level.join(file))));
        let hierarchical = match self.version {
            Version::Two => None,
            // Levels that cannot be seen from within a container count in here.
            Version::One => self.stat("hierarchical_memory_limit"),
        };
        limits.chain(hierarchical).min()
    }

    /// What the kernel cannot take back: usage without page cache and reclaimable slabs.
    pub(super) fn unreclaimable(&self) -> Option<u64> {
        let (usage, reclaimable): (_, &[&str]) = match self.version {
            Version::Two => ("memory.current", &["inactive_file", "active_file", "slab_reclaimable"]),
            Version::One => ("memory.usage_in_bytes", &["total_inactive_file", "total_active_file"]),
        };
        let usage = number(&self.leaf.join(usage))?;
        let stat = fs::read_to_string(self.leaf.join("memory.stat")).ok()?;
        let reclaimable =
            reclaimable.iter().filter_map(|key| stat_field(&stat, key)).fold(0, u64::saturating_add);
        Some(usage.saturating_sub(reclaimable))
    }

    fn stat(&self, key: &str) -> Option<u64> {
        fs::read_to_string(self.leaf.join("memory.stat")).ok().and_then(|text| stat_field(&text, key))
    }

    /// The root cgroup of version 2 has a memory controller but none of these files; its limit is the machine.
    fn has_memory(&self) -> bool {
        let file = match self.version {
            Version::Two => "memory.max",
            Version::One => "memory.limit_in_bytes",
        };
        self.leaf.join(file).is_file()
    }
}

impl Mount<'_> {
    fn is(&self, version: Version) -> bool {
        match version {
            Version::Two => self.fs == "cgroup2",
            Version::One => self.fs == "cgroup" && self.options.split(',').any(|option| option == "memory"),
        }
    }
}

/// The path of a line of `/proc/self/cgroup` if it is of this version's memory controller.
fn membership(line: &str, version: Version) -> Option<&str> {
    let mut fields = line.splitn(3, ':');
    let (id, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    let matches = match version {
        Version::Two => id == "0" && controllers.is_empty(),
        Version::One => controllers.split(',').any(|controller| controller == "memory"),
    };
    matches.then_some(path)
}

/// `36 35 98:0 /root /point options optional... - fs source super-options`.
fn mount(line: &str) -> Option<Mount<'_>> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ').skip(3);
    let mut after = after.split(' ');
    let (root, point) = (before.next()?, unescape(before.next()?));
    let (fs, options) = (after.next()?, after.nth(1).unwrap_or_default());
    Some(Mount { root, point, fs, options })
}

/// Where the cgroup `path` is below a mount point that shows the hierarchy from `root` down. In a container the path may
/// be one that cannot be seen from inside; then the mount point itself is the container's cgroup.
fn leaf(point: &Path, root: &str, path: &str) -> PathBuf {
    let below = if root == "/" { Some(path) } else { path.strip_prefix(root) };
    let visible = below.map(|below| below.trim_matches('/')).filter(|below| {
        !below.is_empty()
            && !Path::new(below).components().any(|part| part == std::path::Component::ParentDir)
    });
    visible.map(|below| point.join(below)).filter(|leaf| leaf.is_dir()).unwrap_or_else(|| point.to_owned())
}

/// The kernel writes space, tab, newline and backslash as `\` and three octal digits.
fn unescape(text: &str) -> String {
    let mut rest = text;
    let mut plain = String::with_capacity(text.len());
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        match after.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) if byte.is_ascii() => {
                plain.push(char::from(byte));
                rest = &after[3..];
            }
            _ => {
                plain.push('\\');
                rest = after;
            }
        }
    }
    plain + rest
}

/// A file with one number; `max` is none.
fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn stat_field(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}
