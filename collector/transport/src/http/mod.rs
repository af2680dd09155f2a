//! HTTP servers and clients from settings with the collector's keys (`confighttp`).

mod activity;
mod client;
mod cors;
mod listener;
mod server;

pub use client::{ClientSettings, client, client_builder};
pub use cors::CorsSettings;
pub use server::{Server, ServerSettings};

pub(crate) use client::header_map;
pub(crate) use server::{Options, check_endpoint, listening_at, normalise};

#[cfg(test)]
mod tests;
