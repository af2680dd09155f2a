//! The `prometheus` exporter and receiver with each other, and each with its real counterpart.

mod node_exporter;
mod round_trip;
mod samples;
mod server;

/// What a `GET` of this URL answers.
async fn get(url: &str) -> Option<String> {
    let client = transport::http::client(&transport::http::ClientSettings::default());
    let answer = client.expect("valid settings").get(url).send().await.ok()?;
    answer.error_for_status().ok()?.text().await.ok()
}
