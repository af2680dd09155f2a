//! The graph that a configuration asks for, before anything is built.

use std::collections::HashMap;

use component::delivery::{self, DeliverySettings};
use component::{
    Affinity, ComponentKey, ExporterFactory, ExtensionFactory, Kind, ReceiverFactory, Registry,
    UnknownComponent,
};
use config::{ComponentId, Config, ConfigError, Errors, PipelineId, PipelineSignal, Section};
use indexmap::IndexMap;
use pdata::{Signal, SignalSet};
use petgraph::graphmap::DiGraphMap;
use serde_json::Value;

pub(crate) use component::Create;

/// Everything that is to run.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) extensions: IndexMap<ComponentId, ExtensionPlan>,
    pub(crate) receivers: IndexMap<ComponentId, ReceiverPlan>,
    /// Pipelines and connectors, upstream first.
    pub(crate) lanes: IndexMap<String, LanePlan>,
    pub(crate) exporters: IndexMap<ComponentId, ExporterPlan>,
}

pub(crate) struct ExtensionPlan {
    pub(crate) section: Section,
    pub(crate) factory: &'static ExtensionFactory,
}

pub(crate) struct ReceiverPlan {
    pub(crate) section: Section,
    pub(crate) factory: &'static ReceiverFactory,
    /// The pipelines that it feeds.
    pub(crate) lanes: Vec<String>,
}

pub(crate) struct ExporterPlan {
    /// The exporter's own part of its section.
    pub(crate) section: Section,
    pub(crate) delivery: DeliverySettings,
    pub(crate) factory: &'static ExporterFactory,
    pub(crate) fingerprint: Value,
}

/// A pipeline or a connector.
pub(crate) struct LanePlan {
    pub(crate) name: String,
    /// `Some` for a pipeline, which is what its processors are labelled with.
    pub(crate) pipeline: Option<String>,
    pub(crate) signals: SignalSet,
    pub(crate) stages: Vec<StagePlan>,
    pub(crate) exporters: Vec<ComponentId>,
    /// Lanes downstream, each with the signals that go there.
    pub(crate) lanes: Vec<(String, SignalSet)>,
    /// Whether some receiver feeds it, so that a replay does.
    pub(crate) has_receivers: bool,
}

pub(crate) struct StagePlan {
    pub(crate) affinity: Affinity,
    pub(crate) shards: usize,
    pub(crate) slots: Vec<SlotPlan>,
}

#[derive(Clone)]
pub(crate) struct SlotPlan {
    pub(crate) kind: Kind,
    pub(crate) section: Section,
    pub(crate) signals: SignalSet,
    pub(crate) create: Create<dyn component::Processor>,
}

impl LanePlan {
    /// Equal for lanes that can stay as they are over a reload.
    pub(crate) fn fingerprint(&self) -> Value {
        let stages: Vec<_> = self
            .stages
            .iter()
            .map(|stage| {
                let slots =
                    stage.slots.iter().map(|slot| (slot.section.id.to_string(), slot.section.node.to_json()));
                (stage.shards, slots.collect::<Vec<_>>())
            })
            .collect();
        let exporters: Vec<_> = self.exporters.iter().map(ToString::to_string).collect();
        let lanes: Vec<_> = self.lanes.iter().map(|(name, signals)| (name, signals.to_string())).collect();
        serde_json::json!([self.signals.to_string(), stages, exporters, lanes])
    }
}

/// The name of a connector's lane; no pipeline can be called so.
fn connector_lane(id: &ComponentId) -> String {
    format!("connector:{id}")
}

/// The signals that flow into a pipeline.
pub(crate) fn pipeline_signals(id: &PipelineId) -> SignalSet {
    match id.signal {
        PipelineSignal::All => SignalSet::ALL,
        PipelineSignal::Traces => SignalSet::of(&[Signal::Traces]),
        PipelineSignal::Metrics => SignalSet::of(&[Signal::Metrics]),
        PipelineSignal::Logs => SignalSet::of(&[Signal::Logs]),
        PipelineSignal::Events => SignalSet::of(&[Signal::Events]),
    }
}

impl Plan {
    /// Whether such a component is to run.
    pub(crate) fn has(&self, key: &ComponentKey) -> bool {
        let in_lane = |lane: &LanePlan| {
            let mut slots = lane.stages.iter().flat_map(|stage| &stage.slots);
            lane.pipeline == key.pipeline
                && slots.any(|slot| slot.kind == key.kind && slot.section.id == key.id)
        };
        match key.kind {
            Kind::Extension => self.extensions.contains_key(&key.id),
            Kind::Receiver => self.receivers.contains_key(&key.id),
            Kind::Exporter => self.exporters.contains_key(&key.id),
            Kind::Processor | Kind::Connector => self.lanes.values().any(in_lane),
        }
    }

    /// Plans what `config` asks for. `workers` is how many shards a stage has where the configuration does not say.
    ///
    /// # Errors
    /// Everything that cannot be planned. [`crate::validate`] finds more, and says it better.
    pub(crate) fn new(config: &Config, registry: &Registry, workers: usize) -> Result<Self, Errors> {
        let mut errors = Errors::default();
        let mut plan = Self::default();
        for (id, _) in &config.service.extensions {
            let Some(section) = config.extensions.get(id) else { continue };
            if let Some(factory) = known(registry.extension(id.type_name()), section, &mut errors) {
                plan.extensions.insert(id.clone(), ExtensionPlan { section: section.clone(), factory });
            }
        }
        for (id, pipeline) in &config.service.pipelines {
            plan.pipeline(id, pipeline, config, registry, workers, &mut errors);
        }
        plan.dead_letters(config, registry, &mut errors);
        plan.connectors(config, registry, &mut errors);
        plan.sort();
        errors.into_result().map(|()| plan)
    }

    fn pipeline(
        &mut self,
        id: &PipelineId,
        pipeline: &config::Pipeline,
        config: &Config,
        registry: &Registry,
        workers: usize,
        errors: &mut Errors,
    ) {
        let name = id.to_string();
        let mut slots = Vec::new();
        for (id, _) in &pipeline.processors {
            let Some(section) = config.processors.get(id) else { continue };
            if let Some(factory) = known(registry.processor(id.type_name()), section, errors) {
                let slot = SlotPlan {
                    kind: Kind::Processor,
                    section: section.clone(),
                    signals: factory.signals,
                    create: factory.create,
                };
                slots.push((factory.affinity, slot));
            }
        }
        let mut lane = LanePlan {
            name: name.clone(),
            pipeline: Some(name.clone()),
            signals: pipeline_signals(id),
            stages: fuse(slots, pipeline.workers.unwrap_or(workers)),
            exporters: Vec::new(),
            lanes: Vec::new(),
            has_receivers: false,
        };
        for (id, _) in &pipeline.exporters {
            if config.connectors.contains_key(id) {
                lane.lanes.push((connector_lane(id), SignalSet::ALL));
            } else if let Some(section) = config.exporters.get(id) {
                self.exporter(section, registry, errors);
                lane.exporters.push(id.clone());
            }
        }
        for (id, _) in &pipeline.receivers {
            let Some(section) = config.receivers.get(id) else { continue };
            if let Some(factory) = known(registry.receiver(id.type_name()), section, errors) {
                let receiver = self.receivers.entry(id.clone()).or_insert_with(|| ReceiverPlan {
                    section: section.clone(),
                    factory,
                    lanes: Vec::new(),
                });
                receiver.lanes.push(name.clone());
                lane.has_receivers = true;
            }
        }
        self.lanes.insert(name, lane);
    }

    fn exporter(&mut self, section: &Section, registry: &Registry, errors: &mut Errors) {
        let Some(factory) = known(registry.exporter(section.id.type_name()), section, errors) else { return };
        if self.exporters.contains_key(&section.id) {
            return;
        }
        let fingerprint = section.node.to_json();
        let mut own = section.clone();
        let engine_part = own.split_off(delivery::KEYS);
        match with_defaults(&engine_part, &(factory.delivery)()) {
            Ok(delivery) => {
                self.exporters
                    .insert(own.id.clone(), ExporterPlan { section: own, delivery, factory, fingerprint });
            }
            Err(wrong) => errors.extend(wrong),
        }
    }

    /// Exporters that stand in no pipeline but take what another could not deliver.
    fn dead_letters(&mut self, config: &Config, registry: &Registry, errors: &mut Errors) {
        let wanted: Vec<_> =
            self.exporters.values().filter_map(|exporter| exporter.delivery.dead_letter.clone()).collect();
        for id in wanted {
            if let Some(section) = config.exporters.get(&id) {
                self.exporter(section, registry, errors);
            }
        }
    }

    fn connectors(&mut self, config: &Config, registry: &Registry, errors: &mut Errors) {
        for (id, section) in &config.connectors {
            let Some(factory) = known(registry.connector(id.type_name()), section, errors) else { continue };
            let downstream = config
                .service
                .pipelines
                .iter()
                .filter(|(_, pipeline)| pipeline.receivers.iter().any(|(receiver, _)| receiver == id));
            let lanes: Vec<_> = downstream
                .map(|(pipeline, _)| {
                    (pipeline.to_string(), factory.outputs.intersection(pipeline_signals(pipeline)))
                })
                .collect();
            let slot = SlotPlan {
                kind: Kind::Connector,
                section: section.clone(),
                signals: factory.inputs,
                create: factory.create,
            };
            let name = connector_lane(id);
            self.lanes.insert(
                name.clone(),
                LanePlan {
                    name,
                    pipeline: None,
                    signals: factory.inputs,
                    stages: fuse(vec![(Affinity::Single, slot)], 1),
                    exporters: Vec::new(),
                    lanes,
                    has_receivers: false,
                },
            );
        }
    }

    /// Orders the lanes upstream first.
    fn sort(&mut self) {
        let mut graph = DiGraphMap::<usize, ()>::new();
        let index: HashMap<_, _> =
            self.lanes.keys().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
        for (from, lane) in self.lanes.values().enumerate() {
            graph.add_node(from);
            for to in lane.lanes.iter().filter_map(|(name, _)| index.get(name.as_str())) {
                graph.add_edge(from, *to, ());
            }
        }
        // `validate` refuses cycles before a plan is made.
        let Ok(order) = petgraph::algo::toposort(&graph, None) else { return };
        let rank: HashMap<String, usize> = order
            .iter()
            .enumerate()
            .filter_map(|(rank, i)| self.lanes.get_index(*i).map(|(name, _)| (name.clone(), rank)))
            .collect();
        self.lanes.sort_by(|a, _, b, _| rank.get(a).cmp(&rank.get(b)));
    }
}

/// Joins neighbours of the same affinity into one stage. A stateless processor next to a keyed stage joins it too: the
/// stage is as parallel as the processor could be.
fn fuse(slots: Vec<(Affinity, SlotPlan)>, workers: usize) -> Vec<StagePlan> {
    let mut stages: Vec<StagePlan> = Vec::new();
    for (affinity, slot) in slots {
        let workers = if affinity == Affinity::Single { 1 } else { workers.max(1) };
        match stages.last_mut() {
            Some(last) if last.affinity == affinity => last.slots.push(slot),
            Some(last) if affinity == Affinity::Anywhere && matches!(last.affinity, Affinity::ByKey(_)) => {
                last.slots.push(slot);
            }
            Some(last) if last.affinity == Affinity::Anywhere && matches!(affinity, Affinity::ByKey(_)) => {
                last.affinity = affinity;
                last.shards = workers;
                last.slots.push(slot);
            }
            _ => stages.push(StagePlan { affinity, shards: workers, slots: vec![slot] }),
        }
    }
    stages
}

fn known<T>(
    found: Result<&'static T, UnknownComponent>,
    section: &Section,
    errors: &mut Errors,
) -> Option<&'static T> {
    found
        .map_err(|error| {
            errors.0.push(ConfigError {
                location: section.node.location.clone(),
                path: section.path.clone(),
                message: error.to_string(),
                hint: None,
            });
        })
        .ok()
}

/// The engine's part of an exporter's section over the exporter's own defaults.
pub(crate) fn with_defaults(
    section: &Section,
    defaults: &DeliverySettings,
) -> Result<DeliverySettings, Errors> {
    let settings: DeliverySettings = section.parse()?;
    let plain = DeliverySettings::default();
    if *defaults == plain {
        return Ok(settings);
    }
    let mut merged = serde_json::to_value(defaults).unwrap_or_default();
    overlay(&mut merged, &section.node.to_json());
    let location = &section.node.location;
    let merged = Section { node: config::Node::from_json(&merged, location), ..section.clone() };
    merged.parse()
}

fn overlay(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                overlay(base.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (_, Value::Null) => {}
        (base, over) => *base = over.clone(),
    }
}
