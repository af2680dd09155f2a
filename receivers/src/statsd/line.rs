//! Parses lines of StatsD and DogStatsD.
//!
//! In: one line, such as `page.views:1|c|@0.1|#env:prod`. Out: a [`Line`] borrowed from it, or a [`LineError`].

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MetricKind {
    /// `c`: adds to a count.
    Counter,
    /// `g`: sets a value, or with a sign changes it.
    Gauge,
    /// `ms`: a duration in milliseconds.
    Timer,
    /// `h`: an observation.
    Histogram,
    /// `d`: an observation, for a distribution over all hosts.
    Distribution,
    /// `s`: a member of a set whose size is reported.
    Set,
}

impl MetricKind {
    /// As the collector calls it in the attribute `metric_type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Timer => "timing",
            Self::Histogram => "histogram",
            Self::Distribution => "distribution",
            Self::Set => "set",
        }
    }
}

/// A metric with one or more values.
#[derive(Clone, Debug, PartialEq)]
pub struct Line<'a> {
    /// The metric's name.
    pub name: &'a str,
    /// What its values are.
    pub kind: MetricKind,
    values: &'a str,
    /// The share of events that are reported, in (0, 1].
    pub rate: f64,
    /// The text after `#`.
    tags: &'a str,
    /// Seconds since the epoch, if the sender says (`|T`).
    pub timestamp: Option<u64>,
}

/// Why a line is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Text must be UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// An event (`_e`) or a service check (`_sc`) of DogStatsD.
    #[error("events and service checks are not supported")]
    Unsupported,
    /// There is no `name:value`.
    #[error("expected `name:value|type`")]
    NoValue,
    /// The type is missing or unknown.
    #[error("unknown metric type")]
    BadType,
    /// A value is not a finite number.
    #[error("a value is not a finite number")]
    BadValue,
    /// The rate is not in (0, 1].
    #[error("the sample rate is not in (0, 1]")]
    BadRate,
    /// A tag is not `key:value`.
    #[error("a tag is not `key:value`")]
    BadTag,
    /// The timestamp is not a positive number.
    #[error("the timestamp is not a positive number")]
    BadTimestamp,
}

/// One value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// A number.
    Number(f64),
    /// A change of a gauge.
    Change(f64),
    /// A member of a set.
    Member(&'a str),
}

impl<'a> Line<'a> {
    /// Parses a line. Every value and tag is checked: what is taken can be iterated without errors. Tags without a value
    /// are refused unless `simple_tags`.
    ///
    /// # Errors
    /// If it is malformed or of a kind that is not supported.
    pub fn parse(line: &'a [u8], simple_tags: bool) -> Result<Self, LineError> {
        let text = std::str::from_utf8(line).map_err(|_| LineError::NotUtf8)?;
        if text.starts_with("_e{") || text.starts_with("_sc|") {
            return Err(LineError::Unsupported);
        }
        let mut parts = text.split('|');
        let (name, values) = parts.next().and_then(|part| part.split_once(':')).ok_or(LineError::NoValue)?;
        if name.is_empty() || values.is_empty() {
            return Err(LineError::NoValue);
        }
        let kind = match parts.next() {
            Some("c") => MetricKind::Counter,
            Some("g") => MetricKind::Gauge,
            Some("ms") => MetricKind::Timer,
            Some("h") => MetricKind::Histogram,
            Some("d") => MetricKind::Distribution,
            Some("s") => MetricKind::Set,
            _ => return Err(LineError::BadType),
        };
        let mut parsed = Self { name, kind, values, rate: 1.0, tags: "", timestamp: None };
        for part in parts {
            match part.as_bytes().first() {
                Some(b'@') => parsed.rate = rate(&part[1..])?,
                Some(b'#') => parsed.tags = &part[1..],
                Some(b'T') => {
                    let seconds: u64 = part[1..].parse().map_err(|_| LineError::BadTimestamp)?;
                    parsed.timestamp = Some(seconds).filter(|seconds| *seconds > 0);
                }
                // A container's id (`c:`) and other extensions say nothing that is reported.
                _ => {}
            }
        }
        for value in parsed.values.split(':') {
            parsed.value(value)?;
        }
        for (key, value) in parsed.tags() {
            if key.is_empty() || (value.is_none() && !simple_tags) {
                return Err(LineError::BadTag);
            }
        }
        Ok(parsed)
    }

    /// The values, in order.
    pub fn values(&self) -> impl Iterator<Item = Value<'a>> {
        self.values.split(':').filter_map(|value| self.value(value).ok())
    }

    /// Keys and values of the tags, in order.
    pub fn tags(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        let tags = self.tags.split(',').filter(|tag| !tag.is_empty());
        tags.map(|tag| tag.split_once(':').map_or((tag, None), |(key, value)| (key, Some(value))))
    }

    /// The text that names the tags; the same text means the same tags.
    pub const fn tags_text(&self) -> &'a str {
        self.tags
    }

    fn value(&self, text: &'a str) -> Result<Value<'a>, LineError> {
        if self.kind == MetricKind::Set {
            return if text.is_empty() { Err(LineError::BadValue) } else { Ok(Value::Member(text)) };
        }
        let number: f64 = text.parse().map_err(|_| LineError::BadValue)?;
        if !number.is_finite() {
            return Err(LineError::BadValue);
        }
        let signed = text.starts_with(['+', '-']);
        Ok(if signed && self.kind == MetricKind::Gauge {
            Value::Change(number)
        } else {
            Value::Number(number)
        })
    }
}

fn rate(text: &str) -> Result<f64, LineError> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 1.0 => Ok(rate),
        _ => Err(LineError::BadRate),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Line<'_>, LineError> {
        Line::parse(text.as_bytes(), false)
    }

    #[test]
    fn every_part_of_a_line_is_read() {
        let line = parse("page.views:1:2.5|c|@0.5|#env:prod,url:http://x/|c:abc123|T1700000000").unwrap();
        assert_eq!((line.name, line.kind, line.rate), ("page.views", MetricKind::Counter, 0.5));
        assert_eq!(line.values().collect::<Vec<_>>(), [Value::Number(1.0), Value::Number(2.5)]);
        assert_eq!(line.tags().collect::<Vec<_>>(), [("env", Some("prod")), ("url", Some("http://x/"))]);
        assert_eq!(line.timestamp, Some(1_700_000_000));
    }

    #[test]
    fn a_sign_changes_a_gauge_and_is_a_sign_elsewhere() {
        let values = |text| parse(text).unwrap().values().collect::<Vec<_>>();
        assert_eq!(values("g:+3:-2:7|g"), [Value::Change(3.0), Value::Change(-2.0), Value::Number(7.0)]);
        assert_eq!(values("c:-3|c"), [Value::Number(-3.0)]);
        assert_eq!(values("s:user 1:2|s"), [Value::Member("user 1"), Value::Member("2")]);
    }

    #[test]
    fn what_is_malformed_says_why() {
        for (text, error) in [
            ("", LineError::NoValue),
            ("a|c", LineError::NoValue),
            (":1|c", LineError::NoValue),
            ("a:1", LineError::BadType),
            ("a:1|x", LineError::BadType),
            ("a:one|c", LineError::BadValue),
            ("a:inf|g", LineError::BadValue),
            ("a:1:|c", LineError::BadValue),
            ("a:1|c|@0", LineError::BadRate),
            ("a:1|c|@1.5", LineError::BadRate),
            ("a:1|c|#simple", LineError::BadTag),
            ("a:1|c|#:v", LineError::BadTag),
            ("a:1|c|Tnow", LineError::BadTimestamp),
            ("_e{5,4}:title|text", LineError::Unsupported),
            ("_sc|name|0", LineError::Unsupported),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
        assert_eq!(Line::parse(b"a\xff:1|c", false), Err(LineError::NotUtf8));
        assert!(Line::parse(b"a:1|c|#simple", true).is_ok());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(line in proptest::collection::vec(any::<u8>(), 0..80), simple: bool) {
            if let Ok(line) = Line::parse(&line, simple) {
                prop_assert!(line.values().count() > 0);
                line.tags().for_each(drop);
            }
        }

        #[test]
        fn almost_valid_lines_never_panic(line in "([a-c:|@#,+0-9.-]|ms|\\|c|\\|g|:1|é){0,30}") {
            if let Ok(line) = parse(&line) {
                prop_assert!(line.values().count() > 0);
            }
        }
    }
}
