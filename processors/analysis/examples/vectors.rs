//! Scores tables of metrics, as `detect` with `emit_scores` does: to try detectors without the rest.
//!
//! In: CSV files with columns `time` (seconds), metrics, and perhaps `label`, each one resource; before them `--detectors a,b`.
//! Out: scores as JSON lines, with the time that it took on standard error.

#![expect(clippy::print_stderr, reason = "the time that it took is no result")]

use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use analysis::detect::{Findings, Limits, Settings, Watcher, vectors};
use pdata::Metrics;
use pdata::proto::common::{AnyValue, KeyValue, any_value::Value};
use pdata::proto::metrics::{
    Gauge, Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data,
    number_data_point,
};
use pdata::proto::resource::Resource;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut settings = vectors::Settings::default();
    let mut files = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--detectors" {
            let names = arguments.next().unwrap_or_default();
            settings.detectors = vectors::Detector::ALL
                .into_iter()
                .filter(|one| names.split(',').any(|name| name == one.name()))
                .collect();
        } else {
            files.push(argument);
        }
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    for file in files {
        score(Path::new(&file), &settings, &mut out)?;
    }
    out.flush()?;
    Ok(())
}

fn score(
    file: &Path,
    settings: &vectors::Settings,
    out: &mut impl Write,
) -> Result<(), Box<dyn std::error::Error>> {
    let service = file.file_stem().unwrap_or_default().to_string_lossy();
    let text = std::fs::read_to_string(file)?;
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let mut watcher =
        Watcher::new(Limits::default(), Settings::default(), None).with_vectors(settings.clone());
    let (mut points, mut took) = (0, Duration::ZERO);
    let mut slowest = Vec::new();
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        let seconds: f64 = fields[0].parse()?;
        let metrics = names.iter().zip(&fields).skip(1).filter(|(name, _)| **name != "label");
        let metrics: Vec<Metric> =
            metrics.filter_map(|(name, field)| Some(gauge(name, seconds, field.parse().ok()?))).collect();
        points += metrics.len();
        let batch = batch(&service, metrics)?;
        let begun = Instant::now();
        let mut findings = Findings::new(true);
        watcher.metrics(&batch, &|_| true, &mut findings);
        took += begun.elapsed();
        slowest.push(begun.elapsed());
        for event in findings.events {
            let mut line = Vec::new();
            event.to_json(&mut line);
            line.push(b'\n');
            out.write_all(&line)?;
        }
    }
    slowest.sort_unstable();
    let each = took.as_nanos() / points.max(1) as u128;
    let at = |share: usize| slowest.get(slowest.len() * share / 1000).copied().unwrap_or_default();
    let vectors::Counted { models, drifts, .. } = watcher.vectors().counted();
    eprintln!(
        "{service}: {models} models, {drifts} drifts, {each} ns a point; a frame in {:?}, p99 {:?}, p99.9 {:?}",
        at(500),
        at(990),
        at(999)
    );
    Ok(())
}

fn gauge(name: &str, seconds: f64, value: f64) -> Metric {
    let point = NumberDataPoint {
        time_unix_nano: (seconds * 1e9) as u64,
        value: Some(number_data_point::Value::AsDouble(value)),
        ..NumberDataPoint::default()
    };
    Metric {
        name: name.to_owned(),
        unit: "1".to_owned(),
        data: Some(Data::Gauge(Gauge { data_points: vec![point] })),
        ..Metric::default()
    }
}

fn batch(service: &str, metrics: Vec<Metric>) -> Result<Metrics, pdata::DecodeError> {
    let value = Some(AnyValue { value: Some(Value::StringValue(service.to_owned())) });
    let name = KeyValue { key: "service.name".to_owned(), value, ..KeyValue::default() };
    let resource = Some(Resource { attributes: vec![name], ..Resource::default() });
    let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
    let group = ResourceMetrics { resource, scope_metrics, ..ResourceMetrics::default() };
    Metrics::from_bytes(Metrics::from_message(MetricsData { resource_metrics: vec![group] }).bytes().clone())
}
