//! `/proc/<pid>/stat`, `/proc/<pid>/cmdline` and `/etc/passwd`.

use std::collections::HashMap;

use super::stat::TICKS_PER_SECOND;

/// `/proc/<pid>/stat`, as far as it is used.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ProcessStat {
    /// The command's name; the kernel cuts it to 15 bytes.
    pub(crate) name: String,
    /// The kernel's letter.
    pub(crate) state: char,
    pub(crate) parent: i64,
    pub(crate) minor_faults: u64,
    pub(crate) major_faults: u64,
    /// In seconds.
    pub(crate) user: f64,
    /// In seconds.
    pub(crate) system: f64,
    /// Waiting for block devices, in seconds.
    pub(crate) wait: f64,
    pub(crate) threads: u64,
    /// When it started, in seconds after the system did.
    pub(crate) started: f64,
    /// In bytes.
    pub(crate) virtual_memory: u64,
    pub(crate) resident_pages: u64,
}

/// Parses `/proc/<pid>/stat`. The name may hold anything, parentheses and spaces too.
pub(crate) fn process_stat(text: &str) -> Option<ProcessStat> {
    let (_, rest) = text.split_once('(')?;
    let (name, rest) = rest.rsplit_once(')')?;
    let fields: Vec<_> = rest.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
    let seconds = |index: usize| number(index).map(|ticks| ticks as f64 / TICKS_PER_SECOND);
    Some(ProcessStat {
        name: name.to_owned(),
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        minor_faults: number(7)?,
        major_faults: number(9)?,
        user: seconds(11)?,
        system: seconds(12)?,
        // Only with delay accounting.
        wait: seconds(39).unwrap_or_default(),
        threads: number(17)?,
        started: seconds(19)?,
        virtual_memory: number(20)?,
        resident_pages: fields.get(21)?.parse::<i64>().ok()?.try_into().unwrap_or_default(),
    })
}

/// The arguments of `/proc/<pid>/cmdline`.
pub(crate) fn arguments(text: &str) -> Vec<&str> {
    text.trim_end_matches('\0').split('\0').filter(|_| !text.trim_end_matches('\0').is_empty()).collect()
}

/// User names by id.
pub(crate) fn users(passwd: &str) -> HashMap<u32, String> {
    let user = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty() && !name.starts_with('#'))?;
        Some((fields.nth(1)?.parse().ok()?, name.to_owned()))
    };
    // The first of several names is the one that tools show.
    passwd.lines().rev().filter_map(user).collect()
}
