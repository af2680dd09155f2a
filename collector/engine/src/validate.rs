//! What is wrong with a whole configuration, given what this build has: a pure function, no component is built.
//!
//! In: a [`Config`] and the [`Registry`]. Out: everything that would keep it from running, and what deserves a look.

use component::delivery::{DeliverySettings, KEYS};
use component::{ConfigSpec, Kind, Registry};
use config::{
    ComponentId, Config, ConfigError, Errors, Location, Pipeline, PipelineId, PipelineSignal, Section, Value,
    nearest,
};
use indexmap::IndexMap;
use pdata::{Signal, SignalSet};
use petgraph::algo::tarjan_scc;
use petgraph::graph::DiGraph;

mod endpoints;

/// Checks the whole configuration, and returns what deserves a look.
///
/// # Errors
/// Everything that is wrong, each with its place.
pub fn validate(config: &Config, registry: &Registry) -> Result<Vec<ConfigError>, Errors> {
    let mut check = Check { config, registry, errors: Errors::default(), warnings: config.warnings.clone() };
    check.sections();
    for (id, pipeline) in &config.service.pipelines {
        check.pipeline(id, pipeline);
    }
    check.connectors();
    check.cycles();
    check.references();
    check.unused();
    endpoints::check(&mut check);
    check.errors.into_result()?;
    Ok(check.warnings)
}

/// The signals that flow through a pipeline.
pub fn signals(signal: PipelineSignal) -> SignalSet {
    match signal {
        PipelineSignal::Traces => SignalSet::of(&[Signal::Traces]),
        PipelineSignal::Metrics => SignalSet::of(&[Signal::Metrics]),
        PipelineSignal::Logs => SignalSet::of(&[Signal::Logs]),
        PipelineSignal::Events => SignalSet::of(&[Signal::Events]),
        PipelineSignal::All => SignalSet::ALL,
    }
}

pub(crate) struct Check<'a> {
    config: &'a Config,
    registry: &'a Registry,
    errors: Errors,
    warnings: Vec<ConfigError>,
}

const KINDS: [Kind; 5] = [Kind::Receiver, Kind::Processor, Kind::Exporter, Kind::Connector, Kind::Extension];

fn sections(config: &Config, kind: Kind) -> &IndexMap<ComponentId, Section> {
    match kind {
        Kind::Receiver => &config.receivers,
        Kind::Processor => &config.processors,
        Kind::Exporter => &config.exporters,
        Kind::Connector => &config.connectors,
        Kind::Extension => &config.extensions,
    }
}

impl<'a> Check<'a> {
    fn wrong(&mut self, location: &Location, path: &str, message: String, hint: Option<String>) {
        self.errors.0.push(ConfigError { location: location.clone(), path: path.to_owned(), message, hint });
    }

    fn warn(&mut self, location: &Location, path: &str, message: String) {
        self.warnings.push(ConfigError {
            location: location.clone(),
            path: path.to_owned(),
            message,
            hint: None,
        });
    }

    fn spec(&self, kind: Kind, type_name: &str) -> Option<ConfigSpec> {
        let specs = self.registry.specs(kind);
        let named = |(name, aliases, _): &&(&str, &[&str], ConfigSpec)| {
            *name == type_name || aliases.contains(&type_name)
        };
        specs.iter().find(named).map(|(_, _, spec)| *spec)
    }

    /// Every section has a known type and fits it.
    fn sections(&mut self) {
        for kind in KINDS {
            for (id, section) in sections(self.config, kind) {
                match self.spec(kind, id.type_name()) {
                    None => self.unknown_type(kind, id, section),
                    Some(spec) => self.section(kind, spec, section),
                }
            }
        }
    }

    fn unknown_type(&mut self, kind: Kind, id: &ComponentId, section: &Section) {
        let specs = self.registry.specs(kind);
        let names =
            specs.iter().flat_map(|(name, aliases, _)| std::iter::once(*name).chain(aliases.iter().copied()));
        let near = nearest(id.type_name(), names).map(|name| format!("did you mean `{name}`?"));
        let elsewhere = || {
            let other = KINDS.into_iter().find(|other| self.spec(*other, id.type_name()).is_some())?;
            Some(format!("that is the name of one of the {}", other.section()))
        };
        let all = || {
            let names: Vec<_> = specs.iter().map(|(name, _, _)| *name).collect();
            (!names.is_empty()).then(|| format!("this build has {}", names.join(", ")))
        };
        let hint = near.or_else(elsewhere).or_else(all);
        let message = format!("unknown {} type `{}`", kind.name(), id.type_name());
        self.wrong(&section.location, &section.path, message, hint);
    }

    fn section(&mut self, kind: Kind, spec: ConfigSpec, section: &Section) {
        let mut own = section.clone();
        if kind == Kind::Exporter {
            let delivery = own.split_off(KEYS);
            if let Err(errors) = delivery.check::<DeliverySettings>() {
                self.errors.extend(errors);
            }
        }
        if let Err(errors) = (spec.check)(&own) {
            self.errors.extend(errors);
        }
    }

    fn pipeline(&mut self, id: &PipelineId, pipeline: &'a Pipeline) {
        let path = format!("service.pipelines.{id}");
        for (list, name) in [(&pipeline.receivers, "receivers"), (&pipeline.exporters, "exporters")] {
            if list.is_empty() {
                let message = format!("a pipeline needs at least one of `{name}`");
                self.wrong(&pipeline.location, &path, message, None);
            }
        }
        let lists = [
            (&pipeline.receivers, Kind::Receiver),
            (&pipeline.processors, Kind::Processor),
            (&pipeline.exporters, Kind::Exporter),
        ];
        for (list, kind) in lists {
            for (i, (component, location)) in list.iter().enumerate() {
                self.member(id.signal, kind, component, location, &format!("{path}.{}.{i}", kind.section()));
            }
        }
    }

    /// One name in one of a pipeline's lists.
    fn member(
        &mut self,
        signal: PipelineSignal,
        kind: Kind,
        id: &ComponentId,
        location: &Location,
        path: &str,
    ) {
        let is_end = kind != Kind::Processor;
        let defined = sections(self.config, kind).contains_key(id);
        let connects = is_end && self.config.connectors.contains_key(id);
        if !defined && !connects {
            let names = sections(self.config, kind)
                .keys()
                .chain(is_end.then(|| self.config.connectors.keys()).into_iter().flatten());
            let names: Vec<_> = names.map(ToString::to_string).collect();
            let hint = nearest(&id.to_string(), names.iter().map(String::as_str))
                .map(|near| format!("did you mean `{near}`?"));
            self.wrong(
                location,
                path,
                format!("there is no {} `{id}` under `{}`", kind.name(), kind.section()),
                hint,
            );
            return;
        }
        let type_name = id.type_name();
        let (what, offered) = match kind {
            _ if connects && !defined => {
                let Ok(factory) = self.registry.connector(type_name) else { return };
                ("connector", if kind == Kind::Receiver { factory.outputs } else { factory.inputs })
            }
            Kind::Receiver => match self.registry.receiver(type_name) {
                Ok(factory) => ("receiver", factory.signals),
                Err(_) => return,
            },
            Kind::Exporter => match self.registry.exporter(type_name) {
                Ok(factory) => ("exporter", factory.signals),
                Err(_) => return,
            },
            // A processor lets pass what it does not read; one that reads nothing of a pipeline is useless in it.
            Kind::Processor | Kind::Connector | Kind::Extension => match self.registry.processor(type_name) {
                Ok(factory) => ("processor", factory.signals),
                Err(_) => return,
            },
        };
        if offered.intersection(signals(signal)).is_empty() {
            let verb = if kind == Kind::Receiver { "brings" } else { "takes" };
            let message =
                format!("the {what} `{id}` {verb} {offered}, this pipeline carries {}", signal.name());
            self.wrong(location, path, message, None);
        }
    }

    /// A connector ends some pipelines and begins others; either alone is a mistake.
    fn connectors(&mut self) {
        for (id, section) in &self.config.connectors {
            let pipelines = self.config.service.pipelines.values();
            let ends = pipelines.clone().any(|pipeline| names(&pipeline.exporters, id));
            let begins = pipelines.clone().any(|pipeline| names(&pipeline.receivers, id));
            if ends != begins {
                let (used, missing) = if ends { ("exporter", "receiver") } else { ("receiver", "exporter") };
                let message = format!("the connector is used as {used} but by no pipeline as {missing}");
                self.wrong(&section.location, &section.path, message, None);
            }
        }
    }

    /// Data must not come round to a pipeline that it has been through.
    fn cycles(&mut self) {
        let pipelines = &self.config.service.pipelines;
        let mut graph = DiGraph::<&PipelineId, ()>::new();
        let nodes: Vec<_> = pipelines.keys().map(|id| graph.add_node(id)).collect();
        for (from, source) in pipelines.values().enumerate() {
            for (to, target) in pipelines.values().enumerate() {
                let joins = |(id, _): &(ComponentId, Location)| {
                    self.config.connectors.contains_key(id) && names(&target.receivers, id)
                };
                if source.exporters.iter().any(joins) {
                    graph.add_edge(nodes[from], nodes[to], ());
                }
            }
        }
        for component in tarjan_scc(&graph) {
            let Some(first) = component.last() else { continue };
            if component.len() == 1 && graph.find_edge(*first, *first).is_none() {
                continue;
            }
            let ids: Vec<_> = component.iter().rev().map(|node| format!("`{}`", graph[*node])).collect();
            let message = format!("the pipelines {} feed each other in a circle", ids.join(", "));
            let location = pipelines
                .get(graph[*first])
                .map_or(&self.config.service.location, |pipeline| &pipeline.location);
            self.wrong(&location.clone(), &format!("service.pipelines.{}", graph[*first]), message, None);
        }
    }

    /// Everything that names a component names one that is there.
    fn references(&mut self) {
        for (i, (id, location)) in self.config.service.extensions.iter().enumerate() {
            if !self.config.extensions.contains_key(id) {
                let names: Vec<_> = self.config.extensions.keys().map(ToString::to_string).collect();
                let hint = nearest(&id.to_string(), names.iter().map(String::as_str))
                    .map(|near| format!("did you mean `{near}`?"));
                self.wrong(
                    location,
                    &format!("service.extensions.{i}"),
                    format!("there is no extension `{id}` under `extensions`"),
                    hint,
                );
            }
        }
        if let Some((id, location)) = &self.config.service.state.storage {
            self.storage(id, location, "service.state.storage");
        }
        for (id, section) in &self.config.exporters {
            self.delivery_references(id, section);
        }
        for kind in KINDS {
            for (id, section) in sections(self.config, kind) {
                let Some(spec) = self.spec(kind, id.type_name()) else { continue };
                let mut own = section.clone();
                let _delivery = own.split_off(KEYS);
                for reference in (spec.references)(&own) {
                    let known =
                        KINDS.into_iter().any(|kind| sections(self.config, kind).contains_key(&reference));
                    if !known {
                        self.wrong(
                            &section.location,
                            &section.path,
                            format!("there is no component `{reference}`, which this one names"),
                            None,
                        );
                    } else if self.config.extensions.contains_key(&reference) {
                        self.runs(&reference, &section.location, &section.path);
                    }
                }
            }
        }
    }

    fn delivery_references(&mut self, id: &ComponentId, section: &Section) {
        // Read from the tree, so that another mistake in the settings does not hide these.
        let find = |keys: &[&str]| {
            let node = keys.iter().try_fold(&section.node, |node, key| node.get(key))?;
            let Value::String(text) = &node.value else { return None };
            Some((text.parse::<ComponentId>().ok()?, &node.location))
        };
        if let Some((storage, location)) = find(&["sending_queue", "storage"]) {
            self.storage(&storage, location, &format!("{}.sending_queue.storage", section.path));
        }
        if let Some((target, location)) = find(&["dead_letter"]) {
            let path = format!("{}.dead_letter", section.path);
            if target == *id {
                self.wrong(location, &path, "an exporter cannot be its own dead letter".to_owned(), None);
            } else if !self.config.exporters.contains_key(&target) {
                self.wrong(
                    location,
                    &path,
                    format!("there is no exporter `{target}` under `exporters`"),
                    None,
                );
            }
        }
    }

    /// `id` is a storage extension that runs.
    fn storage(&mut self, id: &ComponentId, location: &Location, path: &str) {
        if !self.config.extensions.contains_key(id) {
            self.wrong(location, path, format!("there is no extension `{id}` under `extensions`"), None);
            return;
        }
        if self.registry.extension(id.type_name()).is_ok_and(|factory| !factory.is_storage) {
            self.wrong(location, path, format!("the extension `{id}` offers no storage"), None);
            return;
        }
        self.runs(id, location, path);
    }

    fn runs(&mut self, extension: &ComponentId, location: &Location, path: &str) {
        if !names(&self.config.service.extensions, extension) {
            let hint = Some(format!("add `{extension}` to `service.extensions`"));
            self.wrong(
                location,
                path,
                format!("the extension `{extension}` is defined but does not run"),
                hint,
            );
        }
    }

    /// What is defined but used nowhere.
    fn unused(&mut self) {
        for kind in KINDS {
            for (id, section) in sections(self.config, kind) {
                if !is_used(self.config, kind, id) {
                    let message = format!("the {} is defined but not used", kind.name());
                    self.warn(&section.location, &section.path, message);
                }
            }
        }
    }
}

fn names(list: &[(ComponentId, Location)], id: &ComponentId) -> bool {
    list.iter().any(|(known, _)| known == id)
}

/// Whether anything makes the component run.
fn is_used(config: &Config, kind: Kind, id: &ComponentId) -> bool {
    let mut pipelines = config.service.pipelines.values();
    let is_dead_letter = |section: &Section| matches!(section.node.get("dead_letter").map(|node| &node.value), Some(Value::String(text)) if text.parse().as_ref() == Ok(id));
    match kind {
        Kind::Receiver => pipelines.any(|pipeline| names(&pipeline.receivers, id)),
        Kind::Processor => pipelines.any(|pipeline| names(&pipeline.processors, id)),
        Kind::Exporter => {
            pipelines.any(|pipeline| names(&pipeline.exporters, id))
                || config.exporters.values().any(is_dead_letter)
        }
        Kind::Connector => {
            pipelines.any(|pipeline| names(&pipeline.exporters, id) || names(&pipeline.receivers, id))
        }
        Kind::Extension => names(&config.service.extensions, id),
    }
}

#[cfg(test)]
mod tests;
