//! Reading a request's body into one buffer of its size.
//!
//! In: a body as it comes in. Out: its bytes, or why they could not be read. A piece of a body lies in the connection's read
//! buffer and holds all of that; so each is copied at once, and the connection reads the next into the same buffer.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;
use transport::{BoxError, describe};

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("body is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the body broke off: {0}")]
    Broken(String),
}

/// Reads all of `body`, which says that it has `declared` bytes, if it is not larger than `limit`. `arrived` is told how many
/// bytes are held whenever more have come in.
pub(super) async fn read<B>(
    mut body: B,
    declared: Option<usize>,
    limit: usize,
    mut arrived: impl FnMut(usize),
) -> Result<Bytes, ReadError>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    let declared = declared.unwrap_or_default();
    if declared > limit {
        return Err(ReadError::TooLarge(limit));
    }
    let mut received = BytesMut::with_capacity(declared);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| ReadError::Broken(describe(&*error.into())))?;
        let Ok(data) = frame.into_data() else { continue };
        if received.len() + data.len() > limit {
            return Err(ReadError::TooLarge(limit));
        }
        received.extend_from_slice(&data);
        arrived(received.len());
    }
    Ok(received.freeze())
}

#[cfg(test)]
mod tests {
    use http_body_util::StreamBody;
    use hyper::body::Frame;

    use super::*;

    /// A body that comes in pieces.
    fn body(pieces: &[&'static [u8]]) -> impl Body<Data = Bytes, Error = BoxError> + Unpin {
        let frames: Vec<_> = pieces.iter().map(|piece| Ok(Frame::data(Bytes::from_static(piece)))).collect();
        StreamBody::new(futures::stream::iter(frames))
    }

    #[tokio::test]
    async fn pieces_become_one_body_whatever_was_declared() {
        for declared in [None, Some(0), Some(6), Some(100)] {
            let mut held = Vec::new();
            let read = read(body(&[b"ab", b"", b"cdef"]), declared, 100, |bytes| held.push(bytes)).await;
            assert_eq!(read.unwrap(), &b"abcdef"[..], "{declared:?}");
            assert_eq!(held, [2, 2, 6], "{declared:?}");
        }
    }

    #[tokio::test]
    async fn a_body_beyond_the_limit_is_refused_even_if_it_declared_less() {
        let exact = read(body(&[b"ab", b"cd"]), Some(4), 4, |_| {}).await;
        assert_eq!(exact.unwrap(), &b"abcd"[..]);
        for declared in [None, Some(1), Some(5)] {
            let mut most = 0;
            let refused = read(body(&[b"ab", b"cd", b"e"]), declared, 4, |bytes| most = bytes).await;
            assert!(matches!(refused, Err(ReadError::TooLarge(4))), "{declared:?}: {refused:?}");
            assert!(most <= 4);
        }
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_no_body() {
        let frames = [Ok(Frame::data(Bytes::from_static(b"ab"))), Err(BoxError::from("connection reset"))];
        let read = read(StreamBody::new(futures::stream::iter(frames)), Some(4), 4, |_| {}).await;
        assert_eq!(read.unwrap_err().to_string(), "the body broke off: connection reset");
    }
}
