//! A client and a server over real sockets.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use config::Validate;
use futures::stream;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Client, ClientSettings, Code, ServerSettings, Status};
use crate::compression::{Compression, Encoding};
use crate::tls::{ClientTls, ServerTls};

const METHOD: &str = "/a.Service/Method";

type Frames = stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>;

/// Answers with the message it got, compressed as it came; `fail` fails with details, `page` is no gRPC.
async fn answer(request: Request<Incoming>) -> Response<StreamBody<Frames>> {
    let encoding = request.headers().get("grpc-encoding").cloned();
    let mut body = request.into_body().collect().await.unwrap().to_bytes();
    let prefix = body.split_to(5);
    assert_eq!(u32::from_be_bytes(prefix[1..].try_into().unwrap()) as usize, body.len());
    let mut response = Response::new(());
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    let name = encoding.as_ref().map_or("", |name| name.to_str().unwrap());
    let message = Encoding::from_header(name).unwrap().decode(body.clone(), 1 << 20).unwrap();
    let mut trailers = HeaderMap::new();
    let mut frames = Vec::new();
    match &message[..] {
        b"fail" => {
            use base64::Engine;
            let status =
                Status { retry_after: Some(Duration::from_secs(3)), ..Status::new(Code::Aborted, "") };
            let details = base64::engine::general_purpose::STANDARD_NO_PAD.encode(status.encode());
            trailers.insert("grpc-status", HeaderValue::from_static("10"));
            trailers.insert("grpc-message", HeaderValue::from_static("not%20now"));
            trailers.insert("grpc-status-details-bin", details.parse().unwrap());
        }
        b"page" => {
            *response.status_mut() = http::StatusCode::BAD_GATEWAY;
            response.headers_mut().remove("content-type");
        }
        _ => {
            let mut framed = BytesMut::from(&prefix[..]);
            framed.put(body);
            frames.push(Ok(Frame::data(framed.freeze())));
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            encoding.map(|encoding| response.headers_mut().insert("grpc-encoding", encoding));
        }
    }
    frames.push(Ok(Frame::trailers(trailers)));
    response.map(|()| StreamBody::new(stream::iter(frames)))
}

async fn start(settings: &ServerSettings) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
    let server = settings.bind().await.unwrap();
    let address = server.local_addr().unwrap();
    let (end, ended) = oneshot::channel();
    let serving = tokio::spawn(server.serve(answer, async { drop(ended.await) }));
    (address, end, serving)
}

fn local() -> ServerSettings {
    ServerSettings { endpoint: "127.0.0.1:0".to_owned(), ..ServerSettings::default() }
}

fn plain(address: SocketAddr) -> ClientSettings {
    ClientSettings { endpoint: format!("http://{address}"), ..ClientSettings::default() }
}

async fn call(client: &Client, message: &'static str) -> Result<Bytes, Status> {
    client.call(METHOD, &Bytes::from_static(message.as_bytes())).await
}

#[tokio::test]
async fn messages_arrive_and_come_back_however_they_are_compressed() {
    let (address, _end, _serving) = start(&local()).await;
    for compression in [Compression::Gzip, Compression::Zstd, Compression::None] {
        let client = Client::new(&ClientSettings { compression, ..plain(address) }).unwrap();
        for message in ["", "hello", "hello again"] {
            assert_eq!(call(&client, message).await.unwrap(), message, "{compression:?}");
        }
    }
}

#[tokio::test]
async fn failures_keep_their_code_message_and_time_to_wait() {
    let (address, _end, _serving) = start(&local()).await;
    let client = Client::new(&plain(address)).unwrap();
    let status = call(&client, "fail").await.unwrap_err();
    let expected =
        Status { retry_after: Some(Duration::from_secs(3)), ..Status::new(Code::Aborted, "not now") };
    assert_eq!(status, expected);
    assert_eq!(call(&client, "page").await.unwrap_err().code, Code::Unavailable);
}

#[tokio::test]
async fn a_lost_connection_is_opened_again_by_the_next_call() {
    let (address, end, serving) = start(&local()).await;
    let client = Client::new(&plain(address)).unwrap();
    call(&client, "hello").await.unwrap();
    drop(end);
    serving.await.unwrap();
    let status = call(&client, "hello").await.unwrap_err();
    assert_eq!(status.code, Code::Unavailable, "{status}");
    let again = ServerSettings { endpoint: address.to_string(), ..ServerSettings::default() };
    let (_, _end, _serving) = start(&again).await;
    assert_eq!(call(&client, "hello").await.unwrap(), "hello");
}

#[tokio::test]
async fn who_waits_for_ready_is_served_as_soon_as_there_is_a_server() {
    let (address, end, serving) = start(&local()).await;
    drop(end);
    serving.await.unwrap();
    let client = Client::new(&ClientSettings { wait_for_ready: true, ..plain(address) }).unwrap();
    let attempts = Arc::new(AtomicUsize::new(0));
    let started = Arc::clone(&attempts);
    let waiting = tokio::spawn(async move {
        started.fetch_add(1, Ordering::SeqCst);
        call(&client, "hello").await
    });
    while attempts.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let again = ServerSettings { endpoint: address.to_string(), ..ServerSettings::default() };
    let (_, _end, _serving) = start(&again).await;
    assert_eq!(waiting.await.unwrap().unwrap(), "hello");
}

#[tokio::test]
async fn both_sides_can_be_made_to_show_certificates() {
    let server = rcgen::generate_simple_self_signed(vec!["otel.example.com".to_owned()]).unwrap();
    let ours = rcgen::generate_simple_self_signed(vec!["agent".to_owned()]).unwrap();
    let clients = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(clients.path(), ours.cert.pem()).unwrap();
    let tls = ServerTls {
        cert_pem: server.cert.pem().as_str().into(),
        key_pem: server.signing_key.serialize_pem().as_str().into(),
        client_ca_file: clients.path().display().to_string(),
        ..ServerTls::default()
    };
    let (address, _end, _serving) = start(&ServerSettings { tls: Some(tls), ..local() }).await;
    let trusting = ClientTls { ca_pem: server.cert.pem().as_str().into(), ..ClientTls::default() };
    let mutual = ClientTls {
        cert_pem: ours.cert.pem().as_str().into(),
        key_pem: ours.signing_key.serialize_pem().as_str().into(),
        ..trusting.clone()
    };
    let client = |tls: &ClientTls, authority: &str| {
        let settings = ClientSettings {
            // TLS is what an endpoint without a scheme means.
            endpoint: address.to_string(),
            tls: tls.clone(),
            authority: authority.to_owned(),
            ..ClientSettings::default()
        };
        settings.validate().unwrap();
        Client::new(&settings).unwrap()
    };
    assert_eq!(call(&client(&mutual, "otel.example.com"), "hello").await.unwrap(), "hello");
    let named = ClientTls { server_name_override: "otel.example.com".to_owned(), ..mutual.clone() };
    assert_eq!(call(&client(&named, ""), "hello").await.unwrap(), "hello");
    for (tls, authority) in [
        (&mutual, ""),
        (&trusting, "otel.example.com"),
        (&ClientTls { insecure: true, ..mutual.clone() }, "otel.example.com"),
    ] {
        let status = call(&client(tls, authority), "hello").await.unwrap_err();
        assert_eq!(status.code, Code::Unavailable, "{tls:?} {authority}: {status}");
    }
}

#[test]
fn settings_that_cannot_work_are_named() {
    let valid = ClientSettings { endpoint: "otel:4317".to_owned(), ..ClientSettings::default() };
    valid.validate().unwrap();
    for (field, settings) in [
        ("endpoint", ClientSettings::default()),
        ("endpoint", ClientSettings { endpoint: "otel".to_owned(), ..valid.clone() }),
        ("compression", ClientSettings { compression: Compression::Deflate, ..valid.clone() }),
        ("balancer_name", ClientSettings { balancer_name: "best".to_owned(), ..valid.clone() }),
        ("authority", ClientSettings { authority: "a b".to_owned(), ..valid.clone() }),
        ("headers", ClientSettings { headers: [("a b".to_owned(), "c".into())].into(), ..valid.clone() }),
    ] {
        assert_eq!(settings.validate().unwrap_err().field, field);
    }
}
