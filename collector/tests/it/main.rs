//! End-to-end tests: the real binary and real peers.

mod architecture;
mod delivery;
mod demo;
mod eval;
mod every_component;
mod examples;
mod filelog;
mod fuzz_corpus;
mod generated;
mod lines;
mod log_feedback;
mod logs;
mod otelcol;
mod prometheus;
mod quickstart;
mod reload;
mod replay;
mod sdks;
mod secrets;
mod span_metrics;
mod state;
mod support;
mod workspace;
