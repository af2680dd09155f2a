//! OTLP/JSON, both ways.
//!
//! In: a line of JSON, or a batch. Out: a batch, or a line as the collector's file exporter writes it. By OTLP's rules:
//! ids in hexadecimal, 64-bit integers as text, enums as numbers, other bytes in base64, fields that are not known
//! ignored. Reading is lenient where senders differ: names in snake_case, numbers for text and text for numbers, names
//! for enums, capital hexadecimal digits.
//!
//! Text becomes protobuf bytes and the other way around in one go, by tables; no structs are built.

mod lex;
mod read;
mod records;
#[cfg(test)]
mod tests;
mod write;

use std::sync::Arc;

use lex::Lexer;

use crate::schema::{LOGS, METRICS, Schema, TRACES};
use crate::wire::MAX_DEPTH;
use crate::{Batch, DecodeError, Event, Logs, Metrics, Otlp, Payload, Signal, Traces};

/// Reads a batch of `signal` from one JSON value.
///
/// # Errors
/// If it is not JSON, not of that signal's form, or nested too deeply.
pub fn from_json(signal: Signal, text: &[u8]) -> Result<Batch, DecodeError> {
    match signal {
        Signal::Traces => traces_from_json(text).map(Batch::Traces),
        Signal::Metrics => metrics_from_json(text).map(Batch::Metrics),
        Signal::Logs => logs_from_json(text).map(Batch::Logs),
        Signal::Events => {
            let event: Event =
                serde_json::from_slice(text).map_err(|error| DecodeError::Event(error.to_string()))?;
            Ok(Batch::events(vec![event]))
        }
    }
}

/// Reads spans.
///
/// # Errors
/// If the text is not JSON, not of that form, or nested too deeply.
pub fn traces_from_json(text: &[u8]) -> Result<Traces, DecodeError> {
    read_otlp(&TRACES, text)
}

/// Reads metrics.
///
/// # Errors
/// If the text is not JSON, not of that form, or nested too deeply.
pub fn metrics_from_json(text: &[u8]) -> Result<Metrics, DecodeError> {
    read_otlp(&METRICS, text)
}

/// Reads log records.
///
/// # Errors
/// If the text is not JSON, not of that form, or nested too deeply.
pub fn logs_from_json(text: &[u8]) -> Result<Logs, DecodeError> {
    read_otlp(&LOGS, text)
}

fn read_otlp<T: Payload>(schema: &'static Schema, text: &[u8]) -> Result<Otlp<T>, DecodeError> {
    let malformed = |reason, offset| DecodeError::Malformed { signal: T::SIGNAL, reason, offset };
    let text = simdutf8::compat::from_utf8(text)
        .map_err(|error| malformed("text is not UTF-8", error.valid_up_to()))?;
    let message = read::read(schema, text).map_err(|(fault, offset)| malformed(fault.0, offset))?;
    Ok(Otlp::from_scanned(message.bytes.into(), message.items, message.holds_events))
}

/// Which signal a line of JSON holds, by the names in its outermost object; nothing if it is none of them or not JSON.
pub fn detect(line: &[u8]) -> Option<Signal> {
    let mut lexer = Lexer::new(line);
    let mut scratch = Vec::new();
    lexer.expect(b'{', "").ok()?;
    loop {
        let signal = match lexer.string(&mut scratch).ok()? {
            b"resourceSpans" | b"resource_spans" => Some(Signal::Traces),
            b"resourceMetrics" | b"resource_metrics" => Some(Signal::Metrics),
            b"resourceLogs" | b"resource_logs" => Some(Signal::Logs),
            b"type" => Some(Signal::Events),
            _ => None,
        };
        if signal.is_some() {
            return signal;
        }
        lexer.expect(b':', "").ok()?;
        lexer.skip(&mut scratch, MAX_DEPTH / 2).ok()?;
        if !lexer.another(b'}').ok()? {
            return None;
        }
    }
}

/// Prints a batch on one line, without an end of line; several events are printed on a line each.
pub fn to_json(batch: &Batch, out: &mut Vec<u8>) {
    match batch {
        Batch::Traces(traces) => write_otlp(&TRACES, traces, out),
        Batch::Metrics(metrics) => write_otlp(&METRICS, metrics, out),
        Batch::Logs(logs) => write_otlp(&LOGS, logs, out),
        Batch::Events(events) => events_to_json(events, out),
    }
}

fn write_otlp<T: Payload>(schema: &'static Schema, otlp: &Otlp<T>, out: &mut Vec<u8>) {
    out.reserve(3 * otlp.encoded_len());
    write::message(schema, otlp.bytes(), 0, out);
}

fn events_to_json(events: &Arc<Vec<Event>>, out: &mut Vec<u8>) {
    for (i, event) in events.iter().enumerate() {
        if i > 0 {
            out.push(b'\n');
        }
        event.to_json(out);
    }
}
