//! Nothing is lost: what a sender was told is delivered has been delivered, whatever happens meanwhile.

mod crash;
mod dead_exporter;
mod drain;
mod overload;
mod reload;

use crate::support::free_address;

/// Where a collector under test listens.
struct Addresses {
    grpc: String,
    http: String,
}

impl Addresses {
    fn new() -> Self {
        Self { grpc: free_address(), http: free_address() }
    }

    /// The section of an `otlp` receiver at these addresses.
    fn receiver(&self) -> String {
        let Self { grpc, http } = self;
        format!("{{protocols: {{grpc: {{endpoint: '{grpc}'}}, http: {{endpoint: '{http}'}}}}}}")
    }

    /// OTLP in, through `batch`, to one exporter.
    fn to_sink(&self, url: &str, exporter: &str) -> String {
        format!(
            "receivers: {{otlp: {receiver}}}
processors: {{batch: {{timeout: 20ms}}}}
exporters: {{{exporter}: {{endpoint: '{url}', compression: none, retry_on_failure: {{initial_interval: 100ms}}}}}}
service: {{pipelines: {{logs: {{receivers: [otlp], processors: [batch], exporters: [{exporter}]}}}}}}
",
            receiver = self.receiver()
        )
    }
}
