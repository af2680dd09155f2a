//! Turns a validated configuration into running pipelines.
