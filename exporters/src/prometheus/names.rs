//! Names and units as Prometheus has them, by OpenTelemetry's rules for Prometheus.

use std::borrow::Cow;

/// How metrics are named.
#[derive(Clone, Debug)]
pub(super) struct Naming {
    /// What every name begins with; empty for nothing.
    pub(super) namespace: String,
    /// Whether the unit and `_total` are added.
    pub(super) suffixes: bool,
}

/// What of a metric's type shows in its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suffix {
    /// Counters end with `_total`.
    Total,
    /// Gauges without a dimension end with `_ratio`.
    Ratio,
    /// Nothing.
    None,
}

/// A metric's name, and its unit as a word; empty if it has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MetricName {
    pub(super) name: String,
    pub(super) unit: String,
}

impl Naming {
    /// The name of a metric. Empty if nothing of it may stand in a name.
    pub(super) fn of(&self, name: &str, unit: &str, suffix: Suffix) -> MetricName {
        if !self.suffixes {
            let joined = tokens(name).collect::<Vec<_>>().join("_");
            return MetricName { name: self.complete(&joined), unit: String::new() };
        }
        let mut words: Vec<&str> = tokens(name).collect();
        let (main, per) = unit_words(unit);
        let (main, per) = (main.as_str(), per.as_str());
        let mut whole = main.to_owned();
        if !per.is_empty() {
            whole =
                [main, "per", per].into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_");
        }
        if !main.is_empty() && !words.contains(&main) {
            words.push(main);
        }
        if !per.is_empty() && !words.contains(&per) {
            words.extend(["per", per]);
        }
        match suffix {
            Suffix::Total => {
                words.retain(|word| *word != "total");
                words.push("total");
            }
            Suffix::Ratio if unit == "1" => {
                words.retain(|word| *word != "ratio");
                words.push("ratio");
                "ratio".clone_into(&mut whole);
            }
            Suffix::Ratio | Suffix::None => {}
        }
        MetricName { name: self.complete(&words.join("_")), unit: whole }
    }

    fn complete(&self, name: &str) -> String {
        let mut out = self.namespace.clone();
        if !out.is_empty() && !name.is_empty() {
            out.push('_');
        }
        out.push_str(name);
        if out.starts_with(|c: char| c.is_ascii_digit()) {
            out.insert(0, '_');
        }
        out
    }
}

/// A text as a metric's name: what may not stand in one becomes `_`, several of them one.
pub(super) fn metric_name(text: &str) -> String {
    tokens(text).collect::<Vec<_>>().join("_")
}

/// The parts of a name that may stand in one.
fn tokens(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !(c.is_ascii_alphanumeric() || c == ':')).filter(|token| !token.is_empty())
}

/// A unit as words: of itself, and of what it is per. Annotations in braces are no unit.
fn unit_words(unit: &str) -> (String, String) {
    let (main, per) = unit.split_once('/').unwrap_or((unit, ""));
    let word = |text: &str, known: fn(&str) -> Option<&'static str>| {
        let text = text.trim();
        if text.contains(['{', '}']) {
            return String::new();
        }
        known(text).map_or_else(|| metric_name(text), str::to_owned)
    };
    (word(main, unit_word), word(per, per_word))
}

/// The word for a unit code (UCUM).
fn unit_word(code: &str) -> Option<&'static str> {
    Some(match code {
        "d" => "days",
        "h" => "hours",
        "min" => "minutes",
        "s" => "seconds",
        "ms" => "milliseconds",
        "us" => "microseconds",
        "ns" => "nanoseconds",
        "By" => "bytes",
        "KiBy" => "kibibytes",
        "MiBy" => "mebibytes",
        "GiBy" => "gibibytes",
        "TiBy" => "tibibytes",
        "KBy" => "kilobytes",
        "MBy" => "megabytes",
        "GBy" => "gigabytes",
        "TBy" => "terabytes",
        "m" => "meters",
        "V" => "volts",
        "A" => "amperes",
        "J" => "joules",
        "W" => "watts",
        "g" => "grams",
        "Cel" => "celsius",
        "Hz" => "hertz",
        "1" => "",
        "%" => "percent",
        _ => return None,
    })
}

/// The word for a unit code behind `/`.
fn per_word(code: &str) -> Option<&'static str> {
    Some(match code {
        "s" => "second",
        "m" | "min" => "minute",
        "h" => "hour",
        "d" => "day",
        "w" => "week",
        "mo" => "month",
        "y" => "year",
        _ => return None,
    })
}

/// An attribute's key as a label's name.
pub(super) fn label_name(key: &str) -> Cow<'_, str> {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let starts_well =
        key.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic()) || key.starts_with("__");
    if starts_well && key.bytes().all(valid) {
        return Cow::Borrowed(key);
    }
    let mut name: String =
        key.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert_str(0, "key_");
    } else if name.starts_with('_') && !name.starts_with("__") {
        name.insert_str(0, "key");
    }
    if name.is_empty() {
        name.push_str("key_");
    }
    Cow::Owned(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(name: &str, unit: &str, suffix: Suffix) -> String {
        Naming { namespace: String::new(), suffixes: true }.of(name, unit, suffix).name
    }

    #[test]
    fn names_get_unit_and_type_once() {
        assert_eq!(
            name("http.server.request.duration", "s", Suffix::None),
            "http_server_request_duration_seconds"
        );
        assert_eq!(name("system.network.io", "By", Suffix::Total), "system_network_io_bytes_total");
        assert_eq!(name("process_cpu_seconds_total", "s", Suffix::Total), "process_cpu_seconds_total");
        assert_eq!(name("total.requests", "{request}", Suffix::Total), "requests_total");
        assert_eq!(name("system.cpu.utilization", "1", Suffix::Ratio), "system_cpu_utilization_ratio");
        assert_eq!(name("errors", "1", Suffix::Total), "errors_total");
        assert_eq!(name("disk.speed", "By/s", Suffix::Ratio), "disk_speed_bytes_per_second");
        assert_eq!(name("speed", "m/s", Suffix::Ratio), "speed_meters_per_second");
        assert_eq!(name("requests", "{request}/s", Suffix::Ratio), "requests_per_second");
        assert_eq!(name("hit", "%", Suffix::Ratio), "hit_percent");
        assert_eq!(name("2xx..count", "", Suffix::None), "_2xx_count");
        assert_eq!(name("job:rate:5m", "", Suffix::Ratio), "job:rate:5m");
        assert_eq!(name("größe", "", Suffix::None), "gr_e");
        let plain = Naming { namespace: "shop".to_owned(), suffixes: false };
        assert_eq!(plain.of("http.duration", "s", Suffix::Total).name, "shop_http_duration");
    }

    #[test]
    fn labels_are_escaped_and_never_look_internal_by_accident() {
        assert_eq!(label_name("http.method"), "http_method");
        assert_eq!(label_name("1st"), "key_1st");
        assert_eq!(label_name("_private"), "key_private");
        assert_eq!(label_name("__name"), "__name");
        assert_eq!(label_name("ключ"), "____");
        assert_eq!(label_name(""), "key_");
    }

    proptest! {
        #[test]
        fn whatever_comes_in_a_name_comes_out(text in ".*", unit in ".*") {
            let valid = |name: &str, extra: &str| {
                name.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
                    && !name.starts_with(|c: char| c.is_ascii_digit())
            };
            for suffix in [Suffix::Total, Suffix::Ratio, Suffix::None] {
                let metric = name(&text, &unit, suffix);
                prop_assert!(valid(&metric, "_:"), "{}", metric);
            }
            let label = label_name(&text);
            prop_assert!(!label.is_empty() && valid(&label, "_"), "{}", label);
        }
    }
}
