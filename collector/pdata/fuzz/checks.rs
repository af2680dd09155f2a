//! What must hold for any bytes. The fuzz targets call these, and a test calls them on the corpus.
#![allow(dead_code, reason = "each fuzz target uses one of them")]

use pdata::json::{detect, from_json, to_json};
use pdata::{Batch, Limits, Logs, Metrics, Otlp, Payload, Signal, Traces, split};

/// Bytes that are accepted as OTLP decode, print, read back and split without loss.
pub(crate) fn otlp(data: &[u8]) {
    message(Traces::from_bytes(data.to_vec().into()).ok());
    message(Metrics::from_bytes(data.to_vec().into()).ok());
    message(Logs::from_bytes(data.to_vec().into()).ok());
}

/// Text that is accepted as a batch prints and reads back.
pub(crate) fn json(data: &[u8]) {
    let detected = detect(data);
    for signal in Signal::ALL {
        let Ok(batch) = from_json(signal, data) else { continue };
        assert_eq!(batch.signal(), signal);
        assert!(detected.is_some() || batch.is_empty(), "items without a signal");
        reads_back(&batch);
        match batch {
            Batch::Traces(traces) => is_valid(&traces),
            Batch::Metrics(metrics) => is_valid(&metrics),
            Batch::Logs(logs) => is_valid(&logs),
            Batch::Events(_) => {}
        }
    }
}

/// Any text loads as a configuration or is refused with errors that can be printed.
pub(crate) fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // A configuration may name files to read; not those of whoever runs this.
    if text.contains("file") {
        return;
    }
    let env = |name: &str| name.starts_with('A').then(|| "1s".to_owned());
    match config::load(&[config::Source::Yaml(text.to_owned())], &[], &env) {
        Ok(config) => assert!(config.files.is_empty()),
        Err(errors) => assert!(!errors.to_string().is_empty()),
    }
}

fn message<T: Payload>(otlp: Option<Otlp<T>>)
where
    Batch: From<Otlp<T>>,
{
    let Some(otlp) = otlp else { return };
    assert_eq!(otlp.message().count(), otlp.items());
    let walked = otlp.view().items().count();
    assert!(T::SIGNAL == Signal::Metrics || walked == otlp.items());
    let parts = split(&otlp, Limits::items(2));
    assert_eq!(parts.iter().map(Otlp::items).sum::<usize>(), otlp.items());
    reads_back(&Batch::from(otlp));
}

fn is_valid<T: Payload>(otlp: &Otlp<T>) {
    let again = Otlp::<T>::from_bytes(otlp.bytes().clone()).expect("bytes that this crate made are valid");
    assert_eq!(again.items(), otlp.items());
}

/// Compares text, not values: NaN is not equal to itself.
fn reads_back(batch: &Batch) {
    if matches!(batch, Batch::Events(events) if events.len() != 1) {
        return;
    }
    let mut text = Vec::new();
    to_json(batch, &mut text);
    let again = from_json(batch.signal(), &text).expect("printed JSON reads back");
    let mut text_again = Vec::new();
    to_json(&again, &mut text_again);
    assert_eq!(text, text_again);
}
