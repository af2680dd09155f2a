//! One input: opened, decompressed, and cut into records.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;
use pdata::{Batch, Signal, Timestamp, event};

use super::error::{InputError, Malformed, Place, Reason};
use super::extent::extent;
use super::record::{self, LONGEST};

const BUFFER: usize = 128 << 10;
/// How much a line buffer may keep after a long line.
const KEPT: usize = 4 << 20;
/// zstd's `--long`: the largest window that the command line tool reads without being told to.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A record that was read.
#[derive(Debug)]
pub(super) struct Record {
    /// The time of its earliest item.
    pub(super) time: Timestamp,
    /// The time of its latest item.
    pub(super) until: Timestamp,
    /// What it holds: telemetry, and events if some log records stand for such.
    pub(super) batches: Vec<Batch>,
}

/// An open input.
pub(super) struct Source {
    name: Arc<str>,
    reader: Box<dyn BufRead + Send>,
    framed: bool,
    /// The line in hand.
    line: Vec<u8>,
    /// Lines or frames read so far.
    number: u64,
    /// Bytes read since they were last asked for.
    bytes: u64,
    /// The time of the record before, for those that have none.
    time: Timestamp,
    /// The signal of the record before.
    signal: Signal,
}

enum Cut {
    End,
    Blank,
    Whole,
    TooLong,
    /// The input ends within a frame, or a frame cannot be right: there is no way to go on.
    Broken(Reason),
}

impl Source {
    /// Opens a file, or standard input for `-`.
    pub(super) fn open(path: &Path) -> Result<Self, InputError> {
        let name = path.to_string_lossy();
        let failed = |source| InputError::Open { path: path.to_owned(), source };
        if path == Path::new("-") {
            return Self::new(&name, BufReader::with_capacity(BUFFER, io::stdin())).map_err(failed);
        }
        let file = File::open(path).map_err(failed)?;
        Self::new(&name, BufReader::with_capacity(BUFFER, file)).map_err(failed)
    }

    /// Reads from `reader`; `name` is for messages.
    pub(super) fn new(name: &str, reader: impl BufRead + Send + 'static) -> io::Result<Self> {
        let (head, mut reader) = peek(decompressed(reader)?)?;
        // No line begins with a control character, and no frame is so long that its length begins with another one.
        let framed = matches!(head, [0..0x08, ..] | [0x08, 0, 0, 0]);
        if head.starts_with(BYTE_ORDER_MARK) {
            reader.consume(BYTE_ORDER_MARK.len());
        }
        Ok(Self {
            name: name.into(),
            reader: Box::new(reader),
            framed,
            line: Vec::new(),
            number: 0,
            bytes: 0,
            time: Timestamp::default(),
            signal: Signal::Traces,
        })
    }

    /// The next record; nothing at the end.
    pub(super) fn next(&mut self) -> Result<Option<Result<Record, Malformed>>, InputError> {
        loop {
            let cut = if self.framed { self.cut_frame() } else { self.cut_line() };
            let cut = cut.map_err(|source| InputError::Read { place: self.place(), source })?;
            let batch = match cut {
                Cut::End => return Ok(None),
                Cut::Blank => continue,
                Cut::Whole if self.framed => record::frame(std::mem::take(&mut self.line), self.signal),
                Cut::Whole => record::line(&self.line),
                Cut::TooLong => Err(Reason::TooLong),
                Cut::Broken(reason) => {
                    self.reader = Box::new(io::empty());
                    Err(reason)
                }
            };
            let place = self.place();
            return Ok(Some(
                batch.map(|batch| self.record(batch)).map_err(|reason| Malformed { place, reason }),
            ));
        }
    }

    /// How many bytes were read since the last call, decompressed.
    pub(super) const fn take_bytes(&mut self) -> u64 {
        std::mem::replace(&mut self.bytes, 0)
    }

    /// Its name, as it was given.
    pub(super) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn place(&self) -> Place {
        Place { input: Arc::clone(&self.name), number: self.number }
    }

    fn record(&mut self, batch: Batch) -> Record {
        let (time, until) = extent(&batch).unwrap_or((self.time, self.time));
        self.time = time;
        self.signal = batch.signal();
        let batches = match batch {
            Batch::Logs(logs) if logs.may_hold_events() => {
                let (events, rest) = event::from_logs(logs);
                let events = (!events.is_empty()).then(|| Batch::events(events));
                events.into_iter().chain(rest.map(Batch::Logs)).collect()
            }
            batch => vec![batch],
        };
        Record { time, until, batches }
    }

    fn cut_line(&mut self) -> io::Result<Cut> {
        self.line.clear();
        self.line.shrink_to(KEPT);
        self.number += 1;
        let n = self.reader.by_ref().take(LONGEST as u64 + 1).read_until(b'\n', &mut self.line)?;
        self.bytes += n as u64;
        if n == 0 {
            return Ok(Cut::End);
        }
        if n > LONGEST && self.line.last() != Some(&b'\n') {
            self.bytes += self.reader.skip_until(b'\n')? as u64;
            return Ok(Cut::TooLong);
        }
        Ok(if self.line.trim_ascii().is_empty() { Cut::Blank } else { Cut::Whole })
    }

    fn cut_frame(&mut self) -> io::Result<Cut> {
        self.line.clear();
        self.number += 1;
        match self.reader.by_ref().take(4).read_to_end(&mut self.line)? {
            0 => return Ok(Cut::End),
            4 => {}
            _ => return Ok(Cut::Broken(Reason::Cut)),
        }
        let len = self.line.iter().fold(0, |len, byte| len << 8 | usize::from(*byte));
        if len > LONGEST {
            return Ok(Cut::Broken(Reason::TooLong));
        }
        self.line.clear();
        let n = self.reader.by_ref().take(len as u64).read_to_end(&mut self.line)?;
        self.bytes += 4 + n as u64;
        Ok(if n == len { Cut::Whole } else { Cut::Broken(Reason::Cut) })
    }
}

fn decompressed(reader: impl BufRead + Send + 'static) -> io::Result<Box<dyn BufRead + Send>> {
    let (head, reader) = peek(reader)?;
    Ok(match head {
        [0x1f, 0x8b, ..] => Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(reader))),
        [0x28, 0xb5, 0x2f, 0xfd] => {
            let mut decoder = zstd::Decoder::with_buffer(reader)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(BufReader::with_capacity(BUFFER, decoder))
        }
        _ => Box::new(reader),
    })
}

/// The first four bytes, ends of lines standing for those that are not there, and a reader that still has them.
fn peek<R: BufRead>(mut reader: R) -> io::Result<([u8; 4], impl BufRead + use<R>)> {
    let mut read = Vec::with_capacity(4);
    reader.by_ref().take(4).read_to_end(&mut read)?;
    let mut head = [b'\n'; 4];
    head.iter_mut().zip(&read).for_each(|(to, from)| *to = *from);
    Ok((head, Cursor::new(read).chain(reader)))
}
