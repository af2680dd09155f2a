//! Detection, correlation and root cause: pure algorithms without I/O, clock or runtime.
//!
//! Telemetry goes in, findings come out; time is the data's own. Same input, same output: nothing in here depends on
//! the order of a hash map, on the machine or on the moment.
//!
//! - [`detect`]: which series left their usual range, and why we think so;
//! - [`correlate`]: which departures belong together, and what is at the root of them;
//! - [`drift`]: whether what was learned still holds;
//! - [`graph`]: who calls whom;
//! - [`logs`]: what log lines say;
//! - [`event_time`]: how far the data's own time has come;
//! - [`identity`] and [`table`]: how a series is recognised again, and how many are kept;
//! - [`snapshot`]: what was learned, kept over a restart.

pub mod correlate;
pub mod detect;
pub mod drift;
pub mod event_time;
pub mod graph;
pub mod identity;
pub mod logs;
pub mod snapshot;
pub mod table;
