//! Reads recorded telemetry.
//!
//! In: files, directories or standard input that hold OTLP/JSON lines as the collector's file exporter writes them, OTLP in
//! length-prefixed frames, or events as lines; plain, gzip or zstd, told apart by their first bytes. Out: batches, merged
//! by time over all inputs. Only one record of each input is in memory at a time, and a record has a greatest size.
//!
//! A record that cannot be read is reported with its place and counted, and reading goes on; it ends the reading only if
//! asked to be strict. An input that cannot be opened or read ends it always.

mod error;
mod extent;
mod merge;
mod paths;
mod record;
mod source;
#[cfg(test)]
mod tests;

pub(crate) use error::{InputError, Malformed};
pub(crate) use merge::{Inputs, Tally};
