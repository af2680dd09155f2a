//! One input: opened, decompressed, told what it holds, and cut into records.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use component::Clock;
use flate2::bufread::MultiGzDecoder;
use pdata::{Batch, Signal, Timestamp, event};

use super::error::{InputError, Malformed, Place, Reason};
use super::extent::extent;
use super::names;
use super::options::{Form, Options};
use super::record::{self, LONGEST};
use super::stop::Stoppable;
use super::table::{Table, TableError};
use super::text::{LONGEST_LINE, Text};

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

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Lines and frames, good ones and malformed ones, without blank lines.
    pub(crate) records: u64,
    /// Lines of text among them.
    pub(crate) text: u64,
    /// Lines with nothing in them.
    pub(crate) blank: u64,
    /// Lines of text that were too long, of which only the beginning was read.
    pub(crate) cut: u64,
    /// Lines of text that were not UTF-8; what was not is replaced.
    pub(crate) replaced: u64,
    /// Bytes, after decompression.
    pub(crate) bytes: u64,
}

impl Counts {
    /// Adds what was read elsewhere.
    pub(super) const fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.text += other.text;
        self.blank += other.blank;
        self.cut += other.cut;
        self.replaced += other.replaced;
        self.bytes += other.bytes;
    }
}

/// What an input holds.
enum Contents {
    /// A request, a batch or an event on every line.
    Lines,
    /// OTLP in frames.
    Frames,
    /// A table of numbers.
    Table(Box<Table>),
    /// Lines that people read.
    Text(Box<Text>),
}

/// An open input.
pub(super) struct Source {
    name: Arc<str>,
    reader: Box<dyn BufRead + Send>,
    contents: Contents,
    /// Whether the first line has bytes that no text has.
    binary: bool,
    /// The line in hand.
    line: Vec<u8>,
    /// A line that was read to see what the input holds, and is to be read again.
    held: Option<Cut>,
    /// Lines or frames read so far.
    number: u64,
    /// What was read since somebody last asked.
    counts: Counts,
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
    pub(super) fn open(path: &Path, options: &Options) -> Result<Self, InputError> {
        let failed = |source| InputError::Open { path: path.to_owned(), source };
        if path == Path::new("-") {
            let text = || Text::new(path, Clock::system().now(), options);
            // Not through the standard library's buffer, of which nobody could say whether there is something in it.
            let stdin = io::stdin().as_fd().try_clone_to_owned().map_err(failed)?;
            let stdin = Stoppable::new(stdin.into(), options.stop.clone());
            let reader = BufReader::with_capacity(BUFFER, stdin);
            let source = Self::new("-", reader, options.form, text).map_err(failed)?;
            return Ok(source.with_table(options.form, path, options));
        }
        let file = File::open(path).map_err(failed)?;
        let written = file.metadata().and_then(|metadata| metadata.modified());
        let written = written.ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        let text = || Text::new(path, Timestamp::default() + written, options);
        let reader = BufReader::with_capacity(BUFFER, Stoppable::new(file, options.stop.clone()));
        let is_table = options.form == Form::Auto && !options.any_text && names::is_table(path);
        let form = if is_table { Form::Csv } else { options.form };
        let source = Self::new(&path.to_string_lossy(), reader, form, text).map_err(failed)?;
        Ok(source.with_table(form, path, options))
    }

    /// Reads from `reader`; `name` is for messages, and `text` is for lines of text.
    pub(super) fn new(
        name: &str,
        reader: impl BufRead + Send + 'static,
        form: Form,
        text: impl FnOnce() -> Text,
    ) -> io::Result<Self> {
        let (head, mut reader) = peek(decompressed(reader)?)?;
        // No line begins with a control character, and no frame is so long that its length begins with another one. Nor is
        // a frame empty: what begins with zeros is a log file that was truncated while it was written to.
        let framed = matches!(head, [0..0x08, ..] | [0x08, 0, 0, 0]) && head != [0; 4];
        if head.starts_with(BYTE_ORDER_MARK) {
            reader.consume(BYTE_ORDER_MARK.len());
        }
        let mut source = Self {
            name: name.into(),
            reader: Box::new(reader),
            contents: Contents::Lines,
            binary: false,
            line: Vec::new(),
            held: None,
            number: 0,
            counts: Counts::default(),
            time: Timestamp::default(),
            signal: Signal::Traces,
        };
        if framed && !matches!(form, Form::Text | Form::Csv) {
            source.contents = Contents::Frames;
        } else if form == Form::Text || (form == Form::Auto && !source.begins_like_telemetry()?) {
            source.contents = Contents::Text(Box::new(text()));
        }
        Ok(source)
    }

    /// Reads its lines as those of a table, if they are.
    fn with_table(mut self, form: Form, path: &Path, options: &Options) -> Self {
        if form == Form::Csv {
            self.contents = Contents::Table(Box::new(Table::new(path, options)));
        }
        self
    }

    /// Whether these are lines of text.
    pub(super) const fn is_text(&self) -> bool {
        matches!(self.contents, Contents::Text(_))
    }

    /// Whether it does not look like text.
    pub(super) const fn looks_binary(&self) -> bool {
        self.binary
    }

    /// The next record; nothing at the end.
    pub(super) fn next(&mut self) -> Result<Option<Result<Record, Malformed>>, InputError> {
        let read = match self.contents {
            Contents::Text(_) => self.batch_of_lines().map(|batch| batch.map(Ok)),
            Contents::Table(_) => self.row(),
            Contents::Lines | Contents::Frames => self.telemetry(),
        };
        read.map_err(|source| InputError::Read { place: self.place(), source })
    }

    fn telemetry(&mut self) -> io::Result<Option<Result<Record, Malformed>>> {
        loop {
            let framed = matches!(self.contents, Contents::Frames);
            let cut = match self.held.take() {
                Some(held) => held,
                None if framed => self.cut_frame()?,
                None => self.cut_line(LONGEST)?,
            };
            let batch = match cut {
                Cut::End => return Ok(None),
                Cut::Blank => continue,
                Cut::Whole if framed => record::frame(std::mem::take(&mut self.line), self.signal),
                Cut::Whole => record::line(&self.line),
                Cut::TooLong => Err(Reason::TooLong),
                Cut::Broken(reason) => {
                    self.reader = Box::new(io::empty());
                    Err(reason)
                }
            };
            self.counts.records += 1;
            let place = self.place();
            return Ok(Some(
                batch.map(|batch| self.record(batch)).map_err(|reason| Malformed { place, reason }),
            ));
        }
    }

    fn row(&mut self) -> io::Result<Option<Result<Record, Malformed>>> {
        loop {
            let cut = self.cut_line(LONGEST_LINE)?;
            let Contents::Table(table) = &mut self.contents else { return Ok(None) };
            let row = match cut {
                Cut::End => return Ok(None),
                Cut::Blank => {
                    self.counts.blank += 1;
                    continue;
                }
                Cut::TooLong => Err(Reason::Table(TableError::too_long())),
                Cut::Broken(reason) => Err(reason),
                Cut::Whole => table.line(&self.line).map_err(Reason::Table),
            };
            if !table.has_header() {
                // Nobody knows what is in the other lines.
                self.reader = Box::new(io::empty());
            }
            let place = self.place();
            match row {
                Ok(None) => {}
                Ok(Some(record)) => {
                    self.counts.records += 1;
                    return Ok(Some(Ok(record)));
                }
                Err(reason) => {
                    self.counts.records += 1;
                    let column = if let Reason::Table(error) = &reason { Some(error.column) } else { None };
                    return Ok(Some(Err(Malformed { place: Place { column, ..place }, reason })));
                }
            }
        }
    }

    fn batch_of_lines(&mut self) -> io::Result<Option<Record>> {
        loop {
            if let Contents::Text(text) = &mut self.contents
                && text.is_full()
            {
                return Ok(text.take());
            }
            let cut = match self.held.take() {
                Some(held) => held,
                None => self.cut_line(LONGEST_LINE)?,
            };
            let Contents::Text(text) = &mut self.contents else { return Ok(None) };
            match cut {
                Cut::End => return Ok(text.take()),
                Cut::Blank => {
                    self.counts.blank += 1;
                    continue;
                }
                Cut::Whole | Cut::TooLong | Cut::Broken(_) => {}
            }
            let mut line = self.line.as_slice();
            line = line.strip_suffix(b"\n").unwrap_or(line);
            line = line.strip_suffix(b"\r").unwrap_or(line);
            line = without_hole(line);
            if line.len() > LONGEST_LINE || matches!(cut, Cut::TooLong) {
                self.counts.cut += 1;
                line = line.get(..floor_char(line, LONGEST_LINE)).unwrap_or(line);
            }
            self.counts.records += 1;
            self.counts.text += 1;
            self.counts.replaced += u64::from(!text.push(line));
        }
    }

    /// Reads the first line that is not blank, which is then read again.
    fn begins_like_telemetry(&mut self) -> io::Result<bool> {
        let cut = loop {
            match self.cut_line(LONGEST)? {
                Cut::Blank => self.counts.blank += 1,
                cut => break cut,
            }
        };
        let begins_so = match cut {
            Cut::End => true,
            Cut::Whole => record::is_telemetry(&self.line),
            Cut::Blank | Cut::TooLong | Cut::Broken(_) => false,
        };
        self.held = Some(cut);
        self.binary = without_hole(&self.line).contains(&0);
        Ok(begins_so)
    }

    /// What was read since this was last asked.
    pub(super) const fn take_counts(&mut self) -> Counts {
        std::mem::replace(
            &mut self.counts,
            Counts { records: 0, text: 0, blank: 0, cut: 0, replaced: 0, bytes: 0 },
        )
    }

    /// Its name, as it was given.
    pub(super) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn place(&self) -> Place {
        Place { input: Arc::clone(&self.name), number: self.number, column: None }
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

    /// Reads a line with its end; of one that is longer than `longest` only so much.
    fn cut_line(&mut self, longest: usize) -> io::Result<Cut> {
        self.line.clear();
        self.line.shrink_to(KEPT);
        self.number += 1;
        let n = self.reader.by_ref().take(longest as u64 + 1).read_until(b'\n', &mut self.line)?;
        self.counts.bytes += n as u64;
        if n == 0 {
            return Ok(Cut::End);
        }
        if n > longest && self.line.last() != Some(&b'\n') {
            self.counts.bytes += self.reader.skip_until(b'\n')? as u64;
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
        self.counts.bytes += 4 + n as u64;
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

/// The line without the zeros that a file begins with if it is truncated while it is written to.
fn without_hole(line: &[u8]) -> &[u8] {
    let hole = line.iter().take_while(|byte| **byte == 0).count();
    line.get(hole..).unwrap_or_default()
}

/// The last place at or before `at` where a character of UTF-8 begins.
fn floor_char(text: &[u8], at: usize) -> usize {
    if at >= text.len() {
        return text.len();
    }
    let is_inside = |at: &usize| text.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
    // A character has four bytes; what is longer is none.
    (at.saturating_sub(3)..=at).rev().find(|at| !is_inside(at)).unwrap_or(at)
}
