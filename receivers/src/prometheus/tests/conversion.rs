//! What becomes of each type, of start times, staleness, limits and relabelling.

use std::sync::Arc;

use pdata::Timestamp;
use pdata::proto::common::{KeyValue, any_value::Value};
use pdata::proto::metrics::{
    HistogramDataPoint, Metric, MetricsData, NumberDataPoint, ResourceMetrics, metric::Data,
    number_data_point,
};
use proptest::prelude::*;
use serde_json::json;

use crate::prometheus::collect::{Collect, Counts, ScrapeError};
use crate::prometheus::config::Config;
use crate::prometheus::series::Memory;
use crate::prometheus::target::{Job, Target};
use crate::prometheus::text::Format;

/// A target and what is remembered of it.
struct Scene {
    target: Target,
    memory: Memory,
    seconds: u64,
}

impl Scene {
    fn new(job: serde_json::Value) -> Self {
        Self::with(json!({}), job)
    }

    fn with(global: serde_json::Value, mut job: serde_json::Value) -> Self {
        job["job_name"] = "shop".into();
        let mut json = json!({"config": {"scrape_configs": [job]}});
        json["config"]["global"] = global;
        let config: Config = ::config::Section::from_json("prometheus", &json).parse().unwrap();
        let job = Arc::new(Job::all(&config).unwrap().remove(0));
        let labels = [("__address__", "10.1.2.3:8080")].into_iter().collect();
        Self { target: Target::new(&job, labels).unwrap().unwrap(), memory: Memory::default(), seconds: 1000 }
    }

    fn scrape_as(&mut self, format: Format, text: &str) -> Result<(MetricsData, Counts), ScrapeError> {
        self.seconds += 10;
        let mut collect = Collect::new(&self.target, &mut self.memory);
        collect.read(text.as_bytes(), format)?;
        Ok(collect.finish(Timestamp::from_secs(self.seconds), |_| Vec::new()))
    }

    fn scrape(&mut self, text: &str) -> MetricsData {
        self.scrape_as(Format::Classic, text).unwrap().0
    }

    fn open(&mut self, text: &str) -> MetricsData {
        self.scrape_as(Format::OpenMetrics, &format!("{text}# EOF\n")).unwrap().0
    }

    /// A scrape whose body is malformed.
    fn broken(&mut self, text: &str) -> MetricsData {
        self.seconds += 10;
        let mut collect = Collect::new(&self.target, &mut self.memory);
        collect.read(text.as_bytes(), Format::Classic).unwrap_err();
        collect.fail(Timestamp::from_secs(self.seconds), &[])
    }

    fn fail(&mut self) -> MetricsData {
        self.seconds += 10;
        Collect::new(&self.target, &mut self.memory).fail(Timestamp::from_secs(self.seconds), &[])
    }

    fn now(&self) -> u64 {
        Timestamp::from_secs(self.seconds).as_nanos()
    }
}

fn metrics(data: &MetricsData) -> Vec<&Metric> {
    data.resource_metrics.iter().flat_map(|r| &r.scope_metrics).flat_map(|scope| &scope.metrics).collect()
}

fn metric<'a>(data: &'a MetricsData, name: &str) -> &'a Metric {
    metrics(data).into_iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("{name}: {data:?}"))
}

fn numbers(metric: &Metric) -> &[NumberDataPoint] {
    match &metric.data {
        Some(Data::Gauge(gauge)) => &gauge.data_points,
        Some(Data::Sum(sum)) => &sum.data_points,
        other => panic!("{other:?}"),
    }
}

fn value(data: &MetricsData, name: &str) -> f64 {
    match numbers(metric(data, name))[0].value {
        Some(number_data_point::Value::AsDouble(value)) => value,
        ref other => panic!("{other:?}"),
    }
}

fn histogram(metric: &Metric) -> &HistogramDataPoint {
    match &metric.data {
        Some(Data::Histogram(histogram)) => &histogram.data_points[0],
        other => panic!("{other:?}"),
    }
}

fn text(attributes: &[KeyValue]) -> String {
    let one = |attribute: &KeyValue| match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(value)) => format!("{}={value}", attribute.key),
        other => panic!("{other:?}"),
    };
    attributes.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn resource(resource: &ResourceMetrics) -> String {
    text(&resource.resource.as_ref().unwrap().attributes)
}

const IS_STALE: u32 = 1;

#[test]
fn each_type_becomes_what_the_specification_says() {
    let mut scene = Scene::new(json!({}));
    let data = scene.open(concat!(
        "# TYPE c counter\n# UNIT c seconds\n# HELP c Time.\nc_total{a=\"b\"} 5\n",
        "# TYPE g gauge\ng 1.5\n",
        "# TYPE u unknown\nu 2\n",
        "undeclared 3\n",
        "# TYPE i info\ni_info{v=\"1\"} 1\n",
        "# TYPE s stateset\ns{s=\"on\"} 1\ns{s=\"off\"} 0\n",
        "# TYPE gh gaugehistogram\ngh_bucket{le=\"+Inf\"} 4\ngh_gcount 4\ngh_gsum 8\n",
        "# TYPE q summary\nq{quantile=\"0.5\"} 10\nq{quantile=\"0.9\"} 20\nq_sum 100\nq_count 7\n",
    ));
    let counter = metric(&data, "c_total");
    assert_eq!((counter.unit.as_str(), counter.description.as_str()), ("s", "Time."));
    assert_eq!(text(&counter.metadata), "prometheus.type=counter");
    assert!(
        matches!(&counter.data, Some(Data::Sum(sum)) if sum.is_monotonic && sum.aggregation_temporality == 2)
    );
    assert_eq!(text(&numbers(counter)[0].attributes), "a=b");
    for gauge in ["g", "u", "undeclared", "gh_bucket", "gh_gcount", "gh_gsum"] {
        assert!(matches!(&metric(&data, gauge).data, Some(Data::Gauge(_))), "{gauge}");
        assert_eq!(numbers(metric(&data, gauge))[0].start_time_unix_nano, 0);
    }
    for sum in ["i_info", "s"] {
        assert!(matches!(&metric(&data, sum).data, Some(Data::Sum(sum)) if !sum.is_monotonic), "{sum}");
    }
    assert_eq!(numbers(metric(&data, "s")).len(), 2);
    let Some(Data::Summary(summary)) = &metric(&data, "q").data else { panic!() };
    let point = &summary.data_points[0];
    assert_eq!((point.count, point.sum), (7, 100.0));
    let quantiles: Vec<_> = point.quantile_values.iter().map(|at| (at.quantile, at.value)).collect();
    assert_eq!(quantiles, [(0.5, 10.0), (0.9, 20.0)]);
    assert_eq!(metrics(&data).len(), 10);
}

#[test]
fn a_histogram_has_plain_buckets_and_exemplars() {
    let mut scene = Scene::new(json!({}));
    let data = scene.open(concat!(
        "# TYPE h histogram\n",
        "h_bucket{p=\"x\",le=\"0.5\"} 2 # {trace_id=\"0af7651916cd43dd8448eb211c80319c\",span_id=\"b7ad6b7169203331\",k=\"v\"} 0.3 5\n",
        "h_bucket{p=\"x\",le=\"+Inf\"} 7\nh_bucket{p=\"x\",le=\"1.0\"} 5\n",
        "h_count{p=\"x\"} 7\nh_sum{p=\"x\"} 9.5\nh_created{p=\"x\"} 500.25\n",
    ));
    let point = histogram(metric(&data, "h"));
    assert_eq!(point.explicit_bounds, [0.5, 1.0]);
    assert_eq!(point.bucket_counts, [2, 3, 2]);
    assert_eq!((point.count, point.sum), (7, Some(9.5)));
    assert_eq!(point.start_time_unix_nano, 500_250_000_000);
    assert_eq!(text(&point.attributes), "p=x");
    let exemplar = &point.exemplars[0];
    assert_eq!((exemplar.trace_id.len(), exemplar.span_id.len()), (16, 8));
    assert_eq!(exemplar.time_unix_nano, 5_000_000_000);
    assert_eq!(text(&exemplar.filtered_attributes), "k=v");
}

#[test]
fn a_count_starts_when_first_seen_and_again_when_it_went_back() {
    let mut scene = Scene::new(json!({}));
    let start = |data: &MetricsData| numbers(metric(data, "c_total"))[0].start_time_unix_nano;
    let counter = |value: u32| format!("# TYPE c_total counter\nc_total {value}\n");
    let first = scene.scrape(&counter(5));
    let first_time = scene.now();
    assert_eq!(start(&first), first_time);
    assert_eq!(start(&scene.scrape(&counter(6))), first_time);
    let reset = scene.scrape(&counter(1));
    assert_eq!(start(&reset), scene.now());
    let reset_time = scene.now();
    // A failed scrape in between does not make it forget.
    scene.fail();
    assert_eq!(start(&scene.scrape(&counter(9))), reset_time);
    let created = scene.open("# TYPE c counter\nc_total 10\nc_created 7\n");
    assert_eq!(start(&created), 7_000_000_000);
}

#[test]
fn a_vanished_series_is_marked_once_and_then_forgotten() {
    let mut scene = Scene::new(json!({}));
    let both = "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_count 1\nh_sum 1\na{x=\"1\"} 1\n";
    scene.scrape(both);
    let data = scene.scrape("a{x=\"2\"} 1\n");
    let stale = numbers(metric(&data, "a")).iter().find(|point| point.flags == IS_STALE).unwrap();
    assert_eq!(text(&stale.attributes), "x=1");
    assert_eq!((stale.time_unix_nano, stale.value), (scene.now(), None));
    assert_eq!(histogram(metric(&data, "h")).flags, IS_STALE);
    let data = scene.scrape("a{x=\"2\"} 1\n");
    assert_eq!((metrics(&data).len(), numbers(metric(&data, "a")).len()), (1, 1));
    assert_eq!(scene.memory.len(), 1);
}

#[test]
fn a_failed_scrape_marks_every_series_once() {
    let mut scene = Scene::new(json!({}));
    scene.scrape("a 1\nb 2\n");
    let data = scene.broken("a 1\nc 1\nb{ 2\n");
    assert_eq!(metrics(&data).len(), 2);
    assert!(metrics(&data).iter().all(|metric| numbers(metric)[0].flags == IS_STALE));
    assert!(metrics(&scene.fail()).is_empty());
}

#[test]
fn series_with_their_own_time_keep_it_and_are_not_marked() {
    let mut scene = Scene::new(json!({}));
    let data = scene.scrape("a 1 999000\n");
    assert_eq!(numbers(metric(&data, "a"))[0].time_unix_nano, 999_000_000_000);
    assert!(metrics(&scene.scrape("")).is_empty());
    let mut ignoring = Scene::new(json!({"honor_timestamps": false}));
    let data = ignoring.scrape("a 1 999000\n");
    assert_eq!(numbers(metric(&data, "a"))[0].time_unix_nano, ignoring.now());
}

#[test]
fn the_resource_is_the_target_with_what_target_info_says() {
    let mut scene = Scene::with(json!({"external_labels": {"cluster": "eu"}}), json!({}));
    let data = scene.scrape(concat!(
        "# TYPE target info\ntarget_info{service_version=\"1.2\",k8s_pod_name=\"p\"} 1\n",
        "a{otel_scope_name=\"lib\",otel_scope_version=\"3\",x=\"y\"} 1\n",
        "otel_scope_info{otel_scope_name=\"lib\",otel_scope_version=\"3\",team=\"t\"} 1\n",
    ));
    assert_eq!(data.resource_metrics.len(), 1);
    assert_eq!(
        resource(&data.resource_metrics[0]),
        "service.name=shop service.instance.id=10.1.2.3:8080 server.address=10.1.2.3 server.port=8080 \
         url.scheme=http k8s_pod_name=p service_version=1.2"
    );
    let scope = data.resource_metrics[0].scope_metrics[0].scope.as_ref().unwrap();
    assert_eq!((scope.name.as_str(), scope.version.as_str()), ("lib", "3"));
    assert_eq!(text(&scope.attributes), "team=t");
    assert_eq!(text(&numbers(metric(&data, "a"))[0].attributes), "x=y cluster=eu");
    assert_eq!(metrics(&data).len(), 1);
}

#[test]
fn honoured_labels_make_resources_of_their_own() {
    let mut scene = Scene::new(json!({"honor_labels": true}));
    let data = scene.scrape("a{job=\"one\",instance=\"i1\"} 1\na{job=\"two\",instance=\"i2\"} 2\n");
    let names: Vec<_> = data.resource_metrics.iter().map(resource).collect();
    assert!(names[0].starts_with("service.name=one service.instance.id=i1"));
    assert!(names[1].starts_with("service.name=two service.instance.id=i2"));
}

#[test]
fn a_renamed_metric_keeps_its_type() {
    let rules = json!([{"source_labels": ["__name__"], "regex": "old_(.*)", "replacement": "new_$1", "target_label": "__name__"},
                       {"regex": "noise", "action": "labeldrop"},
                       {"source_labels": ["__name__"], "regex": "go_.*", "action": "drop"}]);
    let mut scene = Scene::new(json!({"metric_relabel_configs": rules}));
    let body = concat!(
        "# TYPE old_h histogram\nold_h_bucket{le=\"+Inf\",noise=\"1\"} 3\nold_h_count{noise=\"1\"} 3\nold_h_sum{noise=\"1\"} 6\n",
        "# TYPE old_total counter\nold_total{noise=\"2\"} 4\ngo_info 1\n",
    );
    let (data, counts) = scene.scrape_as(Format::Classic, body).unwrap();
    let point = histogram(metric(&data, "new_h"));
    assert_eq!((point.count, point.sum, point.attributes.len()), (3, Some(6.0), 0));
    assert!(matches!(&metric(&data, "new_total").data, Some(Data::Sum(_))));
    assert_eq!((counts.scraped, counts.kept), (5, 4));
}

#[test]
fn limits_fail_the_whole_scrape() {
    let scrape = |job, text: &str| Scene::new(job).scrape_as(Format::Classic, text).map(drop);
    assert_eq!(
        scrape(json!({"sample_limit": 1}), "a 1\nb 1\n"),
        Err(ScrapeError::TooManySamples { limit: 1 })
    );
    assert_eq!(scrape(json!({"sample_limit": 2}), "a 1\nb 1\n"), Ok(()));
    // Name, job and instance count as labels.
    assert!(matches!(
        scrape(json!({"label_limit": 3}), "a{b=\"1\"} 1\n"),
        Err(ScrapeError::Label { line: 1, .. })
    ));
    assert!(scrape(json!({"label_limit": 4}), "a{b=\"1\"} 1\n").is_ok());
    assert!(scrape(json!({"label_name_length_limit": 8}), "a{b23456789=\"1\"} 1\n").is_err());
    assert!(scrape(json!({"label_value_length_limit": 15}), "a{b=\"1234567890123456\"} 1\n").is_err());
}

#[test]
fn what_cannot_be_used_is_counted() {
    let mut scene = Scene::new(json!({}));
    let text = "a 1\na 2\nb 1 -5\n# TYPE h histogram\nh_sum 1\nh_bucket{le=\"x\"} 1\n";
    let (data, counts) = scene.scrape_as(Format::Classic, text).unwrap();
    assert_eq!(value(&data, "a"), 1.0);
    assert_eq!(counts.unusable, 4);
}

#[test]
fn one_name_with_two_types_loses_nothing() {
    let mut scene = Scene::new(json!({}));
    let data = scene.scrape("# TYPE a counter\na{x=\"1\"} 1\n# TYPE a gauge\na{x=\"2\"} 2\n");
    let points: usize = metrics(&data).iter().map(|metric| numbers(metric).len()).sum();
    assert_eq!((metrics(&data).len(), points), (2, 2));
}

#[test]
fn suffixes_are_trimmed_if_wanted() {
    let json = json!({"trim_metric_suffixes": true, "config": {"scrape_configs": [{"job_name": "a"}]}});
    let config: Config = ::config::Section::from_json("prometheus", &json).parse().unwrap();
    let job = Arc::new(Job::all(&config).unwrap().remove(0));
    let target = Target::new(&job, [("__address__", "h:1")].into_iter().collect()).unwrap().unwrap();
    let mut scene = Scene { target, memory: Memory::default(), seconds: 1 };
    let data = scene.open("# TYPE c_seconds counter\n# UNIT c_seconds seconds\nc_seconds_total 5\n");
    assert_eq!(metrics(&data)[0].name, "c");
}

#[test]
fn a_node_exporter_is_converted_without_loss() {
    const NODE: &str = include_str!("../testdata/node_exporter.txt");
    let mut scene = Scene::new(json!({}));
    let (data, counts) = scene.scrape_as(Format::Classic, NODE).unwrap();
    assert_eq!(counts.unusable, 0);
    // Of the summary `go_gc_duration_seconds` seven lines make one point.
    assert_eq!(pdata::Metrics::from_message(data.clone()).items() as u64, counts.scraped - 6);
    assert_eq!(
        value(&data, "node_load1"),
        NODE.lines().find_map(|line| line.strip_prefix("node_load1 ")).unwrap().parse::<f64>().unwrap()
    );
    assert!(
        matches!(&metric(&data, "node_cpu_seconds_total").data, Some(Data::Sum(sum)) if sum.is_monotonic)
    );
    // The next scrape knows every series.
    assert_eq!(scene.scrape_as(Format::Classic, NODE).unwrap().1.added, 0);
}

proptest! {
    #[test]
    fn no_text_makes_the_conversion_panic(
        bodies in proptest::collection::vec("([a-c]|_sum|_count|_bucket|_total|_created|\\{le=\"1\"\\}|\\{quantile=\"x\"\\}| 1| NaN| -1|\\n|# TYPE a (counter|histogram|summary|info)\\n){0,25}", 1..4),
        honor: bool,
    ) {
        let mut scene = Scene::new(json!({"honor_labels": honor}));
        for body in bodies {
            if scene.scrape_as(Format::Classic, &body).is_err() {
                scene.fail();
            }
        }
        scene.fail();
    }
}
