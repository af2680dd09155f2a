//! Bodies of responses: `Export*ServiceResponse` and `google.rpc.Status`, as protobuf and as JSON.

use bytes::Bytes;
use pdata::Signal;
use prost::Message;
use serde_json::json;
use transport::grpc::Status;

use super::intake::{Accepted, Format};

/// The response of all three services: they differ in names only.
#[derive(Clone, PartialEq, Message)]
struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// Encodes the response to a request that was taken in.
pub(super) fn accepted(signal: Signal, format: Format, accepted: &Accepted) -> Bytes {
    let is_whole = *accepted == Accepted::default();
    match format {
        // An empty message is full success.
        Format::Protobuf if is_whole => Bytes::new(),
        Format::Protobuf => {
            let rejected = i64::try_from(accepted.rejected).unwrap_or(i64::MAX);
            let partial = PartialSuccess { rejected, error_message: accepted.message.clone() };
            ExportResponse { partial_success: Some(partial) }.encode_to_vec().into()
        }
        Format::Json if is_whole => Bytes::from_static(b"{}"),
        Format::Json => {
            let name = match signal {
                Signal::Traces => "rejectedSpans",
                Signal::Metrics => "rejectedDataPoints",
                Signal::Logs | Signal::Events => "rejectedLogRecords",
            };
            // 64-bit numbers are text in protobuf's JSON.
            let rejected = accepted.rejected.to_string();
            let partial = json!({"partialSuccess": {name: rejected, "errorMessage": accepted.message}});
            partial.to_string().into()
        }
    }
}

/// Encodes why a request was refused.
pub(super) fn refused(format: Format, status: &Status) -> Bytes {
    match format {
        Format::Protobuf => status.encode(),
        Format::Json => {
            let details: Vec<_> = status
                .retry_after
                .map(|after| {
                    json!({
                        "@type": "type.googleapis.com/google.rpc.RetryInfo",
                        "retryDelay": format!("{}s", after.as_secs_f64()),
                    })
                })
                .into_iter()
                .collect();
            let body = json!({"code": status.code.number(), "message": status.message, "details": details});
            body.to_string().into()
        }
    }
}
