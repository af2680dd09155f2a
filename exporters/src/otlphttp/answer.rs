//! What a response says about the batch that was sent.

use bytes::{Bytes, BytesMut};
use component::{Clock, ExportError};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use pdata::Signal;
use prost::Message;
use serde::Deserialize;
use transport::describe;
use transport::grpc::Status;

use crate::http_outcome::retry_after;
use crate::outgoing::{PartialSuccess, Response};

/// How much of a body is read; answers are a few bytes.
const MAX_BODY: usize = 64 * 1024;

/// Reads a response: the answer of a server that took the batch.
///
/// # Errors
/// If it did not take the batch.
pub(super) async fn read(
    response: reqwest::Response,
    signal: Signal,
    clock: &Clock,
) -> Result<Response, ExportError> {
    let (status, headers) = (response.status(), response.headers().clone());
    let body = body(response).await;
    if status.is_success() {
        // The batch was taken; an answer that cannot be read changes nothing about that.
        return Ok(body.and_then(|body| parse(&headers, body)).unwrap_or_else(|reason| {
            tracing::warn!(%signal, reason, "cannot read an answer");
            Response::default()
        }));
    }
    let message = body.ok().and_then(|body| message(&headers, &body)).unwrap_or_default();
    let reason =
        if message.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {message}") };
    Err(match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => {
            ExportError::Retryable { reason, after: retry_after(&headers, clock.now()) }
        }
        _ => ExportError::Permanent { reason },
    })
}

async fn body(mut response: reqwest::Response) -> Result<Bytes, String> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| describe(&error))? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(format!("it is larger than {MAX_BODY} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}

fn is_protobuf(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes).unwrap_or_default();
    kind.starts_with(b"application/x-protobuf") || kind.starts_with(b"application/protobuf")
}

/// An answer in JSON, whatever the signal.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct JsonAnswer {
    partial_success: Option<JsonPartial>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct JsonPartial {
    #[serde(alias = "rejectedSpans", alias = "rejectedDataPoints", alias = "rejectedLogRecords")]
    rejected: serde_json::Value,
    error_message: String,
}

/// A body that is neither protobuf nor JSON says nothing: some servers answer with an empty page.
fn parse(headers: &HeaderMap, body: Bytes) -> Result<Response, String> {
    if body.is_empty() {
        return Ok(Response::default());
    }
    if is_json(headers) {
        let answer: JsonAnswer = serde_json::from_slice(&body).map_err(|error| describe(&error))?;
        let partial_success = answer.partial_success.map(|partial| {
            // A 64-bit number is a string in protobuf's JSON; not everybody knows.
            let rejected = match &partial.rejected {
                serde_json::Value::String(text) => text.parse().unwrap_or_default(),
                value => value.as_i64().unwrap_or_default(),
            };
            PartialSuccess { rejected, error_message: partial.error_message }
        });
        return Ok(Response { partial_success });
    }
    if is_protobuf(headers) {
        return Response::decode(body).map_err(|error| describe(&error));
    }
    Ok(Response::default())
}

/// The message of the `google.rpc.Status` in an error's body.
fn message(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct JsonStatus {
        message: String,
    }
    if is_json(headers) {
        return serde_json::from_slice::<JsonStatus>(body).ok().map(|status| status.message);
    }
    is_protobuf(headers).then(|| Status::decode(body).map(|status| status.message)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: http::HeaderName, value: &str) -> HeaderMap {
        [(name, value.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn partial_success_is_read_in_both_encodings() {
        let partial = PartialSuccess { rejected: 3, error_message: "no".to_owned() };
        let expected = Response { partial_success: Some(partial) };
        for rejected in [r#""rejectedSpans":"3""#, r#""rejectedDataPoints":3"#, r#""rejectedLogRecords":"3""#]
        {
            let text = format!(r#"{{"partialSuccess":{{{rejected},"errorMessage":"no","new":1}}}}"#);
            let headers = headers(CONTENT_TYPE, "application/json; charset=utf-8");
            assert_eq!(parse(&headers, text.into()), Ok(expected.clone()));
        }
        let protobuf = headers(CONTENT_TYPE, "application/x-protobuf");
        assert_eq!(parse(&protobuf, expected.encode_to_vec().into()), Ok(expected));
        assert_eq!(parse(&headers(CONTENT_TYPE, "text/html"), "<p>ok".into()), Ok(Response::default()));
        assert_eq!(parse(&protobuf, Bytes::new()), Ok(Response::default()));
        assert!(parse(&protobuf, Bytes::from_static(b"\xff")).is_err());
    }
}
