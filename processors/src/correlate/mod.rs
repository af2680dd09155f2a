#![doc = include_str!("README.md")]

mod config;
#[cfg(test)]
mod tests;

use analysis::correlate::Correlator;
use analysis::detect::Settings;
use component::{
    Affinity, ConfigSpec, Context, Counter, Gauge, Output, ProcessError, Processor, ProcessorFactory,
    Stability,
};
use pdata::event::IncidentState;
use pdata::{Batch, Event, Signal, SignalSet, Timestamp};

pub use self::config::Config;

/// Builds `correlate` processors.
pub const FACTORY: ProcessorFactory = ProcessorFactory {
    type_name: "correlate",
    aliases: &[],
    stability: Stability::Alpha,
    signals: SignalSet::of(&[Signal::Traces, Signal::Events]),
    affinity: Affinity::Single,
    config: ConfigSpec::of::<Config>(),
    create: |section, context| Ok(Box::new(Correlate::new(&section.parse::<Config>()?, context))),
};

struct Correlate {
    correlator: Correlator,
    opened: Counter,
    resolved: Counter,
    open: Gauge,
    services: Gauge,
    edges: Gauge,
}

impl Correlate {
    fn new(config: &Config, context: &Context) -> Self {
        let id = context.key.id.to_string();
        let labels: &[(&str, &str)] = &[("processor", &id)];
        let counter = |name: &str, help: &str| context.telemetry.counter(name, help, labels);
        let gauge = |name: &str, help: &str| context.telemetry.gauge(name, help, labels);
        Self {
            correlator: Correlator::new(config.lifecycle(), Settings::default()),
            opened: counter("otelcol_processor_correlate_incidents_opened", "Incidents that were opened."),
            resolved: counter(
                "otelcol_processor_correlate_incidents_resolved",
                "Incidents that were resolved.",
            ),
            open: gauge("otelcol_processor_correlate_incidents_open", "Incidents that are open."),
            services: gauge(
                "otelcol_processor_correlate_services",
                "Services and peers in the service graph.",
            ),
            edges: gauge("otelcol_processor_correlate_edges", "Edges in the service graph."),
        }
    }

    fn emit(&self, events: Vec<Event>, output: &mut Output) {
        for event in &events {
            match event {
                Event::Incident(incident) if incident.state == IncidentState::Open => self.opened.add(1),
                Event::Incident(incident) if incident.state == IncidentState::Resolved => {
                    self.resolved.add(1)
                }
                _ => {}
            }
        }
        self.open.set(self.correlator.open() as f64);
        let (services, edges) = self.correlator.graph().size();
        self.services.set(services as f64);
        self.edges.set(edges as f64);
        if !events.is_empty() {
            output.emit(events);
        }
    }
}

impl Processor for Correlate {
    fn process(&mut self, batch: Batch, output: &mut Output) -> Result<(), ProcessError> {
        let found = match &batch {
            Batch::Traces(traces) => self.correlator.traces(traces),
            Batch::Events(events) => self.correlator.events(events),
            Batch::Metrics(_) | Batch::Logs(_) => Vec::new(),
        };
        output.emit(batch);
        self.emit(found, output);
        Ok(())
    }

    fn tick(&mut self, now: Timestamp, output: &mut Output) {
        let found = self.correlator.tick(now);
        self.emit(found, output);
    }

    fn snapshot(&self) -> Option<Vec<u8>> {
        self.correlator
            .snapshot()
            .inspect_err(|error| tracing::error!(%error, "cannot save open incidents"))
            .ok()
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), ProcessError> {
        self.correlator.restore(snapshot).map_err(|error| ProcessError::Permanent(error.to_string()))
    }
}
