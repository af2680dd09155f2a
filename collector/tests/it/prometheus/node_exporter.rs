//! The `prometheus` receiver scrapes a real node exporter, which then dies and comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use pdata::Batch;
use pdata::proto::common::any_value::Value;
use pdata::proto::metrics::{Metric, ResourceMetrics, metric::Data, number_data_point};
use testkit::peer::{Peer, Reply};

use super::get;
use super::samples::{Samples, of_metric, of_text, types};
use crate::support::{Collector, Program, free_address, peer, until};

/// What stands in a file that the node exporter reads: all types, with values that do not change.
const FIXED: &str = r#"# HELP shop_latency_seconds How long it takes.
# TYPE shop_latency_seconds histogram
shop_latency_seconds_bucket{path="/a\\b\"c\"",le="0.1"} 1
shop_latency_seconds_bucket{path="/a\\b\"c\"",le="2.5e+06"} 5
shop_latency_seconds_bucket{path="/a\\b\"c\"",le="+Inf"} 7
shop_latency_seconds_sum{path="/a\\b\"c\""} 12.25
shop_latency_seconds_count{path="/a\\b\"c\""} 7
# HELP shop_orders_total What was ordered.
# TYPE shop_orders_total counter
shop_orders_total{zone="é"} 9.007199254740991e+15
# HELP shop_size_bytes How large it is.
# TYPE shop_size_bytes summary
shop_size_bytes{quantile="0.5"} 1
shop_size_bytes{quantile="0.99"} +Inf
shop_size_bytes_sum 4.5
shop_size_bytes_count 3
# HELP target_info What is scraped.
# TYPE target_info gauge
target_info{region="eu"} 1
"#;

/// Series that Prometheus adds to a scrape.
const OWN: [&str; 5] = [
    "scrape_duration_seconds",
    "scrape_samples_post_metric_relabeling",
    "scrape_samples_scraped",
    "scrape_series_added",
    "up",
];

type Scrapes = Arc<Mutex<Vec<Scrape>>>;

/// What came from one scrape.
#[derive(Clone, Debug, Default)]
struct Scrape {
    resources: Vec<BTreeMap<String, String>>,
    metrics: BTreeMap<String, Metric>,
}

impl Scrape {
    fn of(resources: Vec<ResourceMetrics>) -> Self {
        let mut scrape = Self::default();
        for resource in resources {
            let attributes = resource.resource.unwrap_or_default().attributes.into_iter();
            let pair = |attribute: pdata::proto::common::KeyValue| match attribute.value?.value? {
                Value::StringValue(text) => Some((attribute.key, text)),
                _ => None,
            };
            scrape.resources.push(attributes.filter_map(pair).collect());
            for metric in resource.scope_metrics.into_iter().flat_map(|scope| scope.metrics) {
                let before = scrape.metrics.insert(metric.name.clone(), metric);
                assert!(before.is_none(), "twice: {before:?}");
            }
        }
        scrape
    }

    /// The value of a series that has no labels.
    fn value(&self, name: &str) -> Option<f64> {
        let Data::Gauge(gauge) = self.metrics.get(name)?.data.as_ref()? else { return None };
        match gauge.data_points.first()?.value? {
            number_data_point::Value::AsDouble(value) => Some(value),
            number_data_point::Value::AsInt(value) => Some(value as f64),
        }
    }

    /// The samples that the target gave.
    fn samples(&self) -> Samples {
        let mut samples = Samples::new();
        let theirs = self.metrics.iter().filter(|(name, _)| !OWN.contains(&name.as_str()));
        theirs.for_each(|(_, metric)| of_metric(metric, &mut samples));
        samples
    }

    /// The flags of the points that the target's families have.
    fn flags(&self) -> BTreeMap<&str, BTreeSet<u32>> {
        let theirs = self.metrics.iter().filter(|(name, _)| !OWN.contains(&name.as_str()));
        theirs.map(|(name, metric)| (name.as_str(), flags(metric))).collect()
    }
}

fn flags(metric: &Metric) -> BTreeSet<u32> {
    match metric.data.as_ref().expect("a metric has data") {
        Data::Gauge(gauge) => gauge.data_points.iter().map(|point| point.flags).collect(),
        Data::Sum(sum) => sum.data_points.iter().map(|point| point.flags).collect(),
        Data::Histogram(histogram) => histogram.data_points.iter().map(|point| point.flags).collect(),
        Data::Summary(summary) => summary.data_points.iter().map(|point| point.flags).collect(),
        Data::ExponentialHistogram(_) => panic!("no text format has them"),
    }
}

fn n_points(metric: &Metric) -> usize {
    match metric.data.as_ref().expect("a metric has data") {
        Data::Gauge(gauge) => gauge.data_points.len(),
        Data::Sum(sum) => sum.data_points.len(),
        Data::Histogram(histogram) => histogram.data_points.len(),
        Data::Summary(summary) => summary.data_points.len(),
        Data::ExponentialHistogram(histogram) => histogram.data_points.len(),
    }
}

async fn sink(scrapes: &Scrapes) -> Peer {
    let scrapes = Arc::clone(scrapes);
    Peer::start(move |received| {
        let Batch::Metrics(metrics) = received.batch else { panic!("only metrics are scraped") };
        let scrape = Scrape::of(metrics.into_message().resource_metrics);
        scrapes.lock().expect("no panic while noting").push(scrape);
        async { Reply::taken() }.boxed()
    })
    .await
}

/// Waits for a scrape that began after now and is as it should be.
async fn scrape(scrapes: &Scrapes, what: &str, is_so: impl Fn(&Scrape) -> bool) -> Scrape {
    scrapes.lock().expect("no panic while noting").clear();
    // The first one may have begun before.
    let found = async || {
        scrapes.lock().expect("no panic while noting").iter().skip(1).find(|scrape| is_so(scrape)).cloned()
    };
    until(what, found, Option::is_some).await.expect("it is one")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_exporter_is_scraped_completely_dies_and_comes_back() {
    let test = "a_node_exporter_is_scraped_completely_dies_and_comes_back";
    let Some(folder) = peer("node-exporter", test) else { return };
    let program = folder.join("node-exporter");
    let address = free_address();
    let arguments = [&format!("--web.listen-address={address}"), "--collector.textfile.directory=."];
    let mut node = Program::start(&program, &arguments, &[("fixed.prom", FIXED)]);
    let url = format!("http://{address}/metrics");
    until("it answers", async || get(&url).await.is_some(), |answers| *answers).await;

    let scrapes = Scrapes::default();
    let sink = sink(&scrapes).await;
    let config = format!(
        "receivers:
  prometheus: {{config: {{scrape_configs: [{{
    job_name: node, scrape_interval: 1s, scrape_timeout: 1s, static_configs: [{{targets: ['{address}']}}]}}]}}}}
exporters: {{otlp: {{endpoint: 'http://{sink}'}}}}
service: {{pipelines: {{metrics: {{receivers: [prometheus], exporters: [otlp]}}}}}}
",
        sink = sink.address(),
    );
    let _collector = Collector::start(&config).await;
    let complete = check_content(&scrapes, &url).await;
    check_resource(&complete, &address);

    node.kill().await;
    let families = check_end(&scrapes, &complete).await;

    let _node = node.again(&program, &arguments);
    let again = scrape(&scrapes, "it is up again", |scrape| scrape.value("up") == Some(1.0)).await;
    let missing: Vec<_> = families.iter().filter(|name| !again.metrics.contains_key(*name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(again.flags().values().all(|flags| *flags == BTreeSet::from([0])), "{:?}", again.flags());
}

/// Everything that the target tells has arrived, with its values.
async fn check_content(scrapes: &Scrapes, url: &str) -> Scrape {
    // Some of what it tells comes and goes: until the same series were there before, while and after it was scraped.
    let mut differences = BTreeSet::new();
    for _ in 0..10 {
        let before = get(url).await.expect("it answers");
        let scraped = scrape(scrapes, "it is up", |scrape| scrape.value("up") == Some(1.0)).await;
        let after = get(url).await.expect("it answers");
        // The target's own description goes into the resource.
        let is_sample = |name: &String| !name.starts_with("target_info");
        let mut expected = of_text(&before);
        let count = expected.len();
        expected.retain(|name, _| is_sample(name));
        let after = of_text(&after);
        let found = scraped.samples();
        let names = |samples: &Samples| -> BTreeSet<String> {
            samples.keys().filter(|name| is_sample(name)).cloned().collect()
        };
        differences = &(&names(&expected) ^ &names(&found)) | &(&names(&after) ^ &names(&found));
        if !differences.is_empty() {
            continue;
        }
        assert!(count > 200, "it tells more than that:\n{before}");
        assert_eq!(scraped.value("scrape_samples_scraped"), Some(count as f64));
        assert_eq!(scraped.value("scrape_samples_post_metric_relabeling"), Some(count as f64));
        // Counters only grow, so one that was the same before and after was the same in between.
        let is_counter = |name: &str| {
            let family = name.split('[').next().unwrap_or_default();
            types(&before).get(family).is_some_and(|kind| kind == "counter")
        };
        let steady: Vec<_> = expected
            .iter()
            .filter(|(name, value)| {
                (is_counter(name) || name.starts_with("shop_")) && after[*name] == **value
            })
            .collect();
        assert!(steady.len() > 50, "{steady:?}");
        for (name, value) in steady {
            assert_eq!(found[name], *value, "{name}");
        }
        check_types(&scraped, &types(&before));
        return scraped;
    }
    panic!("these come and go, or do not arrive: {differences:#?}");
}

fn check_types(scraped: &Scrape, types: &BTreeMap<String, String>) {
    for (name, kind) in types.iter().filter(|(name, _)| *name != "target_info") {
        let data = scraped.metrics[name].data.as_ref().expect("a metric has data");
        let is_right = match kind.as_str() {
            "counter" => {
                matches!(data, Data::Sum(sum) if sum.is_monotonic && sum.aggregation_temporality == 2)
            }
            "gauge" | "untyped" => matches!(data, Data::Gauge(_)),
            "histogram" => {
                matches!(data, Data::Histogram(histogram) if histogram.aggregation_temporality == 2)
            }
            "summary" => matches!(data, Data::Summary(_)),
            other => panic!("no such type: {other}"),
        };
        assert!(is_right, "{name} is a {kind}: {data:?}");
        assert!(!scraped.metrics[name].description.is_empty(), "{name} has no help");
    }
    for kind in ["counter", "gauge", "histogram", "summary"] {
        assert!(types.values().any(|found| found == kind), "no {kind} was told");
    }
}

fn check_resource(scrape: &Scrape, address: &str) {
    let (host, port) = address.split_once(':').expect("a port");
    let expected = [
        ("region", "eu"),
        ("server.address", host),
        ("server.port", port),
        ("service.instance.id", address),
        ("service.name", "node"),
        ("url.scheme", "http"),
    ];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(scrape.resources, [BTreeMap::from(expected)]);
}

/// The target is down, and every series that it had gets an end, once.
async fn check_end(scrapes: &Scrapes, before: &Scrape) -> BTreeSet<String> {
    let is_down = |scrape: &Scrape| scrape.value("up") == Some(0.0);
    scrapes.lock().expect("no panic while noting").clear();
    let all = async || scrapes.lock().expect("no panic while noting").clone();
    let enough = |all: &Vec<Scrape>| all.iter().filter(|scrape| is_down(scrape)).count() >= 2;
    let all = until("it is down twice", all, enough).await;
    let mut down = all.into_iter().filter(is_down);
    let (first, second) = (down.next().expect("one"), down.next().expect("another one"));
    let families: BTreeSet<String> = before.flags().into_keys().map(str::to_owned).collect();
    for name in &families {
        let ended = first.metrics.get(name).unwrap_or_else(|| panic!("{name} does not end: {first:?}"));
        assert_eq!(flags(ended), BTreeSet::from([1]), "{name}");
        assert!(n_points(ended) >= n_points(&before.metrics[name]), "not every {name} ends");
    }
    assert_eq!(first.value("scrape_samples_scraped"), Some(0.0));
    assert!(second.flags().is_empty(), "nothing is left to end: {second:?}");
    assert_eq!(second.resources[0]["service.instance.id"], before.resources[0]["service.instance.id"]);
    families
}
