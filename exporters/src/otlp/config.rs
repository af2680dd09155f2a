//! Settings of the `otlp` exporter: those of a gRPC client.

/// Settings of the `otlp` exporter.
pub use transport::grpc::ClientSettings as Config;
