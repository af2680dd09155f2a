//! A batch in the form in which it stands in the file.

use std::io;

use bytes::Bytes;
use pdata::{Batch, Event};
use transport::compression;

use super::config::{Compression, Format};

/// Why a batch has no form.
#[derive(Debug, thiserror::Error)]
pub(super) enum EncodeError {
    /// Its length does not fit into four bytes.
    #[error("a message of {len} bytes does not fit into a frame")]
    TooLarge { len: usize },
    /// The compressor failed.
    #[error("cannot compress")]
    Compress { source: io::Error },
}

/// Whole lines or frames, compressed if so wished; nothing for an empty batch.
pub(super) fn encode(batch: &Batch, format: Format, compression: Compression) -> Result<Bytes, EncodeError> {
    if batch.is_empty() {
        return Ok(Bytes::new());
    }
    let plain = match format {
        Format::Json => lines(batch),
        Format::Proto => frame(batch)?,
    };
    let compression = match compression {
        Compression::None => compression::Compression::None,
        Compression::Zstd => compression::Compression::Zstd,
        Compression::Gzip => compression::Compression::Gzip,
    };
    compression.encode(&plain).map_err(|source| EncodeError::Compress { source })
}

fn lines(batch: &Batch) -> Bytes {
    let mut out = Vec::new();
    pdata::json::to_json(batch, &mut out);
    out.push(b'\n');
    out.into()
}

fn frame(batch: &Batch) -> Result<Bytes, EncodeError> {
    let message = match batch {
        Batch::Traces(traces) => traces.bytes().clone(),
        Batch::Metrics(metrics) => metrics.bytes().clone(),
        Batch::Logs(logs) => logs.bytes().clone(),
        Batch::Events(events) => events_as_logs(events),
    };
    let len = u32::try_from(message.len()).map_err(|_| EncodeError::TooLarge { len: message.len() })?;
    let mut out = Vec::with_capacity(4 + message.len());
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(&message);
    Ok(out.into())
}

fn events_as_logs(events: &[Event]) -> Bytes {
    pdata::event::to_logs(events).bytes().clone()
}
