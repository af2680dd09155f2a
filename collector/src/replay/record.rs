//! One record of an input: a line of JSON, or the contents of a frame.

use std::io::Read;

use bytes::Bytes;
use pdata::{Batch, Logs, Metrics, Signal, Traces, json};

use super::error::Reason;
use super::extent::extent;

/// The largest record that is read, in bytes: far more than any sender puts into one request.
pub(super) const LONGEST: usize = 128 << 20;

const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Reads a line of JSON.
pub(super) fn line(line: &[u8]) -> Result<Batch, Reason> {
    let signal = json::detect(line).ok_or(Reason::Unknown)?;
    Ok(json::from_json(signal, line)?)
}

/// Whether the line is telemetry or an event, or at least claims to be: lines of logs are JSON, too, and may have a `type`.
pub(super) fn is_telemetry(line: &[u8]) -> bool {
    match json::detect(line) {
        Some(Signal::Events) => json::from_json(Signal::Events, line).is_ok(),
        other => other.is_some(),
    }
}

/// Reads the contents of a frame: OTLP as protobuf, or as JSON, and each of them perhaps compressed with zstd, as the
/// collector's file exporter writes them. `usual` is the signal of the frame before.
pub(super) fn frame(contents: Vec<u8>, usual: Signal) -> Result<Batch, Reason> {
    let contents = if contents.starts_with(&ZSTD) { decompress(&contents)? } else { contents };
    if contents.trim_ascii_start().starts_with(b"{") {
        return line(&contents);
    }
    protobuf(&contents.into(), usual)
}

fn decompress(contents: &[u8]) -> Result<Vec<u8>, Reason> {
    let decoder = zstd::Decoder::with_buffer(contents).map_err(Reason::Zstd)?;
    let mut plain = Vec::new();
    decoder.take(LONGEST as u64 + 1).read_to_end(&mut plain).map_err(Reason::Zstd)?;
    if plain.len() > LONGEST { Err(Reason::TooLong) } else { Ok(plain) }
}

/// Protobuf does not say which message it is. The three signals' fields differ enough that one with items and times in it is
/// valid as one of them only; what is valid as several is most likely what came before it.
fn protobuf(contents: &Bytes, usual: Signal) -> Result<Batch, Reason> {
    let read = |signal| match signal {
        Signal::Traces => Traces::from_bytes(contents.clone()).map(Batch::Traces),
        Signal::Metrics => Metrics::from_bytes(contents.clone()).map(Batch::Metrics),
        Signal::Logs | Signal::Events => Logs::from_bytes(contents.clone()).map(Batch::Logs),
    };
    let first = match read(usual) {
        Ok(batch) if extent(&batch).is_some() => return Ok(batch),
        other => other,
    };
    let others =
        [Signal::Traces, Signal::Metrics, Signal::Logs].into_iter().filter(|signal| *signal != usual);
    let mut valid = first.as_ref().ok().cloned();
    for signal in others {
        if let Ok(batch) = read(signal) {
            if extent(&batch).is_some() {
                return Ok(batch);
            }
            valid.get_or_insert(batch);
        }
    }
    match valid {
        Some(batch) => Ok(batch),
        None => Ok(first?),
    }
}
