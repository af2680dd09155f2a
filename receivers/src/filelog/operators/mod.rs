//! Operators: what happens to a record between its file and the pipeline.
//!
//! In: one [`Entry`] after another. Out: entries, changed, joined or left out. Each operator sends on to the next one, or
//! to a later one by its id; nothing goes back, so nothing goes in circles.

mod build;
mod combine;
pub mod config;
mod container;
pub(super) mod entry;
mod expr;
mod field;
mod map;
mod parse;
mod severity;
#[cfg(test)]
mod tests;
mod time;

use std::collections::HashMap;

use component::Counter;
use pdata::Timestamp;

use self::build::Builder;
use self::combine::{Combiner, Recombine};
use self::config::{OnError, Operator};
use self::container::Container;
use self::entry::{Entry, Origin, Value};
use self::expr::Condition;
use self::field::Field;
use self::parse::{Parser, SeverityFrom, TimeFrom, TraceFrom};
use super::identity::FileId;

/// Why a list of operators is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("operator `{id}`: {problem}")]
pub(super) struct PipelineError {
    id: String,
    problem: BuildError,
}

/// Why an operator is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum BuildError {
    /// A required key is absent.
    #[error("`{0}` is required")]
    Missing(&'static str),
    /// Two keys exclude each other, or a value is out of range.
    #[error("{0}")]
    Conflict(&'static str),
    /// A condition is malformed.
    #[error(transparent)]
    Condition(#[from] expr::ExprError),
    /// A regular expression is malformed.
    #[error("`regex` is not a regular expression: {0}")]
    Regex(#[from] regex::Error),
    /// A time layout is malformed.
    #[error(transparent)]
    Layout(#[from] time::LayoutError),
    /// A severity mapping is malformed.
    #[error(transparent)]
    Mapping(#[from] severity::MappingError),
    /// A field is malformed.
    #[error(transparent)]
    Field(#[from] field::InvalidField),
    /// An output is no later operator.
    #[error("there is no later operator `{0}` to send to")]
    Output(String),
    /// An id is taken twice.
    #[error("another operator has this id")]
    Twice,
}

/// Why an operator cannot deal with an entry.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum OperatorError {
    /// The operator itself is wrong; found when it is built.
    #[error(transparent)]
    Build(BuildError),
    /// A field is not text.
    #[error("`{0}` is not text")]
    NotText(String),
    /// A field is absent.
    #[error("there is no `{0}`")]
    NoValue(String),
    /// The text is not a JSON object.
    #[error("the text is not a JSON object")]
    NotJson,
    /// The text does not match.
    #[error("the text does not match the pattern")]
    NoMatch,
    /// The text is no time of the layout.
    #[error("the text is not a time of this layout")]
    NotTime,
    /// The text is no id.
    #[error("the text is not an id in hexadecimal digits")]
    NotId,
    /// The text is no line of a container's log.
    #[error("the text is not a line of a container's log")]
    NotContainer,
}

/// Operators in a row.
#[derive(Clone, Debug)]
pub(super) struct Pipeline {
    stages: Vec<Stage>,
    errors: Option<Counter>,
}

#[derive(Clone, Debug)]
struct Stage {
    id: String,
    condition: Option<Condition>,
    on_error: OnError,
    /// The stage that comes next.
    next: usize,
    action: Action,
}

#[derive(Clone, Debug)]
enum Action {
    Noop,
    Add { field: Field, value: Value },
    Copy { from: Field, to: Field },
    Move { from: Field, to: Field },
    Remove(Field),
    Filter { condition: Condition, ratio: f64, sum: f64 },
    Route { routes: Vec<(Condition, usize)>, default: Option<usize> },
    Parse(Box<Parser>),
    Time(Box<TimeFrom>),
    Severity(Box<SeverityFrom>),
    Trace(Box<TraceFrom>),
    Container(Box<Container>),
    Recombine(Box<Recombine>),
}

/// Where an entry goes.
enum Flow {
    Next,
    To(usize),
    Gone,
}

impl Pipeline {
    /// Builds the operators; `None` if there are none.
    ///
    /// # Errors
    /// If one of them is wrong.
    pub(super) fn new(operators: &[Operator]) -> Result<Option<Self>, PipelineError> {
        let mut places = HashMap::new();
        for (at, operator) in operators.iter().enumerate() {
            let id = operator.id();
            // Those without an id of their own share their type's, so only the first can be named.
            if places.insert(id.to_owned(), at).is_some() && operator.common().0 == id {
                return Err(PipelineError { id: id.to_owned(), problem: BuildError::Twice });
            }
        }
        let stages = operators.iter().enumerate().map(|(at, operator)| {
            let build = Builder { at, places: &places };
            build.stage(operator).map_err(|problem| PipelineError { id: operator.id().to_owned(), problem })
        });
        let stages = stages.collect::<Result<Vec<_>, _>>()?;
        Ok((!stages.is_empty()).then_some(Self { stages, errors: None }))
    }

    /// Counts what operators cannot deal with.
    pub(super) fn count_errors(&mut self, counter: Counter) {
        self.errors = Some(counter);
    }

    /// Sends an entry through; what comes out is appended to `out`.
    pub(super) fn process(&mut self, entry: Entry, now: Timestamp, out: &mut Vec<Entry>) {
        self.run(entry, 0, now.as_nanos(), out);
    }

    /// Sends on what has waited long enough; of `file`, everything.
    pub(super) fn flush(&mut self, now: Timestamp, file: Option<FileId>, out: &mut Vec<Entry>) {
        for at in 0..self.stages.len() {
            let mut released = Vec::new();
            let stage = &mut self.stages[at];
            let next = stage.next;
            if let Some(combiner) = stage.action.combiner() {
                combiner.flush(now.as_nanos(), file, &mut released);
            }
            released.into_iter().for_each(|entry| self.run(entry, next, now.as_nanos(), out));
        }
    }

    /// The first entry of a file that waits in some operator.
    pub(super) fn pending(&self, file: FileId) -> Option<&Origin> {
        let combiners = self.stages.iter().filter_map(|stage| match &stage.action {
            Action::Container(container) => Some(&container.combiner),
            Action::Recombine(recombine) => Some(&recombine.combiner),
            _ => None,
        });
        combiners.filter_map(|combiner| combiner.pending(file)).min_by_key(|origin| origin.start)
    }

    fn run(&mut self, mut entry: Entry, mut at: usize, now: u64, out: &mut Vec<Entry>) {
        loop {
            let Some(stage) = self.stages.get_mut(at) else {
                out.push(entry);
                return;
            };
            if stage.condition.as_ref().is_some_and(|condition| !condition.holds(&entry)) {
                at = stage.next;
                continue;
            }
            let (next, mut released) = (stage.next, Vec::new());
            let result = stage.action.apply(&mut entry, now, &mut released);
            let flow = match result {
                Ok(flow) => flow,
                Err(error) => {
                    let on_error = stage.on_error;
                    if matches!(on_error, OnError::Send | OnError::Drop) {
                        tracing::debug!(operator = stage.id, %error, "an operator cannot deal with a record");
                        self.errors.iter().for_each(|counter| counter.add(1));
                    }
                    if matches!(on_error, OnError::Drop | OnError::DropQuiet) {
                        Flow::Gone
                    } else {
                        Flow::Next
                    }
                }
            };
            // Stages only lead to later ones, so this ends.
            released.into_iter().for_each(|entry| self.run(entry, next, now, out));
            match flow {
                Flow::Next => at = next,
                Flow::To(place) => at = place,
                Flow::Gone => return,
            }
        }
    }
}

impl Action {
    fn combiner(&mut self) -> Option<&mut Combiner> {
        match self {
            Self::Container(container) => Some(&mut container.combiner),
            Self::Recombine(recombine) => Some(&mut recombine.combiner),
            _ => None,
        }
    }

    fn apply(
        &mut self,
        entry: &mut Entry,
        now: u64,
        released: &mut Vec<Entry>,
    ) -> Result<Flow, OperatorError> {
        match self {
            Self::Noop => {}
            Self::Add { field, value } => field.set(entry, value.clone()),
            Self::Copy { from, to } => {
                let value = from.read(entry).ok_or_else(|| OperatorError::NoValue(from.to_string()))?;
                to.set(entry, value);
            }
            Self::Move { from, to } => {
                let value = from.remove(entry).ok_or_else(|| OperatorError::NoValue(from.to_string()))?;
                to.set(entry, value);
            }
            Self::Remove(field) => {
                drop(field.remove(entry).ok_or_else(|| OperatorError::NoValue(field.to_string()))?)
            }
            Self::Filter { condition, ratio, sum } => {
                if condition.holds(entry) {
                    // Evenly, not at random: the same input gives the same output.
                    *sum += *ratio;
                    if *sum >= 1.0 {
                        *sum -= 1.0;
                        return Ok(Flow::Gone);
                    }
                }
            }
            Self::Route { routes, default } => {
                let route =
                    routes.iter().find(|(condition, _)| condition.holds(entry)).map(|(_, place)| *place);
                return Ok(route.or(*default).map_or(Flow::Gone, Flow::To));
            }
            Self::Parse(parser) => parser.apply(entry)?,
            Self::Time(time) => time.apply(entry)?,
            Self::Severity(severity) => severity.apply(entry)?,
            Self::Trace(trace) => trace.apply(entry)?,
            Self::Container(container) => return container.push(entry, now, released),
            Self::Recombine(recombine) => {
                recombine.push(std::mem::take(entry), now, released);
                return Ok(Flow::Gone);
            }
        }
        Ok(Flow::Next)
    }
}
