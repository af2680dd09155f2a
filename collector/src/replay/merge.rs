//! All inputs as one, in the order of time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::Recorded;
use pdata::Timestamp;

use super::error::{InputError, Malformed, Reason};
use super::names;
use super::options::{Form, Options};
use super::paths::{self, Input};
use super::source::{Counts, Record, Source};

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Inputs with something in them.
    pub(crate) inputs: usize,
    /// Files in directories that hold something else.
    pub(crate) left_out: Vec<Arc<str>>,
    /// What was read from all of them.
    pub(crate) counts: Counts,
    /// Malformed lines and frames.
    pub(crate) malformed: u64,
}

/// The inputs, merged: the record that is next is always the earliest among each input's next one, the first input's if
/// several are as early. Within an input the order is kept.
pub(crate) struct Inputs {
    sources: Vec<Open>,
    order: BinaryHeap<Reverse<(Timestamp, usize)>>,
    /// Batches of the record that was taken last.
    ready: VecDeque<Recorded>,
    tally: Tally,
    options: Options,
    /// Why reading ended; handed on after what was read before.
    failed: Option<InputError>,
    report: Box<dyn FnMut(&Malformed) + Send>,
}

struct Open {
    /// Nothing once it has ended.
    source: Option<Source>,
    next: Option<Record>,
}

impl Inputs {
    /// Opens the inputs that `paths` name. Malformed records go to `report`; if that is asked for, the first one is an error.
    ///
    /// # Errors
    /// If one cannot be opened or its beginning cannot be read.
    pub(crate) fn open(
        paths: &[PathBuf],
        options: &Options,
        report: impl FnMut(&Malformed) + Send + 'static,
    ) -> Result<Self, InputError> {
        let mut inputs = Self {
            sources: Vec::new(),
            order: BinaryHeap::new(),
            ready: VecDeque::new(),
            tally: Tally::default(),
            options: options.clone(),
            failed: None,
            report: Box::new(report),
        };
        for input in paths::expand(paths)? {
            inputs.add(&input)?;
        }
        match paths.first() {
            Some(path) if inputs.sources.is_empty() => Err(InputError::Empty { path: path.clone() }),
            _ => Ok(inputs),
        }
    }

    /// What was read so far.
    pub(crate) fn tally(&self) -> Tally {
        Tally { inputs: self.sources.len(), ..self.tally.clone() }
    }

    fn add(&mut self, input: &Input) -> Result<(), InputError> {
        let mut source = Source::open(&input.path, &self.options)?;
        let first = source.next()?;
        if input.found && !self.is_wanted(&input.path, &source, first.as_ref()) {
            self.tally.left_out.extend(first.is_some().then(|| Arc::clone(source.name())));
            return Ok(());
        }
        let index = self.sources.len();
        self.sources.push(Open { source: Some(source), next: None });
        self.take(index, first)
    }

    /// Whether a file in a directory is an input: a README, labels, anything may be there, too.
    fn is_wanted(&self, path: &Path, source: &Source, first: Option<&Result<Record, Malformed>>) -> bool {
        match first {
            Some(Ok(_)) if source.is_text() => {
                let form = self.options.form;
                form == Form::Text || !source.looks_binary() && (self.options.any_text || names::is_log(path))
            }
            Some(Ok(_) | Err(Malformed { reason: Reason::Decode(_), .. })) => true,
            _ => false,
        }
    }

    /// Reads on in an input until it has a good record or ends.
    fn advance(&mut self, index: usize) -> Result<(), InputError> {
        let Some(source) = self.sources.get_mut(index).and_then(|open| open.source.as_mut()) else {
            return Ok(());
        };
        let read = source.next()?;
        self.take(index, read)
    }

    fn take(&mut self, index: usize, mut read: Option<Result<Record, Malformed>>) -> Result<(), InputError> {
        let Some(open) = self.sources.get_mut(index) else { return Ok(()) };
        loop {
            let counts = open.source.as_mut().map(Source::take_counts).unwrap_or_default();
            self.tally.counts.add(&counts);
            match read {
                None => {
                    open.source = None;
                    return Ok(());
                }
                Some(Ok(record)) => {
                    self.order.push(Reverse((record.time, index)));
                    open.next = Some(record);
                    return Ok(());
                }
                Some(Err(malformed)) => {
                    self.tally.malformed += 1;
                    if self.options.strict {
                        return Err(malformed.into());
                    }
                    (self.report)(&malformed);
                    let Some(source) = &mut open.source else { return Ok(()) };
                    read = source.next()?;
                }
            }
        }
    }
}

impl Iterator for Inputs {
    type Item = Result<Recorded, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(recorded) = self.ready.pop_front() {
                return Some(Ok(recorded));
            }
            let Some(Reverse((_, index))) = self.order.pop() else {
                return self.failed.take().map(Err);
            };
            let record = self.sources.get_mut(index).and_then(|open| open.next.take());
            if let Some(Record { time, until, batches }) = record {
                self.ready.extend(batches.into_iter().map(|batch| Recorded { time, until, batch }));
            }
            if let Err(error) = self.advance(index)
                // What is compressed does not end well in the middle.
                && !self.options.stop.is_stopped()
            {
                // What was read before is still good, but the merge cannot go on without this input.
                self.order.clear();
                self.failed = Some(error);
            }
        }
    }
}
