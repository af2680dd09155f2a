//! The `detect` processor, evaluated: one as the user set it up, timed, and one beside it that says every score.
//!
//! Saying every score costs several times as much as finding it, so the time that the other one takes would say little.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use component::{BuildError, Context, Output, ProcessError, Processor, ProcessorFactory};
use config::{Node, Section, Value};
use pdata::{Batch, Timestamp};
use processors::{detect, drain, log_classify};

/// A tick that takes less had nothing to do. In a replay of one slow series there are more ticks than points, which says nothing
/// about a pipeline with thousands of series.
const IDLE: Duration = Duration::from_micros(2);

/// The processors that there are.
pub(super) const FACTORIES: &[ProcessorFactory] =
    &[drain::FACTORY, log_classify::FACTORY, ProcessorFactory { create, ..detect::FACTORY }];

/// The time that detection took; the command offers it as a handle.
#[derive(Debug, Default)]
pub(super) struct Clocked {
    nanos: AtomicU64,
}

impl Clocked {
    /// In nanoseconds.
    pub(super) fn nanos(&self) -> u64 {
        self.nanos.load(Ordering::Relaxed)
    }
}

fn create(section: &Section, context: &Context) -> Result<Box<dyn Processor>, BuildError> {
    let clocked = context.handles.get::<Clocked>();
    Ok(Box::new(Measured {
        timed: (detect::FACTORY.create)(&emitting(section, false), context)?,
        scoring: (detect::FACTORY.create)(&emitting(section, true), context)?,
        clocked: clocked.ok_or_else(|| BuildError::other("only the command that has it can use it"))?,
    }))
}

/// The section, with every score said or none.
fn emitting(section: &Section, scores: bool) -> Section {
    let mut section = section.clone();
    let location = section.location.clone();
    let scores = Node::new(Value::Bool(scores), location.clone());
    // Pictures are of single series, also where metrics are judged together.
    let keys = ["emit_scores", "emit_series_scores"];
    if section.node.value == Value::Null {
        section.node = Node::new(Value::Map(Default::default()), location.clone());
    }
    if let Value::Map(map) = &mut section.node.value {
        for key in keys {
            map.insert(key.to_owned(), (location.clone(), scores.clone()));
        }
    }
    section
}

struct Measured {
    timed: Box<dyn Processor>,
    scoring: Box<dyn Processor>,
    clocked: Arc<Clocked>,
}

impl Measured {
    /// Lets the timed one do something, and forgets what comes out. It counts if it takes at least so long.
    fn time(&mut self, least: Duration, what: impl FnOnce(&mut dyn Processor, &mut Output)) {
        let mut output = Output::default();
        let began = Instant::now();
        what(&mut *self.timed, &mut output);
        let took = began.elapsed();
        if took >= least {
            self.clocked
                .nanos
                .fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }
}

impl Processor for Measured {
    fn process(&mut self, batch: Batch, output: &mut Output) -> Result<(), ProcessError> {
        let copy = batch.clone();
        self.time(Duration::ZERO, |timed, output| {
            // The other one says what is wrong.
            let _ = timed.process(copy, output);
        });
        self.scoring.process(batch, output)
    }

    fn tick(&mut self, now: Timestamp, output: &mut Output) {
        self.time(IDLE, |timed, output| timed.tick(now, output));
        self.scoring.tick(now, output);
    }

    fn flush(&mut self, now: Timestamp, output: &mut Output) {
        self.scoring.flush(now, output);
    }
}
