//! Probes of real servers on this machine.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use ::config::{Opaque, Section};
use ::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use ::http::{Request, Response};
use bytes::Bytes;
use component::Kind;
use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::A;
use hickory_resolver::proto::rr::{RData, Record};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use pdata::proto::common::any_value::Value as Any;
use pdata::proto::metrics::{NumberDataPoint, metric, number_data_point};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::{Value, json};
use tokio::net::{TcpListener, UdpSocket};
use transport::http::{Server, ServerSettings};
use transport::tls::ServerTls;

use super::*;

/// Points of one metric: attributes as text, and the value.
type Found = Vec<(BTreeMap<String, String>, f64)>;

fn prober(config: &Value) -> Prober {
    let context = Context::detached(Kind::Receiver, "probe");
    context.clock.advance_to(Timestamp::from_secs(1_800_000_000));
    let config = Section::from_json("probe", config).parse::<Config>().unwrap();
    Probe::new(&config, &context).unwrap().prober
}

async fn probe(config: &Value) -> Metrics {
    prober(config).collect().await.unwrap().expect("there is something to report")
}

fn found(metrics: &Metrics, name: &str) -> Found {
    let message = metrics.clone().into_message();
    let resources = message.resource_metrics.into_iter();
    let all = resources.flat_map(|resource| resource.scope_metrics).flat_map(|scope| scope.metrics);
    let points = all.filter(|metric| metric.name == name).flat_map(|metric| match metric.data {
        Some(metric::Data::Gauge(gauge)) => gauge.data_points,
        Some(metric::Data::Sum(sum)) => sum.data_points,
        _ => Vec::new(),
    });
    points.map(point).collect()
}

fn point(point: NumberDataPoint) -> (BTreeMap<String, String>, f64) {
    let value = match point.value.unwrap() {
        number_data_point::Value::AsInt(value) => value as f64,
        number_data_point::Value::AsDouble(value) => value,
    };
    let attributes = point.attributes.into_iter().map(|attribute| {
        let value = match attribute.value.unwrap().value.unwrap() {
            Any::StringValue(text) => text,
            other => format!("{other:?}"),
        };
        (attribute.key, value)
    });
    (attributes.collect(), value)
}

fn values(metrics: &Metrics, name: &str) -> Vec<f64> {
    found(metrics, name).into_iter().map(|(_, value)| value).collect()
}

fn error(metrics: &Metrics) -> String {
    let errors = found(metrics, "probe.error");
    errors.first().map(|(attributes, _)| attributes["error.message"].clone()).unwrap_or_default()
}

/// A server that answers with `answer`; it ends with the test.
async fn serve<F>(settings: ServerSettings, answer: F) -> SocketAddr
where
    F: Fn(Request<Bytes>) -> Response<Full<Bytes>> + Clone + Send + Sync + 'static,
{
    let server = Server::bind(&settings).await.unwrap();
    let address = server.local_addr().unwrap();
    let handler = move |request: Request<Incoming>| {
        let answer = answer.clone();
        async move {
            let (parts, body) = request.into_parts();
            answer(Request::from_parts(parts, body.collect().await.unwrap().to_bytes()))
        }
    };
    tokio::spawn(server.serve(handler, std::future::pending()));
    address
}

fn plain() -> ServerSettings {
    ServerSettings::at("127.0.0.1:0")
}

fn answer(status: u16, body: &str) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(body.to_owned().into()).unwrap()
}

#[tokio::test]
async fn an_answer_is_reported_as_the_collector_does_and_with_its_phases() {
    let address = serve(plain(), |_| answer(200, r#"{"status": "UP"}"#)).await;
    let url = format!("http://{address}/health");
    let metrics = probe(&json!({
        "targets": [{"endpoints": [url], "validations": [
            {"json_path": "status", "equals": "UP"}, {"contains": "DOWN"}, {"min_size": 1, "max_size": 100}]}],
        "metrics": {
            "httpcheck.validation.passed": {"enabled": true}, "httpcheck.response.size": {"enabled": true},
            "httpcheck.client.connection.duration": {"enabled": true}},
    }))
    .await;
    let statuses = found(&metrics, "httpcheck.status");
    assert_eq!(statuses.iter().map(|(_, value)| *value).collect::<Vec<_>>(), [0.0, 1.0, 0.0, 0.0, 0.0]);
    let (attributes, _) = &statuses[1];
    assert_eq!(attributes["http.url"], url);
    assert_eq!(attributes["http.status_class"], "2xx");
    assert_eq!(attributes["http.status_code"], "IntValue(200)");
    assert!(!statuses[0].0.contains_key("http.status_code"));
    assert_eq!(values(&metrics, "httpcheck.response.size"), [16.0]);
    let counts = |name| {
        let counts = found(&metrics, name).into_iter();
        counts.map(|(attributes, count)| (attributes["validation.type"].clone(), count)).collect::<Vec<_>>()
    };
    assert_eq!(
        counts("httpcheck.validation.passed"),
        [("json_path".to_owned(), 1.0), ("size".to_owned(), 2.0)]
    );
    assert_eq!(counts("httpcheck.validation.failed"), [("contains".to_owned(), 1.0)]);
    assert_eq!(values(&metrics, "probe.success"), [0.0], "one validation does not hold");
    assert_eq!(error(&metrics), "validation failed: contains");
    assert!(values(&metrics, "httpcheck.client.connection.duration")[0] > 0.0);
    let phases = found(&metrics, "probe.phase.duration");
    let phases: Vec<_> = phases.iter().map(|(attributes, _)| attributes["probe.phase"].as_str()).collect();
    assert_eq!(phases, ["connect", "request", "response"]);
    assert!(
        values(&metrics, "httpcheck.dns.lookup.duration").is_empty(),
        "it is off unless it is switched on"
    );
}

#[tokio::test]
async fn a_request_has_the_method_headers_and_body_of_its_target() {
    let address = serve(plain(), |request| {
        let header =
            |name| request.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let fine = request.method() == "POST"
            && request.uri() == "/a?b=c"
            && header("x-token") == "secret"
            && header(CONTENT_TYPE.as_str()) == "application/json"
            && header("host").starts_with("127.0.0.1:")
            && request.body() == "{}";
        answer(if fine { 200 } else { 400 }, "")
    })
    .await;
    let metrics = probe(&json!({"targets": [{
        "endpoint": format!("http://{address}/a?b=c"), "method": "POST", "headers": {"X-Token": "secret"},
        "body": "{}", "auto_content_type": true}]}))
    .await;
    assert_eq!(error(&metrics), "");
    assert_eq!(values(&metrics, "probe.success"), [1.0]);
}

#[tokio::test]
async fn redirects_are_followed_up_to_the_cap_and_credentials_stay_with_their_server() {
    let last = serve(plain(), |request| {
        answer(if request.headers().contains_key(AUTHORIZATION) { 500 } else { 200 }, "")
    })
    .await;
    let first = serve(plain(), move |request| {
        let location = match request.uri().path() {
            "/first" => "/second".to_owned(),
            "/second" if request.headers().contains_key(AUTHORIZATION) => format!("http://{last}/"),
            _ => "/loop".to_owned(),
        };
        Response::builder().status(302).header(LOCATION, location).body(Full::default()).unwrap()
    })
    .await;
    let target = |path: &str, max_redirects: u32| {
        json!({"targets": [{"endpoint": format!("http://{first}{path}"), "max_redirects": max_redirects,
            "headers": {"Authorization": "Bearer x"}}]})
    };
    assert_eq!(values(&probe(&target("/first", 2)).await, "httpcheck.status"), [0.0, 1.0, 0.0, 0.0, 0.0]);
    assert_eq!(error(&probe(&target("/first", 1)).await), "more than 1 redirects");
    assert_eq!(error(&probe(&target("/loop", 10)).await), "more than 10 redirects");
    let unfollowed = probe(&target("/first", 0)).await;
    assert_eq!(values(&unfollowed, "httpcheck.status"), [0.0, 0.0, 1.0, 0.0, 0.0]);
    assert_eq!(values(&unfollowed, "probe.success"), [1.0]);
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_an_error() {
    let address = serve(plain(), |_| answer(200, &"x".repeat(3000))).await;
    let target = |size: &str| json!({"targets": [{"endpoint": format!("http://{address}"), "max_response_size": size}]});
    assert_eq!(error(&probe(&target("2KiB")).await), "the body is larger than 2KiB");
    assert_eq!(values(&probe(&target("4KiB")).await, "probe.success"), [1.0]);
}

/// An address that nobody listens on.
async fn deaf() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn a_refused_connection_is_an_error_of_every_kind_of_target_and_counted() {
    let address = deaf().await.to_string();
    let mut prober = prober(&json!({
        "targets": [{"endpoint": format!("http://{address}")}],
        "tcp": [{"endpoint": address}],
        "tls": [{"endpoint": address}],
    }));
    prober.collect().await.unwrap();
    let metrics = prober.collect().await.unwrap().unwrap();
    assert_eq!(values(&metrics, "probe.success"), [0.0; 3]);
    assert!(error(&metrics).starts_with("cannot connect: "), "{}", error(&metrics));
    assert_eq!(values(&metrics, "httpcheck.status"), [0.0; 5]);
    assert_eq!(values(&metrics, "httpcheck.error"), [1.0]);
    assert_eq!(values(&metrics, "tcpcheck.status"), [0.0]);
    let errors = found(&metrics, "tcpcheck.error");
    assert_eq!(errors[0].0["error.code"], "connection_refused");
    assert_eq!(errors[0].1, 2.0, "counted from the start");
    assert_eq!((prober.succeeded.get(), prober.failed.get()), (0, 6));
}

#[tokio::test]
async fn a_tcp_server_that_takes_connections_is_well() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let metrics = probe(&json!({"tcp": [{"endpoint": address, "timeout": "0s"}]})).await;
    assert_eq!(values(&metrics, "tcpcheck.status"), [1.0]);
    assert_eq!(values(&metrics, "probe.success"), [1.0]);
    assert!(values(&metrics, "tcpcheck.error").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_costs_the_timeout_and_no_more() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let metrics = probe(&json!({
        "timeout": "3s",
        "targets": [{"endpoint": format!("http://{address}")}],
        "tls": [{"endpoint": address, "timeout": "2s"}],
    }))
    .await;
    assert_eq!(values(&metrics, "probe.success"), [0.0, 0.0]);
    let durations = values(&metrics, "probe.duration");
    assert!((durations[0] - 3.0).abs() < 0.1 && (durations[1] - 2.0).abs() < 0.1, "{durations:?}");
}

/// A server certificate for `localhost` that signs itself, and settings of a server that shows it.
fn certified(last_year: i32) -> (String, ServerSettings) {
    let key = KeyPair::generate().unwrap();
    let mut parameters =
        CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    parameters.not_before = date_time_ymd(2020, 1, 1);
    parameters.not_after = date_time_ymd(last_year, 1, 1);
    let pem = parameters.self_signed(&key).unwrap().pem();
    let tls = ServerTls {
        cert_pem: Opaque::from(pem.as_str()),
        key_pem: Opaque::from(key.serialize_pem().as_str()),
        ..ServerTls::default()
    };
    (pem, ServerSettings { tls: Some(tls), ..plain() })
}

#[tokio::test]
async fn https_is_asked_over_http2_and_the_certificate_must_be_good() {
    let (pem, settings) = certified(2100);
    let address = serve(settings, |request| answer(200, &format!("{:?}", request.version()))).await;
    let target = |tls: Value, version: &str| {
        json!({"targets": [{"endpoint": format!("https://{address}/"), "tls": tls,
                "validations": [{"contains": version}], "force_attempt_http2": version == "HTTP/2.0"}],
            "metrics": {"httpcheck.tls.cert_remaining": {"enabled": true}}})
    };
    let trusted = json!({"ca_pem": pem});
    for version in ["HTTP/2.0", "HTTP/1.1"] {
        let metrics = probe(&target(trusted.clone(), version)).await;
        assert_eq!((error(&metrics).as_str(), values(&metrics, "probe.success")), ("", vec![1.0]));
        let certificates = found(&metrics, "httpcheck.tls.cert_remaining");
        assert!(certificates[0].0["http.tls.san"].contains("localhost"), "{certificates:?}");
        assert!(certificates[0].0["http.tls.san"].contains("127.0.0.1"), "{certificates:?}");
        let left = 4_102_444_800.0 - 1_800_000_000.0;
        assert_eq!(certificates[0].1, left);
    }
    let distrusted = probe(&target(json!({}), "HTTP/2.0")).await;
    assert!(error(&distrusted).starts_with("TLS handshake failed: "), "{}", error(&distrusted));
    let unchecked = probe(&target(json!({"insecure_skip_verify": true}), "HTTP/2.0")).await;
    assert_eq!(values(&unchecked, "probe.success"), [1.0]);
}

#[tokio::test]
async fn how_long_a_certificate_is_good_is_known_even_when_it_is_not() {
    let (pem, settings) = certified(2100);
    let address = serve(settings, |_| answer(200, "")).await;
    let metrics = probe(&json!({"tls": [{"endpoint": address.to_string(), "tls": {"ca_pem": pem}}]})).await;
    assert_eq!((error(&metrics).as_str(), values(&metrics, "probe.success")), ("", vec![1.0]));
    assert_eq!(values(&metrics, "tlscheck.time_left"), [4_102_444_800.0 - 1_800_000_000.0]);
    let message = metrics.into_message();
    let resources: Vec<_> =
        message.resource_metrics.iter().map(|each| each.resource.as_ref().unwrap()).collect();
    assert_eq!(resources[1].attributes[0].key, "tlscheck.target");

    let (pem, settings) = certified(2021);
    let address = serve(settings, |_| answer(200, "")).await;
    let target = |tls: Value| json!({"tls": [{"endpoint": address.to_string(), "tls": tls}]});
    let expired = probe(&target(json!({"ca_pem": pem}))).await;
    assert!(error(&expired).contains("xpired"), "{}", error(&expired));
    assert_eq!(values(&expired, "tlscheck.time_left"), [1_609_459_200.0 - 1_800_000_000.0]);
    assert_eq!(values(&expired, "probe.success"), [0.0]);
    let unchecked = probe(&target(json!({"insecure_skip_verify": true}))).await;
    assert_eq!(error(&unchecked), "the certificate has expired");
}

/// A name server that knows one name.
async fn name_server() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((length, sender)) = socket.recv_from(&mut buffer).await {
            let mut message = Message::from_vec(&buffer[..length]).unwrap();
            message.metadata.message_type = MessageType::Response;
            message.edns = None;
            let name = message.queries[0].name().clone();
            if name.to_string() == "known.example." {
                message.add_answer(Record::from_rdata(name, 60, RData::A(A::new(192, 0, 2, 7))));
            } else {
                message.metadata.response_code = ResponseCode::NXDomain;
            }
            socket.send_to(&message.to_vec().unwrap(), sender).await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn a_name_must_be_there_and_be_what_is_expected() {
    let server = name_server().await.to_string();
    let target = |name: &str, expect: &[&str]| json!({"dns": [{"name": name, "server": server, "expect": expect, "timeout": "5s"}]});
    let known = probe(&target("known.example", &["192.0.2.7"])).await;
    assert_eq!((error(&known).as_str(), values(&known, "probe.success")), ("", vec![1.0]));
    assert_eq!(values(&known, "probe.dns.answers"), [1.0]);
    assert_eq!(found(&known, "probe.phase.duration")[0].0["probe.phase"], "dns");
    let other = probe(&target("known.example", &["192.0.2.8"])).await;
    assert_eq!(error(&other), "`192.0.2.8` is not among the answers");
    let unknown = probe(&target("unknown.example", &[])).await;
    assert_eq!(error(&unknown), "no such record: Non-Existent Domain");
    assert_eq!(values(&unknown, "probe.success"), [0.0]);
}

#[test]
fn wrong_settings_are_refused_and_say_where() {
    let refused = |config: Value| {
        let errors = Section::from_json("probe", &config).parse::<Config>().unwrap_err();
        errors.0[0].path.clone()
    };
    assert_eq!(refused(json!({})), "probe.targets");
    assert_eq!(refused(json!({"targets": [{}]})), "probe.targets.0.endpoint");
    assert_eq!(refused(json!({"targets": [{"endpoint": "ftp://x"}]})), "probe.targets.0.endpoint");
    assert_eq!(refused(json!({"targets": [{"endpoint": "http://me:secret@x"}]})), "probe.targets.0.endpoint");
    assert_eq!(
        refused(json!({"targets": [{"endpoint": "http://x", "method": "G T"}]})),
        "probe.targets.0.method"
    );
    let validations = json!([{"contains": "x"}, {"regex": "("}]);
    let target = json!({"endpoint": "http://x", "validations": validations});
    assert_eq!(refused(json!({"targets": [target]})), "probe.targets.0.validations.1.regex");
    assert_eq!(refused(json!({"tcp": [{"endpoint": "x"}]})), "probe.tcp.0.endpoint");
    assert_eq!(refused(json!({"tls": [{"endpoint": "x:port"}]})), "probe.tls.0.endpoint");
    assert_eq!(refused(json!({"dns": [{"name": "x", "record_type": "B"}]})), "probe.dns.0.record_type");
    assert_eq!(refused(json!({"dns": [{"name": "x", "server": "x"}]})), "probe.dns.0.server");
    assert_eq!(
        refused(json!({"tcp": [{"endpoint": "x:1"}], "metrics": {"up": {"enabled": true}}})),
        "probe.metrics"
    );
}
