//! A signal's data as encoded bytes, decoded structs, or both.

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use prost::Message;

use crate::proto::{logs::LogsData, metrics::MetricsData, trace::TracesData};
use crate::reshape::Level;
use crate::view::Item;
use crate::{Scan, Signal};

/// Spans.
pub type Traces = Otlp<TracesData>;
/// Metric data points.
pub type Metrics = Otlp<MetricsData>;
/// Log records.
pub type Logs = Otlp<LogsData>;

/// Why bytes were refused as OTLP.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are not the protobuf message they claim to be.
    #[error("malformed {signal}: {reason} at byte {offset}")]
    Malformed {
        /// What the bytes claim to be.
        signal: Signal,
        /// What is wrong, in words.
        reason: &'static str,
        /// Where, counted from the start of the message.
        offset: usize,
    },
    /// The text is not an event.
    #[error("malformed event: {0}")]
    Event(String),
}

/// An OTLP message that can stand for a signal's data.
pub trait Payload: Message + Default + Clone + PartialEq + Send + Sync + 'static {
    /// Which signal it carries.
    const SIGNAL: Signal;

    /// A view of what a scope holds.
    type Item<'a>: Item<'a>;

    /// The levels from the batch down to its items.
    #[doc(hidden)]
    const LEVELS: &'static [Level];

    /// The field of an item that holds its trace id; 0 if items have none.
    #[doc(hidden)]
    const TRACE_ID: u32;

    /// Checks that `bytes` decode as this message, and counts spans, data points or log records, without building
    /// structs.
    ///
    /// # Errors
    /// Exactly when prost would refuse the bytes too, or when values nest too deeply.
    fn scan(bytes: &[u8]) -> Result<Scan, DecodeError>;

    /// Spans, data points or log records in the decoded message.
    fn count(&self) -> usize;

    /// Whether some log record's event name begins with `watchfire.`.
    fn holds_events(&self) -> bool {
        false
    }
}

/// One signal's data. Cheap to clone: bytes and structs are shared.
///
/// Holds at least one of the two forms. Bytes that come from outside are scanned once, in
/// [`Otlp::from_bytes`]; from then on both forms are known to be good.
#[derive(Clone)]
pub struct Otlp<T> {
    bytes: OnceLock<Bytes>,
    message: OnceLock<Arc<T>>,
    items: usize,
    holds_events: bool,
}

impl<T: Payload> Otlp<T> {
    /// Takes encoded data, undecoded. The bytes may be an `Export*ServiceRequest` or a `*Data` message: they are the
    /// same on the wire.
    ///
    /// Protobuf allows a message that should occur once, say a record's body, to occur in several pieces. Nobody sends
    /// such, and readers should not have to expect it: those bytes are decoded and encoded anew.
    ///
    /// # Errors
    /// If the bytes are not a valid message.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, DecodeError> {
        let scan = T::scan(&bytes)?;
        if scan.needs_merging {
            let message = T::decode(bytes).map_err(|_| DecodeError::Malformed {
                signal: T::SIGNAL,
                reason: "pieces of a message cannot be merged",
                offset: 0,
            })?;
            let merged = Self::from_message(message);
            return Ok(Self::from_scanned(merged.bytes().clone(), merged.items, merged.holds_events));
        }
        Ok(Self::from_scanned(bytes, scan.items, scan.holds_events))
    }

    /// Takes bytes that an encoder made which is known to write this message, `items` in all, none of them an event. Scanning
    /// them again would cost a good part of what making them did; only debug builds do.
    pub fn from_encoder(bytes: Bytes, items: usize) -> Self {
        debug_assert_eq!(
            T::scan(&bytes),
            Ok(Scan { items, holds_events: false, needs_merging: false }),
            "an encoder wrote something else"
        );
        Self::from_scanned(bytes, items, false)
    }

    /// Takes bytes that this crate made itself from bytes that were scanned.
    pub(crate) fn from_scanned(bytes: Bytes, items: usize, holds_events: bool) -> Self {
        Self { bytes: OnceLock::from(bytes), message: OnceLock::new(), items, holds_events }
    }

    /// Takes decoded data.
    pub fn from_message(message: T) -> Self {
        let (items, holds_events) = (message.count(), message.holds_events());
        Self { bytes: OnceLock::new(), message: OnceLock::from(Arc::new(message)), items, holds_events }
    }

    /// Which signal this is.
    pub const fn signal(&self) -> Signal {
        T::SIGNAL
    }

    /// The encoded form; encodes at most once.
    pub fn bytes(&self) -> &Bytes {
        self.bytes.get_or_init(|| self.message.get().map_or_else(Bytes::new, |m| m.encode_to_vec().into()))
    }

    /// The decoded form; decodes at most once. Readers on the hot path use [`crate::view`] instead.
    pub fn message(&self) -> &Arc<T> {
        self.message.get_or_init(|| {
            let bytes = self.bytes.get().cloned().unwrap_or_default();
            // `scan` accepted the bytes, and it accepts only what prost accepts (a property test holds it to that).
            Arc::new(T::decode(bytes).expect("scanned OTLP decodes"))
        })
    }

    /// The decoded form, owned by the caller.
    pub fn into_message(self) -> T {
        self.message();
        let message = self.message.into_inner().unwrap_or_default();
        Arc::try_unwrap(message).unwrap_or_else(|shared| (*shared).clone())
    }

    /// Changes the data: copies it first if it is shared, and forgets the encoded form.
    pub fn modify<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> R {
        let mut message = std::mem::replace(self, Self::empty()).into_message();
        let result = change(&mut message);
        *self = Self::from_message(message);
        result
    }

    /// Data with nothing in it.
    pub fn empty() -> Self {
        Self::from_scanned(Bytes::new(), 0, false)
    }

    /// Spans, data points or log records.
    pub const fn items(&self) -> usize {
        self.items
    }

    /// Whether some log record may be an [`Event`](crate::Event): its event name begins with `watchfire.`.
    pub const fn may_hold_events(&self) -> bool {
        self.holds_events
    }

    /// Size in bytes when encoded; does not encode.
    pub fn encoded_len(&self) -> usize {
        match (self.bytes.get(), self.message.get()) {
            (Some(bytes), _) => bytes.len(),
            (None, Some(message)) => message.encoded_len(),
            (None, None) => 0,
        }
    }

    /// Whether structs exist already, so that taking them costs nothing.
    pub fn is_decoded(&self) -> bool {
        self.message.get().is_some()
    }
}

impl<T: Payload> fmt::Debug for Otlp<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({} items, {} bytes)", T::SIGNAL, self.items(), self.encoded_len())
    }
}

/// Equality of content, not of form.
impl<T: Payload> PartialEq for Otlp<T> {
    fn eq(&self, other: &Self) -> bool {
        self.message() == other.message()
    }
}
