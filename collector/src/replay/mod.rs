//! Reads what was recorded: telemetry, and log files.
//!
//! In: files, directories or standard input that hold OTLP/JSON lines as the collector's file exporter writes them, OTLP in
//! length-prefixed frames, events as lines, tables of numbers (CSV), each column of which becomes a gauge, or lines of text, each of
//! which becomes a log record; plain, gzip or zstd. What an input holds is told by how it begins, a table by its name. Out: batches, merged by time over all inputs. Only one record of each input, or
//! one batch of lines, is in memory at a time, and both have a greatest size.
//!
//! A record that cannot be read is reported with its place and counted, and reading goes on; it ends the reading only if
//! asked to be strict. An input that cannot be opened or read ends it always. Any text can be read: what is not UTF-8 is
//! replaced, and a line that is too long is cut, and both are counted.

mod error;
mod extent;
mod labels;
mod merge;
mod moment;
mod names;
mod options;
mod paths;
mod play;
mod record;
mod source;
mod stop;
mod table;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use error::{InputError, Malformed};
pub(crate) use labels::{Label, Labelled, Labels};
pub(crate) use merge::{Inputs, Tally};
pub(crate) use moment::moment;
pub(crate) use options::{Form, Options};
pub(crate) use play::{Play, Played, play};
pub(crate) use source::Counts;
pub(crate) use stop::Stop;
