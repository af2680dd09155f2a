//! Clients and servers over real sockets.

use std::net::SocketAddr;

use bytes::Bytes;
use config::{Duration, Validate};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use super::{ClientSettings, Server, ServerSettings, client};
use crate::tls::{ClientTls, ServerTls};

/// Answers with the body it got.
async fn echo(request: Request<Incoming>) -> Response<Full<Bytes>> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    Response::new(Full::new(body))
}

/// Starts an echo server; dropping or firing the sender ends it.
async fn start(settings: &ServerSettings) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
    let server = Server::bind(settings).await.unwrap();
    let address = server.local_addr().unwrap();
    let (end, ended) = oneshot::channel();
    let serving = tokio::spawn(server.serve(echo, async { drop(ended.await) }));
    (address, end, serving)
}

#[tokio::test]
async fn a_client_and_a_server_understand_each_other_and_shutdown_ends_the_server() {
    let mut settings = ServerSettings::at("127.0.0.1:0");
    settings.response_headers.insert("x-served-by".to_owned(), "us".into());
    let (address, end, serving) = start(&settings).await;
    let client = client(&ClientSettings::default()).unwrap();
    let response = client.post(format!("http://{address}/")).body("hello").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["x-served-by"], "us");
    assert_eq!(response.text().await.unwrap(), "hello");
    drop(end);
    serving.await.unwrap();
    assert!(client.get(format!("http://{address}/")).send().await.is_err());
}

/// Answers `/read` with the length of the body; leaves all other bodies unread for as long as it lives.
async fn read_or_wait(request: Request<Incoming>) -> Response<Full<Bytes>> {
    if request.uri().path() != "/read" {
        let _unread = request;
        return std::future::pending().await;
    }
    let body = request.into_body().collect().await.unwrap().to_bytes();
    Response::new(Full::new(body.len().to_string().into()))
}

#[tokio::test]
async fn bodies_that_wait_to_be_read_do_not_keep_others_on_the_connection_out() {
    const BODY: usize = 4 << 20;
    let server = Server::bind(&ServerSettings::at("127.0.0.1:0")).await.unwrap();
    let stream = TcpStream::connect(server.local_addr().unwrap()).await.unwrap();
    tokio::spawn(server.serve(read_or_wait, std::future::pending()));
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = |path: &str| {
        let url = format!("http://127.0.0.1{path}");
        client.send_request(Request::post(url).body(Full::new(Bytes::from(vec![0; BODY]))).unwrap())
    };
    let mut waiting: JoinSet<_> = (0..31).map(|_| request("/wait")).collect();
    let read = async {
        let answer = request("/read").await.unwrap().into_body().collect().await.unwrap();
        assert_eq!(answer.to_bytes(), BODY.to_string());
    };
    tokio::select! {
        () = read => {}
        ended = waiting.join_next() => panic!("{ended:?}"),
        () = tokio::time::sleep(Duration::from_secs(20).get()) => panic!("the connection is stuck"),
    }
}

#[tokio::test]
async fn tls_is_spoken_with_who_is_trusted_and_nobody_else() {
    let ours = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let server_tls = ServerTls {
        cert_pem: ours.cert.pem().as_str().into(),
        key_pem: ours.signing_key.serialize_pem().as_str().into(),
        ..ServerTls::default()
    };
    let settings = ServerSettings { tls: Some(server_tls), ..ServerSettings::at("127.0.0.1:0") };
    settings.validate().unwrap();
    let (address, _end, _serving) = start(&settings).await;
    let url = format!("https://{address}/");

    let trusting = ClientTls { ca_pem: ours.cert.pem().as_str().into(), ..ClientTls::default() };
    let trusting = client(&ClientSettings { tls: trusting, ..ClientSettings::default() }).unwrap();
    let response = trusting.post(&url).body("secret").send().await.unwrap();
    assert_eq!(response.version(), http::Version::HTTP_2);
    assert_eq!(response.text().await.unwrap(), "secret");

    let other = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let wary = ClientTls { ca_pem: other.cert.pem().as_str().into(), ..ClientTls::default() };
    let wary = client(&ClientSettings { tls: wary, ..ClientSettings::default() }).unwrap();
    assert!(wary.post(&url).body("secret").send().await.is_err());

    let careless = ClientTls { insecure_skip_verify: true, ..ClientTls::default() };
    let careless = client(&ClientSettings { tls: careless, ..ClientSettings::default() }).unwrap();
    assert!(careless.post(&url).body("secret").send().await.is_ok());
}

/// Sends `text` over a connection of its own and reads what comes back until the server closes it.
async fn until_closed(address: SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn connections_that_idle_or_dawdle_are_closed() {
    let millisecond = Duration::from_millis(1);
    let idle = ServerSettings { idle_timeout: millisecond, ..ServerSettings::at("127.0.0.1:0") };
    let (address, _end, _serving) = start(&idle).await;
    assert_eq!(until_closed(address, "").await, "");
    let slow = ServerSettings { read_header_timeout: millisecond, ..ServerSettings::at("127.0.0.1:0") };
    let (address, _end, _serving) = start(&slow).await;
    assert_eq!(until_closed(address, "GET / HTTP/1.1\r\nhost:").await, "");
}

#[tokio::test]
async fn a_connection_serves_one_request_without_keep_alive() {
    let settings = ServerSettings { keep_alives_enabled: false, ..ServerSettings::at("127.0.0.1:0") };
    let (address, _end, _serving) = start(&settings).await;
    let request = "GET / HTTP/1.1\r\nhost: here\r\n\r\n";
    let answer = until_closed(address, &request.repeat(2)).await;
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 1, "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn an_address_that_is_taken_is_an_error_that_names_it() {
    let (address, _end, _serving) = start(&ServerSettings::at("127.0.0.1:0")).await;
    let taken = Server::bind(&ServerSettings::at(address.to_string())).await.unwrap_err();
    assert_eq!(taken.to_string(), format!("cannot listen on {address}"));
}

#[test]
fn settings_that_cannot_work_are_refused() {
    assert!(ServerSettings::at("localhost").validate().is_err());
    assert!(ServerSettings::at("localhost:4318").validate().is_ok());
    let tls = ServerSettings { tls: Some(ServerTls::default()), ..ServerSettings::at("localhost:4318") };
    assert_eq!(tls.validate().unwrap_err().field, "tls.cert_file");
    let client = ClientSettings { endpoint: "localhost:4318".to_owned(), ..ClientSettings::default() };
    assert_eq!(client.validate().unwrap_err().field, "endpoint");
}
