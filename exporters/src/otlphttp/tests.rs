//! The exporter and a server that speaks OTLP over HTTP, over real sockets.

use config::Validate;
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderName, StatusCode};
use pdata::Batch;
use serde_json::json;
use testkit::peer::{Peer, Reply};
use transport::grpc::{Code, Status};
use transport::tls::ServerTls;

use super::{Config, FACTORY};
use crate::samples::{build, event, from_the_future, partial, peer, telemetry, verdict};

fn settings(peer: &Peer, more: &serde_json::Value) -> serde_json::Value {
    let mut settings = json!({ "endpoint": format!("http://{}/", peer.address()) });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    settings
}

fn http(status: u16, header: Option<(HeaderName, &str)>, body: &str) -> Reply {
    let headers = header.into_iter().map(|(name, value)| (name, value.parse().unwrap())).collect();
    Reply::Http(StatusCode::from_u16(status).unwrap(), headers, body.to_owned().into())
}

#[tokio::test]
async fn every_signal_arrives_in_both_encodings_however_it_is_compressed() {
    let (peer, seen) = peer(Reply::taken()).await;
    for encoding in ["proto", "json"] {
        for compression in ["gzip", "zstd", "deflate", "none"] {
            let more = json!({ "encoding": encoding, "compression": compression });
            let (exporter, _) = build(&FACTORY, &settings(&peer, &more));
            for batch in telemetry() {
                exporter.export(batch.clone()).await.unwrap();
                let received = seen.lock().unwrap().pop().unwrap();
                assert_eq!(received.batch, batch, "{encoding} {compression}");
                assert_eq!(received.path, format!("/v1/{}", batch.signal()));
            }
        }
    }
}

#[tokio::test]
async fn bytes_that_came_in_go_out_unchanged() {
    let (peer, seen) = peer(Reply::taken()).await;
    let (exporter, _) = build(&FACTORY, &settings(&peer, &json!({})));
    let (bytes, batch) = from_the_future();
    exporter.export(batch).await.unwrap();
    assert_eq!(seen.lock().unwrap()[0].body, bytes);
}

#[tokio::test]
async fn events_go_as_log_records_and_can_be_turned_back() {
    let (peer, seen) = peer(Reply::taken()).await;
    for encoding in ["proto", "json"] {
        let (exporter, _) = build(&FACTORY, &settings(&peer, &json!({ "encoding": encoding })));
        exporter.export(Batch::events(vec![event()])).await.unwrap();
        let Batch::Logs(logs) = seen.lock().unwrap().pop().unwrap().batch else { panic!("not logs") };
        assert_eq!(pdata::event::from_logs(logs), (vec![event()], None), "{encoding}");
    }
}

#[tokio::test]
async fn a_signals_own_endpoint_is_used_as_it_is_and_headers_go_along() {
    let (peer, seen) = peer(Reply::taken()).await;
    let url = format!("http://{}/some/logs", peer.address());
    let settings = json!({ "logs_endpoint": url, "headers": { "Api-Key": "secret" } });
    let (exporter, _) = build(&FACTORY, &settings);
    exporter.export(telemetry().remove(2)).await.unwrap();
    let received = seen.lock().unwrap().remove(0);
    assert_eq!(received.path, "/some/logs");
    assert_eq!(received.headers["api-key"], "secret");
    let error = exporter.export(telemetry().remove(0)).await.unwrap_err();
    assert_eq!(
        (verdict(&error).0, error.to_string()),
        (false, "no endpoint is configured for traces".to_owned())
    );
}

#[tokio::test]
async fn what_a_partial_success_rejects_is_counted_and_not_an_error() {
    let (peer, _) = peer(Reply::Taken(partial())).await;
    let (exporter, context) = build(&FACTORY, &settings(&peer, &json!({})));
    exporter.export(telemetry().remove(1)).await.unwrap();
    assert_eq!(context.telemetry.total("otelcol_exporter_rejected_metric_points"), 3.0);
}

#[tokio::test]
async fn statuses_are_retried_as_otlp_demands() {
    for (reply, expected) in [
        (http(429, Some((RETRY_AFTER, "7")), ""), (true, Some(7))),
        (http(503, Some((RETRY_AFTER, "Thu, 01 Jan 1970 00:01:00 GMT")), ""), (true, Some(60))),
        (http(502, None, "<p>"), (true, None)),
        (http(504, None, ""), (true, None)),
        (http(500, Some((RETRY_AFTER, "7")), ""), (false, None)),
        (http(400, None, ""), (false, None)),
        (http(404, None, ""), (false, None)),
        (http(204, None, ""), (false, None)),
        (http(307, Some((LOCATION, "http://192.0.2.1/")), ""), (false, None)),
    ] {
        let (peer, _) = peer(reply.clone()).await;
        let (exporter, _) = build(&FACTORY, &settings(&peer, &json!({})));
        let result = exporter.export(telemetry().remove(2)).await;
        match reply {
            Reply::Http(StatusCode::NO_CONTENT, ..) => result.unwrap(),
            _ => assert_eq!(verdict(&result.unwrap_err()), expected, "{reply:?}"),
        }
    }
}

#[tokio::test]
async fn the_servers_reason_is_told_from_protobuf_and_json() {
    let status = Status::new(Code::InvalidArgument, "no such tenant");
    let protobuf: HeaderMap =
        [(CONTENT_TYPE, "application/x-protobuf".parse().unwrap())].into_iter().collect();
    for reply in [
        Reply::Http(StatusCode::BAD_REQUEST, protobuf, status.encode()),
        http(400, Some((CONTENT_TYPE, "application/json")), r#"{"code":3,"message":"no such tenant"}"#),
    ] {
        let (peer, _) = peer(reply).await;
        let (exporter, _) = build(&FACTORY, &settings(&peer, &json!({})));
        let error = exporter.export(telemetry().remove(2)).await.unwrap_err();
        assert_eq!(error.to_string(), "HTTP 400 Bad Request: no such tenant");
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_a_reason_to_try_again() {
    let (peer, _) = peer(Reply::taken()).await;
    let (exporter, _) = build(&FACTORY, &settings(&peer, &json!({})));
    exporter.export(telemetry().remove(0)).await.unwrap();
    peer.stop().await;
    let error = exporter.export(telemetry().remove(0)).await.unwrap_err();
    assert_eq!(verdict(&error), (true, None), "{error}");
}

#[tokio::test]
async fn https_is_spoken_with_who_is_trusted() {
    let ours = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let tls = ServerTls {
        cert_pem: ours.cert.pem().as_str().into(),
        key_pem: ours.signing_key.serialize_pem().as_str().into(),
        ..ServerTls::default()
    };
    let peer = Peer::start_at("127.0.0.1:0", Some(tls), |_| Box::pin(async { Reply::taken() })).await;
    let endpoint = format!("https://{}", peer.address());
    let (trusting, _) =
        build(&FACTORY, &json!({ "endpoint": endpoint, "tls": { "ca_pem": ours.cert.pem() } }));
    trusting.export(telemetry().remove(0)).await.unwrap();
    let (wary, _) = build(&FACTORY, &json!({ "endpoint": endpoint }));
    assert!(verdict(&wary.export(telemetry().remove(0)).await.unwrap_err()).0);
}

#[test]
fn an_endpoint_is_required_and_must_be_a_url() {
    let with = |change: fn(&mut Config)| {
        let mut config = Config::default();
        change(&mut config);
        config.validate().map_err(|invalid| invalid.field)
    };
    assert_eq!(with(|_| {}), Err("endpoint".to_owned()));
    assert_eq!(with(|config| config.endpoint = "otel:4318".to_owned()), Err("endpoint".to_owned()));
    assert_eq!(with(|config| config.logs_endpoint = "otel".to_owned()), Err("logs_endpoint".to_owned()));
    assert_eq!(with(|config| config.metrics_endpoint = "http://otel:4318/x".to_owned()), Ok(()));
}
