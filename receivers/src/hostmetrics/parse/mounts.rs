//! `/proc/self/mountinfo`, `/proc/filesystems` and `/proc/swaps`.

use std::collections::HashSet;

/// A mounted file system.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Mount {
    pub(crate) device: String,
    pub(crate) point: String,
    pub(crate) fs_type: String,
    /// `ro` or `rw`.
    pub(crate) mode: &'static str,
}

/// Parses `mountinfo`, in the order in which the file systems were mounted.
pub(crate) fn mounts(text: &str) -> Vec<Mount> {
    text.lines().filter_map(mount).collect()
}

/// `36 35 98:0 /root /point options optional... - type source super-options`.
fn mount(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ').skip(4);
    let (point, options) = (before.next()?, before.next()?);
    let mut after = after.split(' ');
    let (fs_type, device) = (after.next()?, after.next()?);
    let mode = if options.split(',').any(|option| option == "ro") { "ro" } else { "rw" };
    Some(Mount { device: unescape(device), point: unescape(point), fs_type: unescape(fs_type), mode })
}

/// The types of file systems that live on a device, by `/proc/filesystems`.
pub(crate) fn physical_types(text: &str) -> HashSet<String> {
    let on_devices =
        text.lines().filter(|line| !line.starts_with("nodev")).map(|line| line.trim().to_owned());
    // The kernel counts ZFS as without device because its pools are not block devices.
    on_devices.chain(["zfs".to_owned()]).filter(|name| !name.is_empty()).collect()
}

/// A swap device or file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Swap {
    pub(crate) device: String,
    /// In bytes.
    pub(crate) size: u64,
    /// In bytes.
    pub(crate) used: u64,
}

/// Parses `/proc/swaps`.
pub(crate) fn swaps(text: &str) -> Vec<Swap> {
    text.lines().skip(1).filter_map(swap).collect()
}

fn swap(line: &str) -> Option<Swap> {
    let mut fields = line.split_ascii_whitespace();
    let device = unescape(fields.next()?);
    let mut kib = fields.skip(1).map(|field| field.parse::<u64>().ok()?.checked_mul(1024));
    Some(Swap { device, size: kib.next()??, used: kib.next()?? })
}

/// The kernel writes white space and backslashes in names as `\` and three octal digits.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let octal = tail.get(..3).filter(|digits| digits.iter().all(|digit| (b'0'..=b'7').contains(digit)));
        match octal {
            Some(digits) if first == b'\\' => {
                let value = digits.iter().fold(0u16, |value, digit| value * 8 + u16::from(digit - b'0'));
                bytes.push(u8::try_from(value).unwrap_or(b'?'));
                rest = &tail[3..];
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
