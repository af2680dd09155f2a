//! Streams of lines: what each line says about itself, and which lines are one record.
//!
//! A record is a line if its body is a text and its sender did not give it both a time and a severity. Records of one
//! resource, file, output and container are a stream.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use analysis::logs::format::{Format, Lifted, Sniffer};
use analysis::logs::join::{Decision, Joiner, Limits, Line};
use foldhash::fast::FixedState;
use pdata::view::{AnyValueView, Attributes, LogRecordView, ResourceView};
use pdata::{Logs, Timestamp};

use super::keys::Keys;

/// How many streams are remembered; when there are more, those that were quiet for longest are forgotten.
const MAX_STREAMS: usize = 10_000;
/// So many records of a batch are held back at most.
const MAX_OPEN: usize = 64;
/// What is known about every stream.
pub(super) struct Streams {
    /// What the joiners of new streams have. Without joining every line is a record.
    limits: Limits,
    /// Whether incomplete records may wait for the next batch.
    may_wait: bool,
    streams: HashMap<u64, Stream, FixedState>,
    /// Resources that have streams. Most never send a line, and their records are not looked at any further.
    resources: HashSet<u64, FixedState>,
    /// Counts batches, so that it is known which streams are quiet.
    round: u64,
}

struct Stream {
    sniffer: Sniffer,
    joiner: Joiner,
    round: u64,
}

/// What a batch's records are.
#[derive(Default)]
pub(super) struct Reading<'a> {
    /// One for each record; none at all if no record is a line.
    roles: Vec<Role>,
    /// Those that are made of lines.
    pub(super) records: Vec<Record<'a>>,
}

/// What a record of the batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A record as it came.
    Whole,
    /// The first line of one that is made of lines: its number.
    Head(usize),
    /// A further line of that one.
    Part(usize),
}

/// What the record of a first line knew before the line was read. Kept so that no record must be read twice.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) has_time: bool,
    pub(super) has_severity: bool,
    pub(super) has_trace: bool,
    pub(super) has_span: bool,
    pub(super) attributes: Attributes<'a>,
}

impl<'a> Known<'a> {
    fn of(record: LogRecordView<'a>) -> Self {
        Self {
            has_time: !record.time().is_unknown(),
            has_severity: record.severity_number() != 0 || !record.severity_text().is_empty(),
            has_trace: !record.trace_id().is_empty(),
            has_span: !record.span_id().is_empty(),
            attributes: record.attributes(),
        }
    }
}

/// A record that is made of one line or several.
pub(super) struct Record<'a> {
    pub(super) known: Known<'a>,
    /// What the first line says about itself.
    pub(super) lifted: Lifted<'a>,
    /// The first line.
    pub(super) head: &'a str,
    /// All lines, if there are several.
    joined: Option<String>,
    /// Whether `lifted` is of all lines.
    is_whole: bool,
    pub(super) stream: u64,
    pub(super) n_lines: usize,
    /// Whether more lines may come in the next batch.
    pub(super) is_open: bool,
}

/// Lines of a stream that were held back: they are the first records of the batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Earlier {
    pub(super) stream: u64,
    pub(super) n_lines: usize,
}

impl Streams {
    pub(super) fn new(limits: Option<Limits>) -> Self {
        // Within a batch no time passes.
        let least = Duration::from_nanos(1);
        Self {
            limits: limits.map_or(Limits { lines: 1, ..Limits::default() }, |limits| Limits {
                wait: limits.wait.max(least),
                ..limits
            }),
            may_wait: limits.is_some_and(|limits| !limits.wait.is_zero()),
            streams: HashMap::default(),
            resources: HashSet::default(),
            round: 0,
        }
    }

    /// Reads a batch, which begins with what was held back of `earlier` batches. Every record is complete with it, unless it
    /// `may_go_on`.
    pub(super) fn read<'a>(
        &mut self,
        logs: &'a Logs,
        earlier: &[Earlier],
        may_go_on: bool,
        now: Timestamp,
    ) -> Reading<'a> {
        self.round += 1;
        let mut reading = Reading::default();
        let mut keys = Keys::default();
        let mut noted = None;
        // The record that each stream's next line may belong to.
        let mut open: HashMap<u64, usize, FixedState> = HashMap::default();
        let mut earlier = earlier.iter().flat_map(|it| (0..it.n_lines).map(move |n| (it.stream, n)));
        // Faster than a loop, which moves every record twice.
        logs.view().items().enumerate().for_each(|(at, (resource, _, record))| {
            let earlier = earlier.next();
            let Some(text) = line(record) else {
                self.pass(&mut keys, resource, record, &mut open);
                return reading.push_whole(at);
            };
            let key = match earlier {
                Some((key, _)) => key,
                None => keys.of(resource, record),
            };
            let of = keys.resource(resource);
            if noted != Some(of) {
                noted = Some(of);
                self.resources.insert(of);
                reading.reserve(logs.items() - at);
            }
            let observed = if record.observed_time().is_unknown() { now } else { record.observed_time() };
            let before = open.get(&key).copied();
            let stream = self.stream(key);
            let lifted = stream.sniffer.lift(text, observed);
            let continues = match (earlier, before) {
                (Some((_, n)), _) => n > 0,
                (None, before) => stream.continues(text, &lifted, now) && before.is_some(),
            };
            match before.filter(|_| continues) {
                Some(number) => reading.push_part(at, number, text),
                None => {
                    open.insert(key, reading.push_head(at, key, Known::of(record), text, lifted));
                }
            }
        });
        self.finish(&mut reading, &open, may_go_on, now);
        self.forget();
        reading
    }

    /// The streams of a batch's lines.
    pub(super) fn keys(logs: &Logs) -> HashSet<u64, FixedState> {
        let mut keys = Keys::default();
        logs.view().items().map(|(resource, _, record)| keys.of(resource, record)).collect()
    }

    /// How many streams are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.streams.len()
    }

    /// Whether no stream is remembered.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Nothing more belongs to what a stream said last.
    pub(super) fn close(&mut self, stream: u64) {
        if let Some(stream) = self.streams.get_mut(&stream) {
            stream.joiner.close();
        }
    }

    /// Whether what a stream said last has waited for more for as long as it may.
    pub(super) fn is_due(&self, stream: u64, now: Timestamp) -> bool {
        self.streams.get(&stream).is_none_or(|stream| stream.joiner.is_due(now))
    }

    fn stream(&mut self, key: u64) -> &mut Stream {
        let (limits, round) = (self.limits, self.round);
        let stream = self.streams.entry(key).or_insert_with(|| Stream {
            sniffer: Sniffer::default(),
            joiner: Joiner::new(limits),
            round,
        });
        stream.round = round;
        stream
    }

    /// A record that is none of our lines: nothing after it belongs to what was before it.
    fn pass<'a>(
        &mut self,
        keys: &mut Keys<'a>,
        resource: ResourceView<'_>,
        record: LogRecordView<'a>,
        open: &mut HashMap<u64, usize, FixedState>,
    ) {
        if self.resources.is_empty() || !self.resources.contains(&keys.resource(resource)) {
            return;
        }
        let key = keys.of(resource, record);
        self.close(key);
        open.remove(&key);
    }

    /// Notes which records may go on, and reads again what is complete only now.
    fn finish(
        &mut self,
        reading: &mut Reading<'_>,
        open: &HashMap<u64, usize, FixedState>,
        may_go_on: bool,
        now: Timestamp,
    ) {
        let may_go_on = may_go_on && self.may_wait;
        let mut n_open = 0;
        // In the order of the records, so that the same batch always comes apart in the same way.
        for (number, record) in reading.records.iter_mut().enumerate() {
            if open.get(&record.stream) != Some(&number) {
                continue;
            }
            let Some(stream) = self.streams.get_mut(&record.stream) else { continue };
            let goes_on =
                may_go_on && n_open < MAX_OPEN && stream.joiner.is_open() && !stream.joiner.is_due(now);
            if goes_on {
                record.is_open = true;
                n_open += 1;
            } else {
                stream.joiner.close();
            }
        }
        for record in &mut reading.records {
            record.read_again(now);
        }
    }

    fn forget(&mut self) {
        if self.streams.len() <= MAX_STREAMS {
            return;
        }
        let mut rounds: Vec<u64> = self.streams.values().map(|stream| stream.round).collect();
        let middle = rounds.len() / 2;
        let (_, median, _) = rounds.select_nth_unstable(middle);
        let median = *median;
        self.streams.retain(|_, stream| stream.round > median);
        // A resource that is not known to have streams is looked at again with its next line.
        self.resources.clear();
    }
}

impl Stream {
    fn continues(&mut self, text: &str, lifted: &Lifted<'_>, now: Timestamp) -> bool {
        let has_severity = lifted.severity.is_some();
        let line = Line {
            text,
            is_dated: has_severity && lifted.time.is_some(),
            has_time: lifted.time.is_some() || (has_severity && lifted.format != Format::Plain),
            severity: lifted.severity.as_ref().map_or(0, |severity| severity.number),
        };
        self.joiner.push(line, now) == Decision::Continue
    }
}

/// The text of a record that is a line.
fn line<'a>(record: LogRecordView<'a>) -> Option<&'a str> {
    let is_complete = record.severity_number() != 0 && !record.time().is_unknown();
    match record.body() {
        AnyValueView::Str(text) if !is_complete && record.event_name().is_empty() => Some(text),
        _ => None,
    }
}

impl<'a> Reading<'a> {
    /// What the records are, if all `n` of them are lines.
    pub(super) fn lines(&self, n: usize) -> Option<&[Role]> {
        (self.roles.len() == n && !self.roles.contains(&Role::Whole)).then_some(&self.roles)
    }

    /// What the record at `at` is.
    pub(super) fn role(&self, at: usize) -> Role {
        self.roles.get(at).copied().unwrap_or(Role::Whole)
    }

    /// The lines of a record, if it is made of lines.
    pub(super) fn record(&self, role: Role) -> Option<&Record<'a>> {
        match role {
            Role::Whole => None,
            Role::Head(number) | Role::Part(number) => self.records.get(number),
        }
    }

    /// Whether a record is held back.
    pub(super) fn is_held(&self, role: Role) -> bool {
        match role {
            Role::Whole => false,
            Role::Head(number) | Role::Part(number) => {
                self.records.get(number).is_some_and(|record| record.is_open)
            }
        }
    }

    /// Whether any is.
    pub(super) fn holds_any(&self) -> bool {
        self.records.iter().any(|record| record.is_open)
    }

    /// Makes room for so many lines: records are large, and moving them would cost more than reading the lines.
    fn reserve(&mut self, n: usize) {
        self.roles.reserve(n);
        self.records.reserve(n);
    }

    fn push_whole(&mut self, at: usize) {
        if !self.roles.is_empty() {
            self.roles.resize(at, Role::Whole);
            self.roles.push(Role::Whole);
        }
    }

    fn push_head(
        &mut self,
        at: usize,
        stream: u64,
        known: Known<'a>,
        head: &'a str,
        lifted: Lifted<'a>,
    ) -> usize {
        let number = self.records.len();
        self.roles.resize(at, Role::Whole);
        self.roles.push(Role::Head(number));
        self.records.push(Record {
            known,
            lifted,
            head,
            joined: None,
            is_whole: false,
            stream,
            n_lines: 1,
            is_open: false,
        });
        number
    }

    fn push_part(&mut self, at: usize, number: usize, text: &str) {
        self.roles.resize(at, Role::Whole);
        self.roles.push(Role::Part(number));
        if let Some(record) = self.records.get_mut(number) {
            let joined = record.joined.get_or_insert_with(|| record.head.to_owned());
            joined.push('\n');
            joined.push_str(text);
            record.n_lines += 1;
        }
    }
}

impl Record<'_> {
    /// All of it.
    pub(super) fn text(&self) -> &str {
        self.joined.as_deref().unwrap_or(self.head)
    }

    /// Whether it has several lines.
    pub(super) const fn is_joined(&self) -> bool {
        self.joined.is_some()
    }

    /// The lines behind those that `lifted` is of.
    pub(super) fn after(&self) -> &str {
        if self.is_whole {
            return "";
        }
        self.joined.as_deref().and_then(|joined| joined.get(self.head.len() + 1..)).unwrap_or_default()
    }

    /// An object over several lines says what it is only as a whole.
    fn read_again(&mut self, now: Timestamp) {
        if let Some(joined) = &self.joined
            && joined.starts_with('{')
        {
            let lifted = Sniffer::default().lift(joined, now);
            if lifted.format == Format::Json {
                self.lifted = lifted.into_owned();
                self.is_whole = true;
            }
        }
    }
}
