//! Compression of whole bodies, and decompression with a hard cap on its output.

use std::cell::RefCell;
use std::io::{self, Read, Write};

use bytes::Bytes;
use flate2::bufread::{MultiGzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zstd::zstd_safe::CCtx;

/// How a body is compressed on its way out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// gzip (RFC 1952), which everybody understands.
    #[default]
    Gzip,
    /// Zstandard: smaller and faster, where the other side understands it.
    Zstd,
    /// The zlib format (RFC 1950), which HTTP calls `deflate`.
    Zlib,
    /// The same as `zlib`.
    Deflate,
    /// Not at all.
    #[serde(alias = "")]
    None,
}

/// How a body that came in is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
    /// zlib.
    Zlib,
}

/// Why a body could not be decompressed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecompressError {
    /// Decompression was stopped at the cap.
    #[error("body is larger than {limit} bytes after decompression")]
    TooLarge {
        /// The cap.
        limit: usize,
    },
    /// The bytes are not what they claim to be.
    #[error("body is not valid {encoding}")]
    Malformed {
        /// What they claim to be.
        encoding: &'static str,
    },
}

/// The largest zstd window that is accepted: 16 MiB, twice what encoders use by default. The window is memory that a few
/// bytes of header can ask for.
const ZSTD_WINDOW_LOG_MAX: u32 = 24;
/// What a compressed body is first assumed to grow by.
const USUAL_RATIO: usize = 6;
/// The level of gzip and zlib: batches compress nearly as well as at 6, at a fraction of the cost.
const DEFLATE_LEVEL: u32 = 1;
/// zstd's fastest regular level.
const ZSTD_LEVEL: i32 = 1;

impl Compression {
    /// The name for `content-encoding` and `grpc-encoding`; `None` if the body goes as it is.
    pub const fn header(self) -> Option<&'static str> {
        match self {
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
            Self::Zlib | Self::Deflate => Some("deflate"),
            Self::None => None,
        }
    }

    /// Compresses a body. Without compression the bytes are shared, not copied.
    ///
    /// # Errors
    /// If the compressor fails, which it does only for want of memory.
    pub fn encode(self, body: &Bytes) -> io::Result<Bytes> {
        let out = || Vec::with_capacity(body.len() / 4 + 64);
        match self {
            Self::None => Ok(body.clone()),
            Self::Gzip => {
                let mut encoder = GzEncoder::new(out(), flate2::Compression::new(DEFLATE_LEVEL));
                encoder.write_all(body)?;
                encoder.finish().map(Bytes::from)
            }
            Self::Zlib | Self::Deflate => {
                let mut encoder = ZlibEncoder::new(out(), flate2::Compression::new(DEFLATE_LEVEL));
                encoder.write_all(body)?;
                encoder.finish().map(Bytes::from)
            }
            Self::Zstd => zstd_encode(body),
        }
    }
}

fn zstd_encode(body: &Bytes) -> io::Result<Bytes> {
    thread_local! {
        // A context is about a megabyte; making one costs more than compressing a small batch.
        static CONTEXT: RefCell<CCtx<'static>> = RefCell::new(CCtx::create());
    }
    CONTEXT.with_borrow_mut(|context| {
        let mut out = Vec::with_capacity(zstd::zstd_safe::compress_bound(body.len()));
        context
            .compress(&mut out, body, ZSTD_LEVEL)
            .map_err(|code| io::Error::other(zstd::zstd_safe::get_error_name(code)))?;
        out.shrink_to_fit();
        Ok(Bytes::from(out))
    })
}

impl Encoding {
    /// The encoding of a `content-encoding` or `grpc-encoding` header; `None` if it is not supported.
    pub fn from_header(name: &str) -> Option<Self> {
        let name = name.trim();
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if name.is_empty() || is("identity") || is("none") {
            Some(Self::Identity)
        } else if is("gzip") || is("x-gzip") {
            Some(Self::Gzip)
        } else if is("zstd") {
            Some(Self::Zstd)
        } else if is("deflate") || is("zlib") {
            Some(Self::Zlib)
        } else {
            None
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Zlib => "zlib",
        }
    }

    /// Decompresses a body to at most `limit` bytes. An uncompressed body is passed on, not copied.
    ///
    /// # Errors
    /// If the result would be larger, or the bytes are not what they claim to be. Memory use stays near `limit` either
    /// way.
    pub fn decode(self, body: Bytes, limit: usize) -> Result<Bytes, DecompressError> {
        match self {
            Self::Identity if body.len() > limit => Err(DecompressError::TooLarge { limit }),
            Self::Identity => Ok(body),
            Self::Gzip => self.read(MultiGzDecoder::new(&body[..]), body.len(), limit),
            Self::Zlib => self.read(ZlibDecoder::new(&body[..]), body.len(), limit),
            Self::Zstd => {
                let mut decoder =
                    zstd::stream::read::Decoder::with_buffer(&body[..]).map_err(|_| self.malformed())?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(|_| self.malformed())?;
                self.read(decoder, body.len(), limit)
            }
        }
    }

    fn read(self, decoder: impl Read, compressed: usize, limit: usize) -> Result<Bytes, DecompressError> {
        let mut out = Vec::with_capacity(compressed.saturating_mul(USUAL_RATIO).min(limit));
        // One byte more than allowed tells "exactly the limit" from "more".
        let mut capped = decoder.take((limit as u64).saturating_add(1));
        capped.read_to_end(&mut out).map_err(|_| self.malformed())?;
        if out.len() > limit {
            return Err(DecompressError::TooLarge { limit });
        }
        Ok(Bytes::from(out))
    }

    const fn malformed(self) -> DecompressError {
        DecompressError::Malformed { encoding: self.name() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(Compression, Encoding); 4] = [
        (Compression::Gzip, Encoding::Gzip),
        (Compression::Zstd, Encoding::Zstd),
        (Compression::Zlib, Encoding::Zlib),
        (Compression::None, Encoding::Identity),
    ];

    #[test]
    fn every_compression_round_trips_up_to_exactly_the_limit() {
        let body = Bytes::from(b"a line of a log, and another one; ".repeat(1000));
        for (compression, encoding) in ALL {
            let encoded = compression.encode(&body).unwrap();
            assert_eq!(Encoding::from_header(compression.header().unwrap_or_default()), Some(encoding));
            assert_eq!(encoding.decode(encoded.clone(), body.len()).unwrap(), body, "{compression:?}");
            let limit = body.len() - 1;
            let result = encoding.decode(encoded, limit);
            assert_eq!(result, Err(DecompressError::TooLarge { limit }), "{compression:?}");
        }
    }

    #[test]
    fn a_bomb_is_stopped_at_the_cap() {
        let bomb = Bytes::from(vec![0; 8 << 20]);
        for (compression, encoding) in ALL.into_iter().filter(|(c, _)| c.header().is_some()) {
            let encoded = compression.encode(&bomb).unwrap();
            assert!(encoded.len() < 1 << 17, "{compression:?} makes a bomb of {} bytes", encoded.len());
            let limit = 1 << 17;
            assert_eq!(encoding.decode(encoded, limit), Err(DecompressError::TooLarge { limit }));
        }
    }

    #[test]
    fn what_is_not_compressed_is_malformed() {
        for (_, encoding) in ALL.into_iter().filter(|(_, e)| *e != Encoding::Identity) {
            let result = encoding.decode(Bytes::from_static(b"plain text"), 1000);
            assert_eq!(result, Err(encoding.malformed()));
        }
        let cut = Compression::Gzip.encode(&Bytes::from(vec![7; 5000])).unwrap();
        let cut = cut.slice(..cut.len() - 9);
        assert_eq!(Encoding::Gzip.decode(cut, 10_000), Err(Encoding::Gzip.malformed()));
    }
}
