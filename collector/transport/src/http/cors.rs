//! Answering browsers that ask whether a page from elsewhere may send (CORS).

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which pages may send from a browser.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CorsSettings {
    /// Origins that may send, such as `https://*.example.com`; `*` for all. Empty turns CORS off.
    pub allowed_origins: Vec<String>,
    /// Headers that they may send beside the usual ones; `*` for all.
    pub allowed_headers: Vec<String>,
    /// Response headers that they may read.
    pub exposed_headers: Vec<String>,
    /// For how many seconds a browser may remember the answer.
    pub max_age: i64,
}

/// Headers that any page may send.
const USUAL_HEADERS: [&str; 5] = ["accept", "content-type", "origin", "x-requested-with", "content-encoding"];

impl CorsSettings {
    /// Whether any origin is allowed.
    pub(super) const fn is_enabled(&self) -> bool {
        !self.allowed_origins.is_empty()
    }

    /// Whether this is a browser's question before the real request.
    pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
        *method == Method::OPTIONS
            && headers.contains_key(ORIGIN)
            && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// The headers that let the page at `origin` read the answer; `None` if it may not.
    pub(super) fn allow(&self, request: &HeaderMap, preflight: bool) -> Option<HeaderMap> {
        let origin = request.get(ORIGIN)?;
        let text = origin.to_str().ok()?;
        self.allowed_origins.iter().any(|pattern| matches(pattern, text)).then_some(())?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(VARY, HeaderValue::from_static("origin"));
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        if preflight {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, HEAD"));
            if let Some(wanted) = request.get(ACCESS_CONTROL_REQUEST_HEADERS)
                && self.allows_headers(wanted)
            {
                headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
            }
            if self.max_age > 0 {
                headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(self.max_age));
            }
        } else if let Ok(exposed) = HeaderValue::from_str(&self.exposed_headers.join(", "))
            && !exposed.is_empty()
        {
            headers.insert(http::header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
        Some(headers)
    }

    fn allows_headers(&self, wanted: &HeaderValue) -> bool {
        let Ok(wanted) = wanted.to_str() else { return false };
        wanted.split(',').map(str::trim).filter(|name| !name.is_empty()).all(|name| {
            USUAL_HEADERS.iter().any(|usual| usual.eq_ignore_ascii_case(name))
                || self.allowed_headers.iter().any(|known| known == "*" || known.eq_ignore_ascii_case(name))
        })
    }
}

/// Whether `origin` matches a pattern with at most one `*`.
fn matches(pattern: &str, origin: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern.eq_ignore_ascii_case(origin),
        Some((start, end)) => {
            origin.len() >= start.len() + end.len() && origin.starts_with(start) && origin.ends_with(end)
        }
    }
}
