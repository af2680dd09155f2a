//! Parsers for files of `/proc`, one each: text in, numbers out.
//!
//! They never fail as a whole: a line that does not look as it should is skipped, and whoever needs a value that is not
//! there says so.

mod disk;
mod mounts;
mod network;
mod process;
mod stat;
mod table;
#[cfg(test)]
mod tests;

pub(super) use disk::{Disk, disks};
pub(super) use mounts::{Mount, mounts, physical_types, swaps};
pub(super) use network::{Flow, Interface, TCP_STATES, interfaces, tcp_states};
pub(super) use process::{ProcessStat, arguments, process_stat, users};
pub(super) use stat::{CpuTimes, load, stat};
pub(super) use table::Table;
