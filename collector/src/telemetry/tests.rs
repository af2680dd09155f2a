//! Own metrics over real sockets.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

fn page() -> Page {
    Page { telemetry: Telemetry::default(), process: Process::new() }
}

fn free_port() -> Vec<String> {
    vec!["127.0.0.1:0".to_owned()]
}

async fn get(address: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn what_is_counted_and_how_the_process_is_can_be_scraped_until_the_end() {
    let telemetry = Telemetry::default();
    telemetry.counter("otelcol_things", "Things.", &[("receiver", "x")]).add(7);
    let mut metrics = OwnMetrics::new(telemetry);
    let bound = metrics.bind(&free_port()).await.unwrap();
    let address = bound.0[0].1.local_addr().unwrap().to_string();
    metrics.serve(bound, &free_port()).await;
    let answer = get(&address).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("otelcol_things{receiver=\"x\"} 7\n"), "{answer}");
    for name in ["uptime", "cpu_seconds", "runtime_heap_alloc_bytes", "runtime_total_sys_memory_bytes"] {
        let line = answer.lines().find(|line| line.starts_with(&format!("otelcol_process_{name} ")));
        let value: f64 =
            line.unwrap_or_else(|| panic!("{name}: {answer}")).rsplit(' ').next().unwrap().parse().unwrap();
        assert!(value >= 0.0, "{name} {value}");
    }
    metrics.shut_down().await;
    assert!(TcpStream::connect(&address).await.is_err());
}

#[tokio::test]
async fn a_taken_address_is_an_error_that_names_the_key_and_changes_nothing() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let metrics = OwnMetrics::new(Telemetry::default());
    let error = metrics.bind(std::slice::from_ref(&address)).await.unwrap_err();
    let text = transport::describe(&error);
    assert!(text.contains("service.telemetry.metrics") && text.contains(&address), "{text}");
}

#[tokio::test]
async fn an_address_that_stays_is_not_bound_again_and_one_that_goes_is_let_go() {
    let mut metrics = OwnMetrics::new(Telemetry::default());
    let bound = metrics.bind(&free_port()).await.unwrap();
    let address = bound.0[0].1.local_addr().unwrap().to_string();
    metrics.serve(bound, &free_port()).await;
    let bound = metrics.bind(&free_port()).await.unwrap();
    assert!(bound.0.is_empty());
    metrics.serve(bound, &free_port()).await;
    assert!(get(&address).await.starts_with("HTTP/1.1 200"));
    let bound = metrics.bind(&[]).await.unwrap();
    metrics.serve(bound, &[]).await;
    assert!(TcpStream::connect(&address).await.is_err());
}

#[test]
fn only_metrics_are_served_and_only_read() {
    let answer = |request: http::request::Builder| page().answer(&request.body(()).unwrap());
    assert_eq!(answer(Request::get("/")).status(), StatusCode::NOT_FOUND);
    let refusal = answer(Request::post("/metrics"));
    assert_eq!(refusal.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refusal.headers()[ALLOW], "GET, HEAD");
    let page = answer(Request::get("/metrics?x=1"));
    assert_eq!(page.headers()[CONTENT_TYPE], "text/plain; version=0.0.4; charset=utf-8");
}
