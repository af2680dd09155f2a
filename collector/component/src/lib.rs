//! The contract between the engine and every component.
//!
//! A [`Receiver`] brings telemetry in and an [`Exporter`] takes it out: these wait. A [`Processor`] computes and
//! never waits. Each kind has a constant factory ([`ReceiverFactory`] and its siblings) that says what the component
//! is called, which signals it reads and how to build one from its [`config::Section`]. Queues, batching, retry,
//! acknowledgement and restarts are the engine's; a component only says what it did with a batch.
//!
//! No pipeline and no socket in here.

mod ack;
mod admission;
mod clock;
mod context;
pub mod delivery;
mod exporter;
mod extension;
mod factory;
mod health;
mod ingress;
pub mod memory;
mod processor;
mod receiver;
mod shutdown;
mod storage;
mod telemetry;

pub use ack::{Ack, Nack, NackKind, Outcome};
pub use admission::{Admission, Limits, Permit, Pressure, Refusal};
pub use clock::Clock;
pub use context::{ComponentKey, Context, Handles, Kind};
pub use exporter::{ExportError, Exporter};
pub use extension::Extension;
pub use factory::{
    BuildError, ConfigSpec, ConnectorFactory, Create, ExporterFactory, ExtensionFactory, ProcessorFactory,
    ReceiverFactory, Registry, Stability, UnknownComponent,
};
pub use health::{ComponentStatus, Health, HealthReporter, Status};
pub use ingress::{Ingress, Intake, Pending};
pub use processor::{Affinity, Delivery, Key, Output, ProcessError, Processor};
pub use receiver::{Receiver, RunError};
pub use shutdown::{Shutdown, ShutdownTrigger};
pub use storage::{Storage, StorageClient, StorageError};
pub use telemetry::{Counter, Gauge, Histogram, Telemetry};
