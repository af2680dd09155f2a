//! The exporter and a server that speaks OTLP over gRPC, over real sockets.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use pdata::Batch;
use serde_json::json;
use testkit::peer::{Peer, Reply};
use transport::grpc::Code;

use super::FACTORY;
use crate::samples::{build, event, from_the_future, partial, peer, telemetry, verdict};

fn settings(peer: &Peer, more: &serde_json::Value) -> serde_json::Value {
    let mut settings = json!({ "endpoint": format!("http://{}", peer.address()) });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    settings
}

#[tokio::test]
async fn every_signal_arrives_at_its_method_however_it_is_compressed() {
    let (peer, seen) = peer(Reply::taken()).await;
    for compression in ["gzip", "zstd", "none"] {
        let more = json!({ "compression": compression, "headers": { "api-key": "secret" } });
        let (exporter, _) = build(&FACTORY, &settings(&peer, &more));
        for batch in telemetry() {
            exporter.export(batch.clone()).await.unwrap();
            let received = seen.lock().unwrap().pop().unwrap();
            assert_eq!(received.batch, batch, "{compression}");
            let service = match batch {
                Batch::Traces(_) => "trace.v1.TraceService",
                Batch::Metrics(_) => "metrics.v1.MetricsService",
                Batch::Logs(_) | Batch::Events(_) => "logs.v1.LogsService",
            };
            assert_eq!(received.path, format!("/opentelemetry.proto.collector.{service}/Export"));
            assert_eq!(received.headers["api-key"], "secret");
            assert!(received.headers["user-agent"].to_str().unwrap().starts_with("watchfire/"));
        }
    }
}

#[tokio::test]
async fn bytes_that_came_in_go_out_unchanged_and_undecoded() {
    let (peer, seen) = peer(Reply::taken()).await;
    let (exporter, _) = build(&FACTORY, &settings(&peer, &json!({})));
    let (bytes, batch) = from_the_future();
    exporter.export(batch.clone()).await.unwrap();
    assert_eq!(seen.lock().unwrap()[0].body, bytes);
    let Batch::Traces(traces) = batch else { panic!("traces became something else") };
    assert!(!traces.is_decoded());
}

#[tokio::test]
async fn events_go_as_log_records_and_can_be_turned_back() {
    let (peer, seen) = peer(Reply::taken()).await;
    let (exporter, _) = build(&FACTORY, &settings(&peer, &json!({})));
    exporter.export(Batch::events(vec![event()])).await.unwrap();
    let Batch::Logs(logs) = seen.lock().unwrap().remove(0).batch else { panic!("not logs") };
    assert_eq!(pdata::event::from_logs(logs), (vec![event()], None));
}

#[tokio::test]
async fn what_a_partial_success_rejects_is_counted_and_not_an_error() {
    let (peer, _) = peer(Reply::Taken(partial())).await;
    let (exporter, context) = build(&FACTORY, &settings(&peer, &json!({})));
    for batch in telemetry() {
        exporter.export(batch).await.unwrap();
    }
    for items in ["spans", "metric_points", "log_records"] {
        assert_eq!(context.telemetry.total(&format!("otelcol_exporter_rejected_{items}")), 3.0, "{items}");
    }
}

#[tokio::test]
async fn codes_are_retried_as_otlp_demands() {
    let wait = Some(Duration::from_secs(7));
    for (reply, expected) in [
        (Reply::status(Code::Unavailable, "busy", None), (true, None)),
        (Reply::status(Code::Unavailable, "busy", wait), (true, Some(7))),
        (Reply::status(Code::Cancelled, "", None), (true, None)),
        (Reply::status(Code::DeadlineExceeded, "", None), (true, None)),
        (Reply::status(Code::Aborted, "", None), (true, None)),
        (Reply::status(Code::OutOfRange, "", None), (true, None)),
        (Reply::status(Code::DataLoss, "", None), (true, None)),
        (Reply::status(Code::ResourceExhausted, "quota", None), (false, None)),
        (Reply::status(Code::ResourceExhausted, "slower", wait), (true, Some(7))),
        (Reply::status(Code::InvalidArgument, "bad", wait), (false, None)),
        (Reply::status(Code::Unknown, "", None), (false, None)),
        (Reply::status(Code::Unimplemented, "", None), (false, None)),
        (Reply::status(Code::Internal, "", None), (false, None)),
        (Reply::status(Code::Unauthenticated, "who?", None), (false, None)),
        (Reply::Http(StatusCode::BAD_GATEWAY, HeaderMap::new(), "<p>".into()), (true, None)),
        (Reply::Http(StatusCode::FORBIDDEN, HeaderMap::new(), "<p>".into()), (false, None)),
    ] {
        let (peer, _) = peer(reply.clone()).await;
        let (exporter, _) = build(&FACTORY, &settings(&peer, &json!({})));
        let error = exporter.export(telemetry().remove(2)).await.unwrap_err();
        assert_eq!(verdict(&error), expected, "{reply:?}: {error}");
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_a_reason_to_try_again() {
    let (peer, seen) = peer(Reply::taken()).await;
    let (exporter, _) = build(&FACTORY, &settings(&peer, &json!({})));
    let address = peer.address();
    exporter.export(telemetry().remove(0)).await.unwrap();
    peer.stop().await;
    let error = exporter.export(telemetry().remove(0)).await.unwrap_err();
    assert_eq!(verdict(&error), (true, None), "{error}");
    assert_eq!(seen.lock().unwrap().len(), 1);
    let again = Peer::start_at(&address.to_string(), None, |_| Box::pin(async { Reply::taken() })).await;
    exporter.export(telemetry().remove(0)).await.unwrap();
    again.stop().await;
}
