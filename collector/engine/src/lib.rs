//! Turns a validated configuration into running pipelines.
//!
//! [`Engine::start`] builds the graph that a [`config::Config`] asks for and runs it until [`Engine::shut_down`]. Each
//! pipeline is a chain of fused stages with bounded queues; each exporter is a branch of its own with queue, timeout and
//! retry. Acknowledgement goes end to end. The engine never names a concrete component.

mod batching;
mod branch;
mod disk_queue;
mod intake;
mod lane;
mod memory;
mod partition;
mod plan;
mod queue;
mod replay;
mod retry;
mod running;
mod stage;
mod state;
mod supervise;
#[cfg(test)]
mod tests;
mod trouble;
mod validate;

pub use replay::{Recorded, Replayed, replay};
pub use running::{Engine, EngineError, Environment};
pub use validate::{signals, validate};

/// What a panic said.
fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
