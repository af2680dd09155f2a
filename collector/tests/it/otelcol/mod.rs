//! A real OpenTelemetry Collector in front of the binary, and one behind it.

mod content;
mod delivery;
mod everything;
mod tls;

use std::path::Path;

use crate::support::Program;

const ARGUMENTS: [&str; 2] = ["--config", "config.yaml"];

/// Starts a collector with this configuration and waits until it runs.
async fn start(folder: &Path, config: &str) -> Program {
    let files = [("config.yaml", config)];
    ready(Program::start(&folder.join("otelcol"), &ARGUMENTS, &files)).await
}

/// Starts one that has ended again.
async fn again(folder: &Path, collector: Program) -> Program {
    ready(collector.again(&folder.join("otelcol"), &ARGUMENTS)).await
}

async fn ready(mut collector: Program) -> Program {
    collector.says("Everything is ready").await;
    collector
}
