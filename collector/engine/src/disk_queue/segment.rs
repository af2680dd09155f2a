//! The files of a disk queue: numbered segments of checksummed records.
//!
//! A record is `length: u32, crc32: u32, signal: u8, payload`, little endian; length and checksum cover signal and payload. A
//! segment is only appended to. What does not check out at the end of the last segment was being written when the process
//! ended; anywhere else it is damage: the segment's rest is set aside and reading goes on with the next one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use pdata::{Batch, Logs, Metrics, Signal, Traces, event};

const HEADER: usize = 8;
/// A longer record is damage: receivers take nothing of this size.
const LONGEST_RECORD: u32 = 1 << 30;

/// A place in the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) segment: u64,
    pub(super) offset: u64,
}

/// What was found at a place.
pub(super) enum Found {
    /// A record, and the place behind it.
    Record(Batch, Position),
    /// Nothing yet: the place is the end of what was written.
    End,
    /// Damage: nothing of this segment from here on is usable.
    Damaged,
}

/// Encodes a batch as a record.
pub(super) fn encode(batch: &Batch) -> Vec<u8> {
    let payload = match batch {
        Batch::Traces(traces) => traces.bytes().clone(),
        Batch::Metrics(metrics) => metrics.bytes().clone(),
        Batch::Logs(logs) => logs.bytes().clone(),
        Batch::Events(events) => event::to_logs(events).bytes().clone(),
    };
    let mut record = Vec::with_capacity(HEADER + 1 + payload.len());
    record.extend_from_slice(&u32::try_from(payload.len() + 1).unwrap_or(u32::MAX).to_le_bytes());
    record.extend_from_slice(&[0; 4]);
    record.push(batch.signal() as u8);
    record.extend_from_slice(&payload);
    let checksum = crc32fast::hash(&record[HEADER..]).to_le_bytes();
    record[4..HEADER].copy_from_slice(&checksum);
    record
}

fn decode(body: &Bytes) -> Option<Batch> {
    let signal = Signal::ALL.into_iter().find(|signal| body.first() == Some(&(*signal as u8)))?;
    let payload = body.slice(1..);
    Some(match signal {
        Signal::Traces => Traces::from_bytes(payload).ok()?.into(),
        Signal::Metrics => Metrics::from_bytes(payload).ok()?.into(),
        Signal::Logs => Logs::from_bytes(payload).ok()?.into(),
        Signal::Events => Batch::events(event::from_logs(Logs::from_bytes(payload).ok()?).0),
    })
}

/// The path of a segment.
pub(super) fn path(directory: &Path, segment: u64) -> PathBuf {
    directory.join(format!("queue-{segment:016x}.wal"))
}

/// The segments that exist, in order.
pub(super) fn list(directory: &Path) -> io::Result<Vec<u64>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_prefix("queue-")?.strip_suffix(".wal").map(str::to_owned));
        segments.extend(number.and_then(|number| u64::from_str_radix(&number, 16).ok()));
    }
    segments.sort_unstable();
    Ok(segments)
}

/// Opens a segment for appending, creating it if need be.
pub(super) fn append_to(directory: &Path, segment: u64) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path(directory, segment))
}

/// Reads the record at `position` of an open segment.
pub(super) fn read(file: &mut File, position: Position) -> io::Result<Found> {
    file.seek(SeekFrom::Start(position.offset))?;
    let mut header = [0; HEADER];
    match read_up_to(file, &mut header)? {
        0 => return Ok(Found::End),
        HEADER => {}
        _ => return Ok(Found::Damaged),
    }
    let [a, b, c, d, checksum @ ..] = header;
    let length = u32::from_le_bytes([a, b, c, d]);
    if length == 0 || length > LONGEST_RECORD {
        return Ok(Found::Damaged);
    }
    let mut body = vec![0; length as usize];
    if read_up_to(file, &mut body)? < body.len() || crc32fast::hash(&body) != u32::from_le_bytes(checksum) {
        return Ok(Found::Damaged);
    }
    let next = Position { offset: position.offset + (HEADER as u64) + u64::from(length), ..position };
    Ok(decode(&body.into()).map_or(Found::Damaged, |batch| Found::Record(batch, next)))
}

fn read_up_to(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Copies what is damaged in a segment, from `offset` on, into a file of its own, and cuts it off.
pub(super) fn set_aside(directory: &Path, position: Position) -> io::Result<()> {
    let path = path(directory, position.segment);
    let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
    file.seek(SeekFrom::Start(position.offset))?;
    let mut damaged = File::create(path.with_extension(format!("{:x}.corrupt", position.offset)))?;
    io::copy(&mut file, &mut damaged)?;
    file.set_len(position.offset)
}

/// Where the first record is that was not delivered yet, as remembered by [`remember`].
pub(super) fn remembered(directory: &Path) -> io::Result<Option<Position>> {
    let bytes = match fs::read(directory.join("cursor")) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let Ok([segment, offset, checksum]) = <[[u8; 8]; 3]>::try_from(bytes.as_chunks::<8>().0) else {
        return Ok(None);
    };
    let sound = u64::from_le_bytes(checksum) == u64::from(crc32fast::hash(&bytes[..16]));
    let position = Position { segment: u64::from_le_bytes(segment), offset: u64::from_le_bytes(offset) };
    Ok(sound.then_some(position))
}

/// Remembers where the first record is that was not delivered yet.
pub(super) fn remember(directory: &Path, position: Position) -> io::Result<()> {
    let mut bytes = [0; 24];
    bytes[..8].copy_from_slice(&position.segment.to_le_bytes());
    bytes[8..16].copy_from_slice(&position.offset.to_le_bytes());
    let checksum = u64::from(crc32fast::hash(&bytes[..16]));
    bytes[16..].copy_from_slice(&checksum.to_le_bytes());
    let new = directory.join("cursor.new");
    File::create(&new)?.write_all(&bytes)?;
    fs::rename(new, directory.join("cursor"))
}
