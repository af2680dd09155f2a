//! The server's side of a unary call: the encoded message out of a request, and the response with the outcome.

use std::pin::Pin;
use std::task::{Context, Poll};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};

use super::status::{Code, Status};
use crate::compression::{DecompressError, Encoding};
use crate::{BoxError, describe};

/// A call whose message has not been read yet.
#[derive(Debug)]
pub struct Call<B> {
    encoding: Option<Encoding>,
    body: B,
}

/// The byte that says whether a message is compressed, and its length.
const PREFIX: usize = 5;
/// What is reserved at most before a message's bytes have arrived: its length is the sender's word only.
const MAX_TRUSTED: usize = 1 << 20;
/// The encodings that [`Call::message`] understands.
const ENCODINGS: HeaderValue = HeaderValue::from_static("gzip,zstd,deflate,identity");
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

impl<B> Call<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    /// Takes the call out of a request.
    ///
    /// # Errors
    /// If it is no gRPC call, or compressed in a way that is not known.
    pub fn new(request: Request<B>) -> Result<Self, Status> {
        let (head, body) = request.into_parts();
        let kind = head.headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        if head.method != Method::POST || !kind.starts_with(b"application/grpc") {
            return Err(Status::new(Code::Internal, "not a gRPC call"));
        }
        let encoding = match head.headers.get("grpc-encoding") {
            None => None,
            Some(name) => {
                let known = name.to_str().ok().and_then(Encoding::from_header);
                let unknown = || Status::new(Code::Unimplemented, "this grpc-encoding is not supported");
                Some(known.ok_or_else(unknown)?)
            }
        };
        Ok(Self { encoding, body })
    }

    /// Reads the message and decompresses it to at most `limit` bytes. `arrived` is told how many bytes of it are held
    /// whenever more have come in.
    ///
    /// # Errors
    /// If it is larger, cut off, not compressed as it claims to be, or not the only one.
    pub async fn message(mut self, limit: usize, mut arrived: impl FnMut(usize)) -> Result<Bytes, Status> {
        let mut received = BytesMut::new();
        let mut expected = None;
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| {
                Status::new(Code::Cancelled, format!("the call broke off: {}", describe(&*error.into())))
            })?;
            let Ok(data) = frame.into_data() else { continue };
            if expected.is_none() && received.is_empty() && data.len() >= PREFIX {
                let length = length(&data, limit)?;
                expected = Some(length);
                if data.len() == PREFIX + length {
                    // The whole message in one frame: nothing to copy, unless more follows.
                    arrived(data.len());
                    return self.finish(data, limit).await;
                }
                received.reserve((PREFIX + length).min(MAX_TRUSTED));
            }
            received.extend_from_slice(&data);
            drop(data);
            arrived(received.len());
            if expected.is_none() && received.len() >= PREFIX {
                expected = Some(length(&received, limit)?);
            }
            if expected.is_some_and(|length| received.len() > PREFIX + length) {
                return Err(Status::new(Code::InvalidArgument, "a call takes one message"));
            }
        }
        decode(self.encoding, received.freeze(), limit)
    }

    /// Makes sure that a message that seems complete is, and the only one.
    async fn finish(mut self, message: Bytes, limit: usize) -> Result<Bytes, Status> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| {
                Status::new(Code::Cancelled, format!("the call broke off: {}", describe(&*error.into())))
            })?;
            if frame.data_ref().is_some_and(|data| !data.is_empty()) {
                return Err(Status::new(Code::InvalidArgument, "a call takes one message"));
            }
        }
        decode(self.encoding, message, limit)
    }
}

/// The length of the message behind a prefix.
fn length(mut prefix: &[u8], limit: usize) -> Result<usize, Status> {
    prefix.advance(1);
    let length = prefix.get_u32() as usize;
    if length > limit { Err(too_large(limit)) } else { Ok(length) }
}

fn too_large(limit: usize) -> Status {
    Status::new(Code::ResourceExhausted, format!("message is larger than {limit} bytes"))
}

/// Takes the message out of all that a call sent.
fn decode(encoding: Option<Encoding>, mut received: Bytes, limit: usize) -> Result<Bytes, Status> {
    let invalid = |reason| Status::new(Code::InvalidArgument, reason);
    if received.len() < PREFIX {
        return Err(invalid("the call has no message"));
    }
    let flag = received.get_u8();
    let length = received.get_u32() as usize;
    if received.len() != length {
        return Err(invalid("the message is cut off"));
    }
    let encoding = match (flag, encoding) {
        (0, _) => Encoding::Identity,
        (1, Some(encoding)) => encoding,
        (1, None) => return Err(invalid("the message is compressed, but the call does not say how")),
        _ => return Err(invalid("this is no gRPC message")),
    };
    encoding.decode(received, limit).map_err(|error| match error {
        DecompressError::TooLarge { .. } => too_large(limit),
        DecompressError::Malformed { .. } => Status::new(Code::InvalidArgument, error.to_string()),
    })
}

/// The response to a unary call.
pub fn respond(outcome: Result<Bytes, Status>) -> Response<Answer> {
    let (mut response, status) = match outcome {
        Ok(message) => {
            let mut data = BytesMut::with_capacity(PREFIX + message.len());
            data.put_u8(0);
            // Answers are a few bytes.
            data.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
            data.extend_from_slice(&message);
            let mut trailers = HeaderMap::with_capacity(1);
            trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
            (Response::new(Answer { data: Some(data.freeze()), trailers: Some(trailers) }), None)
        }
        Err(status) => (Response::new(Answer { data: None, trailers: None }), Some(status)),
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, GRPC);
    if let Some(status) = status {
        headers.insert(GRPC_ACCEPT_ENCODING, ENCODINGS);
        headers.insert(GRPC_STATUS, status.code.number().into());
        if let Ok(message) = HeaderValue::from_str(&percent_encode(&status.message)) {
            headers.insert(GRPC_MESSAGE, message);
        }
        if status.retry_after.is_some()
            && let Ok(details) = HeaderValue::from_str(&STANDARD_NO_PAD.encode(status.encode()))
        {
            headers.insert(GRPC_DETAILS, details);
        }
    }
    response
}

/// gRPC's encoding of text in headers.
fn percent_encode(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        match byte {
            b' '..=b'~' if byte != b'%' => out.push(char::from(byte)),
            // Writing to a string does not fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
        out
    })
}

/// The body of a response: a message and the status, or nothing if the status is in the headers.
#[derive(Debug)]
pub struct Answer {
    data: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = match self.data.take() {
            Some(data) => Some(Frame::data(data)),
            None => self.trailers.take().map(Frame::trailers),
        };
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.data.as_ref().map_or(0, Bytes::len) as u64)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::StreamBody;
    use proptest::prelude::*;

    use super::*;
    use crate::compression::Compression;

    /// Reads a call whose body arrives in `frames`.
    async fn read(encoding: Option<&str>, frames: Vec<Bytes>, limit: usize) -> Result<Bytes, Status> {
        let frames = frames.into_iter().map(|data| Ok::<_, BoxError>(Frame::data(data)));
        let mut request = Request::post("/service/Method").header(CONTENT_TYPE, "application/grpc+proto");
        if let Some(encoding) = encoding {
            request = request.header("grpc-encoding", encoding);
        }
        let request = request.body(StreamBody::new(futures::stream::iter(frames))).unwrap();
        Call::new(request)?.message(limit, |_| {}).await
    }

    fn framed(flag: u8, message: &[u8]) -> Bytes {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        [&[flag], &length[..], message].concat().into()
    }

    fn in_pieces(body: &Bytes, size: usize) -> Vec<Bytes> {
        (0..body.len()).step_by(size).map(|at| body.slice(at..body.len().min(at + size))).collect()
    }

    #[tokio::test]
    async fn a_message_is_the_same_however_it_is_cut_and_compressed() {
        let message = Bytes::from(b"what a message holds ".repeat(50));
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd, Compression::Deflate] {
            let flag = u8::from(compression.header().is_some());
            let body = framed(flag, &compression.encode(&message).unwrap());
            for size in [1, 4, 5, 6, 100, body.len()] {
                let read = read(compression.header(), in_pieces(&body, size), message.len()).await;
                assert_eq!(read.as_ref(), Ok(&message), "{compression:?} in pieces of {size}");
            }
            let smaller = read(compression.header(), vec![body], message.len() - 1).await;
            assert_eq!(smaller.unwrap_err().code, Code::ResourceExhausted, "{compression:?}");
        }
    }

    #[tokio::test]
    async fn what_is_not_one_message_is_refused_for_good() {
        let whole = framed(0, b"message");
        let cases = [
            (None, vec![]),
            (None, vec![whole.slice(..3)]),
            (None, vec![whole.slice(..8)]),
            (None, vec![whole.clone(), whole.clone()]),
            (None, vec![[&whole[..], &whole[..]].concat().into()]),
            (None, vec![framed(1, b"message")]),
            (Some("gzip"), vec![framed(1, b"message")]),
            (Some("gzip"), vec![framed(2, b"message")]),
        ];
        for (encoding, frames) in cases {
            let code = read(encoding, frames.clone(), 100).await.unwrap_err().code;
            assert_eq!(code, Code::InvalidArgument, "{encoding:?} {frames:?}");
        }
        assert_eq!(read(Some("br"), vec![whole], 100).await.unwrap_err().code, Code::Unimplemented);
    }

    #[tokio::test]
    async fn a_status_is_read_back_from_the_response() {
        let status = Status {
            retry_after: Some(std::time::Duration::from_millis(1500)),
            ..Status::new(Code::Unavailable, "50% of 'größe'\n")
        };
        let (head, body) = respond(Err(status.clone())).into_parts();
        assert_eq!(head.headers["grpc-status"], "14");
        assert_eq!(head.headers["grpc-message"], "50%25 of 'gr%C3%B6%C3%9Fe'%0A");
        let details = STANDARD_NO_PAD.decode(&head.headers["grpc-status-details-bin"]).unwrap();
        assert_eq!(Status::decode(&details), Some(status));
        assert!(body.is_end_stream());
        let body = respond(Ok(Bytes::from_static(b"done"))).into_body().collect().await.unwrap();
        assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
        assert_eq!(body.to_bytes(), framed(0, b"done"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_go_beyond_the_limit(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6),
            gzip: bool,
        ) {
            let frames = frames.into_iter().map(Bytes::from).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            if let Ok(message) = runtime.block_on(read(gzip.then_some("gzip"), frames, 64)) {
                prop_assert!(message.len() <= 64);
            }
        }
    }
}
