//! How a gRPC call ended: codes, messages and `google.rpc.Status` with the time to wait.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use prost::Message;

/// Servers write details with and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const RETRY_INFO: &str = "google.rpc.RetryInfo";

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are gRPC's own")]
pub enum Code {
    Ok,
    Cancelled,
    Unknown,
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    OutOfRange,
    Unimplemented,
    Internal,
    Unavailable,
    DataLoss,
    Unauthenticated,
}

impl Code {
    const NAMES: [(Self, &'static str); 17] = [
        (Self::Ok, "OK"),
        (Self::Cancelled, "CANCELLED"),
        (Self::Unknown, "UNKNOWN"),
        (Self::InvalidArgument, "INVALID_ARGUMENT"),
        (Self::DeadlineExceeded, "DEADLINE_EXCEEDED"),
        (Self::NotFound, "NOT_FOUND"),
        (Self::AlreadyExists, "ALREADY_EXISTS"),
        (Self::PermissionDenied, "PERMISSION_DENIED"),
        (Self::ResourceExhausted, "RESOURCE_EXHAUSTED"),
        (Self::FailedPrecondition, "FAILED_PRECONDITION"),
        (Self::Aborted, "ABORTED"),
        (Self::OutOfRange, "OUT_OF_RANGE"),
        (Self::Unimplemented, "UNIMPLEMENTED"),
        (Self::Internal, "INTERNAL"),
        (Self::Unavailable, "UNAVAILABLE"),
        (Self::DataLoss, "DATA_LOSS"),
        (Self::Unauthenticated, "UNAUTHENTICATED"),
    ];

    /// The code of a number on the wire; [`Code::Unknown`] for one that gRPC does not define.
    pub fn from_number(number: i32) -> Self {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        Self::NAMES.get(index).map_or(Self::Unknown, |(code, _)| *code)
    }

    /// The number on the wire.
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// What gRPC says an HTTP status means that came without a gRPC status, as from a proxy.
    const fn of_http(status: StatusCode) -> Self {
        match status.as_u16() {
            400 => Self::Internal,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::Unimplemented,
            429 | 502..=504 => Self::Unavailable,
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize].1)
    }
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Status {
    /// What became of it.
    pub code: Code,
    /// Why, in the other side's words.
    pub message: String,
    /// How long the other side asked to wait before the next attempt (`RetryInfo`).
    pub retry_after: Option<Duration>,
}

#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}

#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

impl Status {
    /// A status with nothing about when to try again.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after: None }
    }

    /// Encodes it as `google.rpc.Status`.
    pub fn encode(&self) -> Bytes {
        let details = self.retry_after.map(|after| {
            let seconds = i64::try_from(after.as_secs()).unwrap_or(i64::MAX);
            let nanos = i32::try_from(after.subsec_nanos()).unwrap_or_default();
            let info = RetryInfo { retry_delay: Some(Delay { seconds, nanos }) };
            Any { type_url: format!("type.googleapis.com/{RETRY_INFO}"), value: info.encode_to_vec().into() }
        });
        let details = details.into_iter().collect();
        RpcStatus { code: self.code.number(), message: self.message.clone(), details }.encode_to_vec().into()
    }

    /// Decodes a `google.rpc.Status`; nothing if the bytes are none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let status = RpcStatus::decode(bytes).ok()?;
        let retry_after = status.details.iter().find_map(|detail| {
            let (_, name) = detail.type_url.rsplit_once('/').unwrap_or(("", &detail.type_url));
            (name == RETRY_INFO).then(|| RetryInfo::decode(detail.value.clone()).ok()?.retry_delay).flatten()
        });
        let retry_after = retry_after.map(|delay| {
            // A negative delay means at once.
            let seconds = u64::try_from(delay.seconds).unwrap_or_default();
            let nanos = u32::try_from(delay.nanos.clamp(0, 999_999_999)).unwrap_or_default();
            Duration::new(seconds, nanos)
        });
        Some(Self { code: Code::from_number(status.code), message: status.message, retry_after })
    }

    /// The status in a response's trailers, or in its headers if it has nothing else.
    pub(super) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| headers.get(name).map(http::HeaderValue::as_bytes);
        let number = std::str::from_utf8(text("grpc-status")?).ok().and_then(|code| code.parse().ok());
        let details = text("grpc-status-details-bin").and_then(|details| BASE64.decode(details).ok());
        let retry_after = details.and_then(|details| Self::decode(&details)?.retry_after);
        let message = percent_decode(text("grpc-message").unwrap_or_default());
        Some(Self { code: number.map_or(Code::Unknown, Code::from_number), message, retry_after })
    }

    /// The status of a response that has no gRPC status.
    pub(super) fn from_http(status: StatusCode) -> Self {
        Self::new(Code::of_http(status), format!("answered with HTTP status {status} and no gRPC status"))
    }
}

/// Undoes gRPC's encoding of messages in headers. What is not valid stays as it is, as gRPC demands.
fn percent_decode(text: &[u8]) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let escaped = match (first, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                out.push(high << 4 | low);
                rest = &tail[2..];
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_status_survives_its_encoded_form() {
        for retry_after in [None, Some(Duration::ZERO), Some(Duration::new(7, 250_000_000))] {
            let status = Status { retry_after, ..Status::new(Code::Unavailable, "no memory") };
            assert_eq!(Status::decode(&status.encode()), Some(status));
        }
    }

    #[test]
    fn headers_are_read_with_and_without_padding_and_whatever_they_hold() {
        let status = Status {
            retry_after: Some(Duration::from_secs(1)),
            ..Status::new(Code::ResourceExhausted, "füll%")
        };
        let padded = BASE64.encode(status.encode());
        for details in [padded.as_str(), padded.trim_end_matches('='), "***", ""] {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-status", HeaderValue::from_static("8"));
            headers.insert("grpc-message", HeaderValue::from_static("f%C3%BCll%"));
            headers.insert("grpc-status-details-bin", HeaderValue::from_str(details).unwrap());
            let read = Status::from_headers(&headers).unwrap();
            let retry_after = status.retry_after.filter(|_| details.len() > 3);
            assert_eq!(read, Status { retry_after, ..status.clone() }, "{details}");
        }
    }

    #[test]
    fn numbers_and_codes_agree_and_unknown_numbers_are_unknown() {
        for (index, (code, _)) in Code::NAMES.iter().enumerate() {
            assert_eq!(code.number(), i32::try_from(index).unwrap());
            assert_eq!(Code::from_number(code.number()), *code);
        }
        assert_eq!(Code::from_number(17), Code::Unknown);
        assert_eq!(Code::from_number(-1), Code::Unknown);
    }
}
