//! Servers and clients from settings: TLS, gRPC, HTTP, compression with caps.
//!
//! Settings have the collector's keys (`configtls`, `confighttp`, `configgrpc`). In: settings. Out: bound servers and
//! clients that are ready to use. It knows nothing of telemetry: bodies and messages are bytes.
//!
//! This is the only place that opens TLS or decompresses.

pub mod compression;
mod error;
pub mod grpc;
pub mod http;
pub mod tls;

pub use error::{BoxError, TransportError, describe};
