//! Operators from their configuration.

use std::collections::HashMap;

use super::combine::{Combiner, MOST_TOTAL, Recombine, Rules};
use super::config::{self, Operator, Output};
use super::container::Container;
use super::entry::Value;
use super::expr::Condition;
use super::field::Field;
use super::parse::{Grammar, Parser, SeverityFrom, TimeFrom, TraceFrom};
use super::{Action, BuildError, OperatorError, Stage};

/// Builds one stage.
pub(super) struct Builder<'a> {
    /// Its place.
    pub(super) at: usize,
    /// The places of all by their ids.
    pub(super) places: &'a HashMap<String, usize>,
}

impl Builder<'_> {
    /// Builds it.
    pub(super) fn stage(&self, operator: &Operator) -> Result<Stage, BuildError> {
        let (_, output, on_error, condition) = operator.common();
        Ok(Stage {
            id: operator.id().to_owned(),
            condition: optional(condition)?,
            on_error,
            next: output.map_or(Ok(self.at + 1), |output| self.place(output))?,
            action: self.action(operator)?,
        })
    }

    /// The place of a later operator by its id.
    fn place(&self, output: &Output) -> Result<usize, BuildError> {
        let name = match output {
            Output::One(name) => name,
            Output::Many(names) => match names.as_slice() {
                [name] => name,
                _ => return Err(BuildError::Conflict("`output` must name exactly one operator")),
            },
        };
        let place = self.places.get(name).filter(|place| **place > self.at);
        place.copied().ok_or_else(|| BuildError::Output(name.clone()))
    }

    fn action(&self, operator: &Operator) -> Result<Action, BuildError> {
        let parser =
            |grammar, config: &config::Parser| Parser::new(grammar, config).map(Box::new).map(Action::Parse);
        match operator {
            Operator::Noop(_) => Ok(Action::Noop),
            Operator::Add(add) => Ok(Action::Add {
                field: required(add.field.as_ref(), "field")?,
                value: Value::from_json(add.value.clone()),
            }),
            Operator::Copy(pair) => Ok(Action::Copy {
                from: required(pair.from.as_ref(), "from")?,
                to: required(pair.to.as_ref(), "to")?,
            }),
            Operator::Move(pair) => Ok(Action::Move {
                from: required(pair.from.as_ref(), "from")?,
                to: required(pair.to.as_ref(), "to")?,
            }),
            Operator::Remove(remove) => Ok(Action::Remove(required(remove.field.as_ref(), "field")?)),
            Operator::Filter(filter) => filter_action(filter),
            Operator::Router(router) => self.router(router),
            Operator::JsonParser(config) => parser(Grammar::Json, config).or_else(build_error),
            Operator::RegexParser(config) => {
                let regex = regex::Regex::new(&::config::re2(&config.regex))?;
                if regex.capture_names().flatten().next().is_none() {
                    return Err(BuildError::Conflict(
                        "`regex` must have a named group, such as `(?P<name>.*)`",
                    ));
                }
                parser(Grammar::Regex(Box::new(regex)), &config.as_parser()).or_else(build_error)
            }
            Operator::TimeParser(config) => TimeFrom::new(&config.as_time()).map(Box::new).map(Action::Time),
            Operator::SeverityParser(config) => SeverityFrom::new(&config.as_severity())
                .map(Box::new)
                .map(Action::Severity)
                .or_else(build_error),
            Operator::TraceParser(config) => {
                TraceFrom::new(&config.as_trace(), true).map(Box::new).map(Action::Trace)
            }
            Operator::Container(config) => {
                Container::new(config).map(Box::new).map(Action::Container).or_else(build_error)
            }
            Operator::Recombine(config) => recombine(config),
        }
    }

    fn router(&self, router: &config::Router) -> Result<Action, BuildError> {
        let route = |route: &config::Route| Ok((Condition::parse(&route.expr)?, self.place(&route.output)?));
        let routes = router.routes.iter().map(route).collect::<Result<Vec<_>, BuildError>>()?;
        if routes.is_empty() {
            return Err(BuildError::Missing("routes"));
        }
        let default = router.default.as_ref().map(|output| self.place(output)).transpose()?;
        Ok(Action::Route { routes, default })
    }
}

fn build_error(error: OperatorError) -> Result<Action, BuildError> {
    match error {
        OperatorError::Build(error) => Err(error),
        _ => Err(BuildError::Conflict("cannot be built")),
    }
}

fn required(field: Option<&Field>, name: &'static str) -> Result<Field, BuildError> {
    field.cloned().ok_or(BuildError::Missing(name))
}

fn optional(condition: &str) -> Result<Option<Condition>, BuildError> {
    if condition.is_empty() { Ok(None) } else { Ok(Some(Condition::parse(condition)?)) }
}

fn filter_action(filter: &config::Filter) -> Result<Action, BuildError> {
    let ratio = filter.drop_ratio.unwrap_or(1.0);
    if !(0.0..=1.0).contains(&ratio) {
        return Err(BuildError::Conflict("`drop_ratio` must be in [0, 1]"));
    }
    let condition = optional(&filter.expr)?.ok_or(BuildError::Missing("expr"))?;
    Ok(Action::Filter { condition, ratio, sum: 0.0 })
}

fn recombine(config: &config::Recombine) -> Result<Action, BuildError> {
    let (condition, is_first) = match (optional(&config.is_first_entry)?, optional(&config.is_last_entry)?) {
        (Some(condition), None) => (condition, true),
        (None, Some(condition)) => (condition, false),
        _ => {
            return Err(BuildError::Conflict(
                "exactly one of `is_first_entry` and `is_last_entry` is required",
            ));
        }
    };
    let max_entries = config.max_batch_size.unwrap_or(1000);
    if max_entries == 0 {
        return Err(BuildError::Conflict("`max_batch_size` must be at least 1"));
    }
    let rules = Rules {
        field: required(config.combine_field.as_ref(), "combine_field")?,
        with: config.combine_with.clone().unwrap_or_else(|| "\n".to_owned()),
        max_entries,
        max_unmatched: config.max_unmatched_batch_size.unwrap_or(100),
        overwrite: config.overwrite_with,
        timeout: config.force_flush_period.map_or(std::time::Duration::from_secs(5), ::config::Duration::get),
        max_groups: config.max_sources.unwrap_or(1000).max(1),
        max_total: MOST_TOTAL,
        max_bytes: config.max_log_size.as_usize(),
    };
    let source = config.source_identifier.clone().unwrap_or_else(|| Field::attribute("log.file.path"));
    Ok(Action::Recombine(Box::new(Recombine { combiner: Combiner::new(rules), condition, is_first, source })))
}
