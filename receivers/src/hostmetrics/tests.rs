//! The whole receiver on a fake root directory and on this machine.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use component::Kind;
use pdata::proto::metrics::{AggregationTemporality, Metric, NumberDataPoint, metric, number_data_point};
use serde_json::json;

use super::*;

fn config(json: &serde_json::Value) -> Config {
    ::config::Section::from_json("hostmetrics", json).parse().unwrap()
}

const STAT: &str = "cpu 1 1 1 1\ncpu0 100 0 100 200 0 0 0 0\nbtime 1000\nprocesses 7\n";

/// A host with a fixed state.
fn fake() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let process = |name: &str, state: char, started: u64| {
        format!("1 ({name}) {state} 1 2 3 0 -1 0 5 0 6 0 250 150 0 0 20 0 4 0 {started} 4096000 10 0 0")
    };
    let files = [
        ("proc/stat", STAT.to_owned()),
        ("proc/loadavg", "1.5 1.0 0.5 1/1 1\n".to_owned()),
        ("proc/meminfo", "MemTotal: 1000 kB\nMemFree: 250 kB\nMemAvailable: 500 kB\n".to_owned()),
        ("proc/vmstat", "pswpin 1\npswpout 2\npgpgin 3\npgpgout 4\npgfault 50\npgmajfault 10\n".to_owned()),
        ("proc/swaps", "Filename Type Size Used Priority\n/dev/sdb2 partition 100 25 -2\n".to_owned()),
        ("proc/diskstats", "8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n8 1 sda1 1 2 3 4 5 6 7 8 9 10 11\n".to_owned()),
        ("proc/filesystems", "nodev\ttmpfs\n\text4\n".to_owned()),
        (
            "proc/1/mountinfo",
            "1 0 8:0 / / rw - ext4 /dev/sda rw\n2 1 0:1 / /run rw - tmpfs tmpfs rw\n".to_owned(),
        ),
        (
            "proc/1/net/dev",
            "h\nh\neth0: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\nlo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n".to_owned(),
        ),
        ("proc/1/net/tcp", "head\n0: a b 0A 0\n1: a b 01 0\n".to_owned()),
        ("proc/uptime", "5000.5 1.0\n".to_owned()),
        ("proc/1/stat", process("init", 'S', 0)),
        ("proc/1/cmdline", "/sbin/init\0--flag\0".to_owned()),
        (
            "proc/1/status",
            "Name:\tinit\nUid:\t0\t0\t0\t0\nSigQ:\t3/100\nvoluntary_ctxt_switches:\t11\n".to_owned(),
        ),
        ("proc/1/io", "rchar: 1\nsyscr: 2\nsyscw: 3\nread_bytes: 4096\nwrite_bytes: 8192\n".to_owned()),
        ("proc/22/stat", process("young worker", 'R', 499_000)),
        ("proc/22/io", "read_bytes: 0\nwrite_bytes: 0\n".to_owned()),
        ("etc/passwd", "root:x:0:0::/:/bin/sh\n".to_owned()),
        ("etc/hostname", "node-1\n".to_owned()),
    ];
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

struct Fixture {
    collector: Collector,
    context: Context,
}

fn fixture(root: &Path, scrapers: &serde_json::Value) -> Fixture {
    let context = Context::detached(Kind::Receiver, "hostmetrics");
    context.clock.advance_to(Timestamp::from_secs(6000));
    let config = config(&json!({"root_path": root.to_str().unwrap(), "scrapers": scrapers}));
    Fixture { collector: HostMetrics::new(&config, &context).unwrap().collector, context }
}

impl Fixture {
    async fn collect(&mut self) -> MetricsData {
        self.collector.collect().await.unwrap().expect("metrics").into_message()
    }
}

fn all_metrics(data: &MetricsData) -> BTreeMap<String, Metric> {
    let scopes = data.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    scopes.flat_map(|scope| &scope.metrics).map(|metric| (metric.name.clone(), metric.clone())).collect()
}

fn number_points(metric: &Metric) -> &[NumberDataPoint] {
    match metric.data.as_ref().unwrap() {
        metric::Data::Gauge(gauge) => &gauge.data_points,
        metric::Data::Sum(sum) => &sum.data_points,
        other => panic!("{other:?}"),
    }
}

/// `name{key=value,...} value`, one per point.
fn render(data: &MetricsData, name: &str) -> Vec<String> {
    let metrics = all_metrics(data);
    let Some(metric) = metrics.get(name) else { return Vec::new() };
    let attribute = |attribute: &pdata::proto::common::KeyValue| match attribute
        .value
        .as_ref()
        .unwrap()
        .value
        .as_ref()
        .unwrap()
    {
        pdata::proto::common::any_value::Value::StringValue(text) => format!("{}={text}", attribute.key),
        other => format!("{}={other:?}", attribute.key),
    };
    let point = |point: &NumberDataPoint| {
        let attributes: Vec<_> = point.attributes.iter().map(attribute).collect();
        let value = match point.value.unwrap() {
            number_data_point::Value::AsDouble(value) => value.to_string(),
            number_data_point::Value::AsInt(value) => value.to_string(),
        };
        format!("{} {value}", attributes.join(","))
    };
    number_points(metric).iter().map(point).collect()
}

#[tokio::test]
async fn every_scraper_reads_a_fixed_host() {
    let root = fake();
    let mut fixture = fixture(
        root.path(),
        &json!({"cpu": null, "disk": {"exclude": {"devices": ["[0-9]$"], "match_type": "regexp"}}, "filesystem": null,
            "load": null, "memory": null, "network": {"include": {"interfaces": ["eth0"]}}, "paging": null,
            "processes": null, "system": null}),
    );
    let data = fixture.collect().await;
    assert_eq!(data.resource_metrics.len(), 1);
    let expected: [(&str, &[&str]); 9] = [
        ("system.disk.io", &["device=sda,direction=read 1536", "device=sda,direction=write 3584"]),
        ("system.cpu.load_average.1m", &[" 1.5"]),
        ("system.network.io", &["device=eth0,direction=receive 1", "device=eth0,direction=transmit 5"]),
        ("system.network.dropped", &["device=eth0,direction=receive 4", "device=eth0,direction=transmit 8"]),
        ("system.paging.usage", &["device=/dev/sdb2,state=used 25600", "device=/dev/sdb2,state=free 76800"]),
        ("system.paging.faults", &["type=major 10", "type=minor 40"]),
        ("system.processes.created", &[" 7"]),
        (
            "system.processes.count",
            &[
                "status=blocked 0",
                "status=running 1",
                "status=sleeping 1",
                "status=stopped 0",
                "status=zombies 0",
            ],
        ),
        ("system.uptime", &[" 5000.5"]),
    ];
    for (name, points) in expected {
        assert_eq!(render(&data, name), points, "{name}");
    }
    assert_eq!(render(&data, "system.cpu.time")[3], "cpu=cpu0,state=idle 2");
    assert_eq!(render(&data, "system.memory.usage")[..2], ["state=used 768000", "state=free 256000"]);
    assert!(render(&data, "system.network.connections").contains(&"protocol=tcp,state=LISTEN 1".to_owned()));
    // `statvfs` is of the fake root itself, so its numbers are this machine's; its attributes are not.
    let usage = render(&data, "system.filesystem.usage");
    assert!(usage[0].starts_with("device=/dev/sda,mode=rw,mountpoint=/,type=ext4,state=used "), "{usage:?}");
    assert_eq!(usage.len(), 3, "tmpfs is left out");
}

#[tokio::test]
async fn sums_say_what_they_are_and_since_when() {
    let root = fake();
    let mut fixture = fixture(root.path(), &json!({"cpu": null, "load": null, "memory": null}));
    let metrics = all_metrics(&fixture.collect().await);
    let sum = |name: &str| match metrics[name].data.clone().unwrap() {
        metric::Data::Sum(sum) => sum,
        other => panic!("{name} is {other:?}"),
    };
    for (name, monotonic, unit) in [("system.cpu.time", true, "s"), ("system.memory.usage", false, "By")] {
        let sum = sum(name);
        assert_eq!(sum.is_monotonic, monotonic);
        assert_eq!(sum.aggregation_temporality, i32::from(AggregationTemporality::Cumulative));
        assert_eq!(sum.data_points[0].start_time_unix_nano, Timestamp::from_secs(1000).as_nanos());
        assert_eq!(sum.data_points[0].time_unix_nano, Timestamp::from_secs(6000).as_nanos());
        assert_eq!(metrics[name].unit, unit);
    }
    assert!(matches!(metrics["system.cpu.load_average.1m"].data, Some(metric::Data::Gauge(_))));
}

#[tokio::test]
async fn utilization_is_off_until_asked_for_and_needs_two_measurements() {
    let root = fake();
    let mut plain = fixture(root.path(), &json!({"cpu": null}));
    assert!(render(&plain.collect().await, "system.cpu.utilization").is_empty());
    let toggles = json!({"system.cpu.utilization": {"enabled": true}, "system.cpu.time": {"enabled": false}});
    let mut fixture = fixture(root.path(), &json!({"cpu": {"metrics": toggles}}));
    assert!(fixture.collector.collect().await.unwrap().is_none());
    fs::write(root.path().join("proc/stat"), STAT.replace("cpu0 100 0 100 200", "cpu0 125 0 100 275"))
        .unwrap();
    let data = fixture.collect().await;
    let shares = render(&data, "system.cpu.utilization");
    assert_eq!(
        (shares[0].as_str(), shares[3].as_str()),
        ("cpu=cpu0,state=user 0.25", "cpu=cpu0,state=idle 0.75")
    );
    assert!(render(&data, "system.cpu.time").is_empty());
}

#[tokio::test]
async fn every_process_is_a_resource_and_young_ones_can_be_left_out() {
    let root = fake();
    let metrics = json!({"process.cpu.utilization": {"enabled": true}, "process.signals_pending": {"enabled": true},
        "process.threads": {"enabled": true}, "process.uptime": {"enabled": true}});
    let mut all = fixture(root.path(), &json!({"process": {"metrics": metrics}}));
    let data = all.collect().await;
    assert_eq!(data.resource_metrics.len(), 2);
    let first = &data.resource_metrics[0];
    let attributes = format!("{:?}", first.resource.as_ref().unwrap().attributes);
    for expected in
        ["node-1", "process.pid", "IntValue(1)", "\"/sbin/init --flag\"", "process.owner", "\"root\""]
    {
        assert!(attributes.contains(expected), "{expected} is not in {attributes}");
    }
    let only_first = MetricsData { resource_metrics: vec![first.clone()] };
    assert_eq!(
        render(&only_first, "process.cpu.time"),
        ["state=user 2.5", "state=system 1.5", "state=wait 0"]
    );
    assert_eq!(render(&only_first, "process.disk.io"), ["direction=read 4096", "direction=write 8192"]);
    assert_eq!(render(&only_first, "process.signals_pending"), [" 3"]);
    assert_eq!(render(&only_first, "process.uptime"), [" 5000"]);

    all.context.clock.advance_to(Timestamp::from_secs(6010));
    let stat = fs::read_to_string(root.path().join("proc/1/stat")).unwrap();
    fs::write(root.path().join("proc/1/stat"), stat.replace(" 250 150 ", " 750 150 ")).unwrap();
    let again = MetricsData { resource_metrics: vec![all.collect().await.resource_metrics[0].clone()] };
    assert_eq!(
        render(&again, "process.cpu.utilization")[0],
        "state=user 0.5",
        "five of ten seconds on one CPU"
    );

    let mut old = fixture(root.path(), &json!({"process": {"scrape_process_delay": "1m"}}));
    assert_eq!(old.collect().await.resource_metrics.len(), 1);
    let mut named = fixture(root.path(), &json!({"process": {"include": {"names": ["young worker"]}}}));
    assert_eq!(named.collect().await.resource_metrics.len(), 1);
}

#[tokio::test]
async fn a_part_that_cannot_be_read_is_counted_and_the_others_go_on() {
    let root = fake();
    fs::remove_file(root.path().join("proc/vmstat")).unwrap();
    let mut fixture = fixture(root.path(), &json!({"load": null, "paging": null}));
    let data = fixture.collect().await;
    assert!(!render(&data, "system.cpu.load_average.5m").is_empty());
    let text = fixture.context.telemetry.render();
    assert!(
        text.contains(r#"otelcol_scraper_errored_metric_points{receiver="hostmetrics",scraper="paging"} 1"#),
        "{text}"
    );
    assert!(
        text.contains(r#"otelcol_scraper_scraped_metric_points{receiver="hostmetrics",scraper="load"} 3"#),
        "{text}"
    );
    fs::remove_file(root.path().join("proc/loadavg")).unwrap();
    assert!(fixture.collector.collect().await.unwrap().is_none());
}

#[test]
fn wrong_settings_are_refused_with_their_place() {
    let wrong = |json| {
        let section = ::config::Section::from_json("hostmetrics", &json);
        section.parse::<Config>().unwrap_err().to_string()
    };
    assert!(wrong(json!({})).contains("at least one scraper"));
    let unknown = wrong(json!({"scrapers": {"cpu": {"metrics": {"system.cpu.tim": {"enabled": true}}}}}));
    assert!(unknown.contains("scrapers.cpu.metrics") && unknown.contains("system.cpu.time"), "{unknown}");
    let expression = json!({"scrapers": {"disk": {"include": {"devices": ["("], "match_type": "regexp"}}}});
    assert!(wrong(expression).contains("scrapers.disk.include.devices"));
    assert!(
        wrong(json!({"collection_interval": "0s", "scrapers": {"cpu": null}}))
            .contains("collection_interval")
    );
}

#[tokio::test]
async fn this_machine_can_be_read() {
    let context = Context { clock: Clock::system(), ..Context::detached(Kind::Receiver, "hostmetrics") };
    let scrapers = json!({"cpu": null, "disk": null, "filesystem": {"include_virtual_filesystems": true}, "load": null,
        "memory": null, "network": null, "paging": null, "process": {"mute_process_all_errors": true},
        "processes": null, "system": null});
    let mut collector =
        HostMetrics::new(&config(&json!({"scrapers": scrapers})), &context).unwrap().collector;
    let data = collector.collect().await.unwrap().unwrap().into_message();
    for name in ["system.cpu.time", "system.memory.usage", "system.filesystem.usage", "process.memory.usage"]
    {
        assert!(!render(&data, name).is_empty(), "{name}");
    }
    assert_eq!(context.telemetry.total("otelcol_scraper_errored_metric_points"), 0.0);
}

/// The value of the point of `name` with these attributes.
fn value(data: &MetricsData, name: &str, attributes: &str) -> f64 {
    let points = render(data, name);
    let point = points.iter().find_map(|point| point.strip_prefix(&format!("{attributes} ")));
    point.unwrap_or_else(|| panic!("{name} {attributes}: {points:?}")).parse().unwrap()
}

/// The number in column `column` of the line of a file of this machine that begins with `key`.
fn kernel(path: &str, key: &str, column: usize) -> f64 {
    let text = fs::read_to_string(path).unwrap();
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix(key));
    line.unwrap().split_whitespace().nth(column).unwrap().parse().unwrap()
}

#[tokio::test]
async fn this_machine_is_reported_as_its_kernel_describes_it() {
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    // What only grows lies between what the kernel said before and after.
    type Seen = fn(f64) -> f64;
    let growing: [(&str, &str, Seen); 4] = [
        ("system.cpu.time", "cpu=cpu0,state=user", |ticks| kernel("/proc/stat", "cpu0 ", 0) / ticks),
        ("system.cpu.time", "cpu=cpu0,state=idle", |ticks| kernel("/proc/stat", "cpu0 ", 3) / ticks),
        ("system.processes.created", "", |_| kernel("/proc/stat", "processes ", 0)),
        ("system.network.io", "device=lo,direction=receive", |_| kernel("/proc/self/net/dev", "lo:", 0)),
    ];
    let context = Context { clock: Clock::system(), ..Context::detached(Kind::Receiver, "hostmetrics") };
    let scrapers = json!({"scrapers": {"cpu": null, "memory": null, "network": null, "processes": null}});
    let mut receiver = HostMetrics::new(&config(&scrapers), &context).unwrap();
    let before = growing.map(|(_, _, read)| read(ticks));
    let data = receiver.read().await.unwrap().unwrap().into_message();
    for ((name, attributes, read), before) in growing.into_iter().zip(before) {
        let (reported, after) = (value(&data, name, attributes), read(ticks));
        assert!(before <= reported && reported <= after, "{name} {attributes}: {before} {reported} {after}");
    }
    // What changes all the time still adds up.
    let states = ["used", "free", "buffered", "cached"];
    let sum: f64 =
        states.map(|state| value(&data, "system.memory.usage", &format!("state={state}"))).iter().sum();
    assert_eq!(sum, kernel("/proc/meminfo", "MemTotal:", 0) * 1024.0);
}
