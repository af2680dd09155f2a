//! Test support: telemetry generators and a component harness.
