//! Samples as Prometheus counts them, from its text format and from OTLP: two ways to the same, of which neither is ours.

use std::collections::BTreeMap;

use pdata::proto::common::{AnyValue, KeyValue, any_value};
use pdata::proto::metrics::{Metric, metric::Data, number_data_point::Value};

/// Values by name and labels.
pub(crate) type Samples = BTreeMap<String, f64>;

/// The types of families, by name, as a text in the classic format gives them.
pub(crate) fn types(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    lines
        .filter_map(|line| line.split_once(' '))
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect()
}

/// The samples of a text in the classic format.
pub(crate) fn of_text(text: &str) -> Samples {
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(sample).collect()
}

fn sample(line: &str) -> (String, f64) {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
    let value = value.parse().unwrap_or_else(|error| panic!("{error}: {line}"));
    let Some((name, labels)) = series.split_once('{') else { return (key(series, Vec::new()), value) };
    let mut rest = labels.strip_suffix('}').unwrap_or_else(|| panic!("{line}"));
    let mut found = Vec::new();
    while let Some((label, after)) = rest.split_once("=\"") {
        let (text, after) = unquote(after);
        found.push((label.to_owned(), text));
        rest = after.trim_start_matches(',');
    }
    (key(name, found), value)
}

/// The text up to the quotation mark that ends it, and what follows that.
fn unquote(text: &str) -> (String, &str) {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (out, &text[at + 1..]),
            '\\' => match chars.next().expect("something is escaped").1 {
                'n' => out.push('\n'),
                other => out.push(other),
            },
            other => out.push(other),
        }
    }
    panic!("no end: {text}");
}

fn key(name: &str, mut labels: Vec<(String, String)>) -> String {
    for (label, value) in &mut labels {
        // 1e+06 and 1000000 are the same bound.
        if let ("le" | "quantile", Ok(number)) = (label.as_str(), value.parse::<f64>()) {
            *value = number.to_string();
        }
    }
    labels.retain(|(_, value)| !value.is_empty());
    labels.sort();
    format!("{name}{labels:?}")
}

/// The samples that a metric was made of.
pub(crate) fn of_metric(metric: &Metric, samples: &mut Samples) {
    let name = &metric.name;
    let mut add = |suffix: &str, attributes: &[KeyValue], more: Option<(&str, f64)>, value: f64| {
        let mut labels: Vec<_> = attributes
            .iter()
            .map(|attribute| (attribute.key.clone(), text(attribute.value.as_ref())))
            .collect();
        labels.extend(more.map(|(label, value)| (label.to_owned(), value.to_string())));
        let key = key(&format!("{name}{suffix}"), labels);
        assert!(samples.insert(key.clone(), value).is_none(), "twice: {key}");
    };
    match metric.data.as_ref().expect("a metric has data") {
        Data::Gauge(gauge) => {
            gauge.data_points.iter().for_each(|point| add("", &point.attributes, None, number(point.value)));
        }
        Data::Sum(sum) => {
            sum.data_points.iter().for_each(|point| add("", &point.attributes, None, number(point.value)));
        }
        Data::Histogram(histogram) => {
            for point in &histogram.data_points {
                let mut total = 0;
                let bounds = point.explicit_bounds.iter().copied().chain([f64::INFINITY]);
                for (bound, count) in bounds.zip(&point.bucket_counts) {
                    total += count;
                    add("_bucket", &point.attributes, Some(("le", bound)), total as f64);
                }
                add("_count", &point.attributes, None, point.count as f64);
                add("_sum", &point.attributes, None, point.sum.expect("a sum"));
            }
        }
        Data::Summary(summary) => {
            for point in &summary.data_points {
                for quantile in &point.quantile_values {
                    add("", &point.attributes, Some(("quantile", quantile.quantile)), quantile.value);
                }
                add("_count", &point.attributes, None, point.count as f64);
                add("_sum", &point.attributes, None, point.sum);
            }
        }
        Data::ExponentialHistogram(_) => panic!("{name}: no text format has them"),
    }
}

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        other => panic!("labels are texts: {other:?}"),
    }
}

fn number(value: Option<Value>) -> f64 {
    match value.expect("a value") {
        Value::AsDouble(value) => value,
        Value::AsInt(value) => value as f64,
    }
}
