//! Which format and encoding a scraper gets.

use http::HeaderMap;
use http::header::{ACCEPT, ACCEPT_ENCODING, AsHeaderName};

use super::render::Format;

/// The format that a scraper likes best, of those we have.
pub(super) fn format(headers: &HeaderMap, open_metrics: bool) -> Format {
    if !open_metrics {
        return Format::Classic;
    }
    let mut best = (Format::Classic, 0.0);
    for item in items(headers, ACCEPT) {
        let format = match item.name.to_ascii_lowercase().as_str() {
            "application/openmetrics-text"
                if matches!(item.parameter("version"), None | Some("1.0.0" | "0.0.1")) =>
            {
                Format::OpenMetrics
            }
            "text/plain" if matches!(item.parameter("version"), None | Some("0.0.4")) => Format::Classic,
            _ => continue,
        };
        if item.quality() > best.1 {
            best = (format, item.quality());
        }
    }
    best.0
}

/// Whether a scraper takes gzip.
pub(super) fn accepts_gzip(headers: &HeaderMap) -> bool {
    items(headers, ACCEPT_ENCODING).any(|item| item.name.eq_ignore_ascii_case("gzip") && item.quality() > 0.0)
}

/// One of the things that a header lists.
struct Item<'a> {
    name: &'a str,
    parameters: &'a str,
}

fn items(headers: &HeaderMap, name: impl AsHeaderName) -> impl Iterator<Item = Item<'_>> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|item| {
        let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
        Item { name: name.trim(), parameters }
    })
}

impl<'a> Item<'a> {
    fn parameter(&self, wanted: &str) -> Option<&'a str> {
        self.parameters.split(';').find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().trim_matches('"'))
        })
    }

    fn quality(&self) -> f64 {
        self.parameter("q").map_or(1.0, |text| text.parse().unwrap_or(0.0))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn negotiated(accept: &'static str) -> Format {
        format(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]), true)
    }

    #[test]
    fn a_scraper_gets_what_it_likes_best() {
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(negotiated(prometheus_2), Format::OpenMetrics);
        assert_eq!(
            negotiated("text/plain;version=0.0.4, application/openmetrics-text;q=0.5"),
            Format::Classic
        );
        assert_eq!(negotiated("application/openmetrics-text; version=2.0.0"), Format::Classic);
        assert_eq!(negotiated("text/html, */*;q=0.1"), Format::Classic);
        assert_eq!(negotiated("application/openmetrics-text;q=abc"), Format::Classic);
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(prometheus_2))]);
        assert_eq!(format(&headers, false), Format::Classic);
    }

    #[test]
    fn gzip_is_for_those_who_ask_for_it() {
        let accepts =
            |value| accepts_gzip(&HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(value))]));
        assert!(accepts("deflate, gzip;q=0.5"));
        assert!(!accepts("gzip;q=0, identity"));
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
