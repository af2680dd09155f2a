//! How a file that exists already ends: with a whole line or frame, or in the middle of one.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;

use serde::de::IgnoredAny;

use super::config::Format;

/// How a file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// More can be added.
    Whole,
    /// The last line is whole, or is none of ours, and lacks its end.
    NeedsNewline,
    /// The last line is one of ours, and lacks a part.
    TornLine {
        /// Where it begins.
        start: u64,
    },
    /// The last frame lacks a part, or these are not frames.
    TornFrame,
}

/// Finds out how `file` ends.
pub(super) fn inspect(file: &File, format: Format) -> io::Result<Tail> {
    let len = file.metadata()?.len();
    match format {
        Format::Json => last_line(file, len),
        Format::Proto => last_frame(file, len),
    }
}

fn last_line(file: &File, len: u64) -> io::Result<Tail> {
    let start = last_newline(file, len)?.map_or(0, |at| at + 1);
    if start == len {
        return Ok(Tail::Whole);
    }
    let mut first = [0];
    file.read_exact_at(&mut first, start)?;
    // What we write begins so; anything else is somebody else's and stays.
    if first != *b"{" {
        return Ok(Tail::NeedsNewline);
    }
    let mut reader = file;
    reader.seek(SeekFrom::Start(start))?;
    match serde_json::from_reader::<_, IgnoredAny>(BufReader::new(reader.take(len - start))) {
        Ok(IgnoredAny) => Ok(Tail::NeedsNewline),
        Err(error) if error.is_io() => Err(error.into()),
        Err(_) => Ok(Tail::TornLine { start }),
    }
}

fn last_newline(file: &File, len: u64) -> io::Result<Option<u64>> {
    const CHUNK: u64 = 64 << 10;
    let mut chunk = Vec::new();
    let mut end = len;
    while end > 0 {
        let start = end.saturating_sub(CHUNK);
        // At most `CHUNK`.
        chunk.resize((end - start) as usize, 0);
        file.read_exact_at(&mut chunk, start)?;
        if let Some(at) = chunk.iter().rposition(|byte| *byte == b'\n') {
            return Ok(Some(start + at as u64));
        }
        end = start;
    }
    Ok(None)
}

fn last_frame(file: &File, len: u64) -> io::Result<Tail> {
    let mut at = 0;
    while at < len {
        let mut length = [0; 4];
        if len - at < length.len() as u64 {
            return Ok(Tail::TornFrame);
        }
        file.read_exact_at(&mut length, at)?;
        at += length.len() as u64 + u64::from(u32::from_be_bytes(length));
    }
    Ok(if at == len { Tail::Whole } else { Tail::TornFrame })
}
