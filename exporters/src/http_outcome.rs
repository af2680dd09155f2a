//! What an HTTP answer means for delivery: delivered, worth another try, or refused for good.
//!
//! The texts name the status and never the URL, the headers or the body, which may hold secrets.

use std::time::Duration;

use component::{BuildError, ExportError};
use http::header::{HeaderMap, RETRY_AFTER};
use jiff::fmt::rfc2822;
use pdata::Timestamp;
use reqwest::StatusCode;
use reqwest::redirect::Policy;
use transport::http::{ClientSettings, client_builder};

/// The longest wait that another side may ask for; a mistaken date must not stop delivery for days.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// A client that follows no redirects: after one, a `POST` would become a `GET` without its body, and its answer would
/// count as delivery.
pub(crate) fn client(settings: &ClientSettings) -> Result<reqwest::Client, BuildError> {
    let builder = client_builder(settings).map_err(|error| BuildError::other(transport::describe(&error)))?;
    builder
        .redirect(Policy::none())
        .build()
        .map_err(|error| BuildError::other(transport::describe(&error.without_url())))
}

/// The outcome of a request that got an answer.
pub(crate) fn of_answer(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Result<(), ExportError> {
    if status.is_success() {
        return Ok(());
    }
    let reason = format!("the server answered {status}");
    let worth_retrying = status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT
                | StatusCode::CONFLICT
                | StatusCode::TOO_EARLY
                | StatusCode::TOO_MANY_REQUESTS
        );
    if worth_retrying {
        Err(ExportError::Retryable { reason, after: retry_after(headers, now) })
    } else if status.is_redirection() {
        Err(ExportError::permanent(format!("{reason}, and redirects are not followed")))
    } else {
        Err(ExportError::permanent(reason))
    }
}

/// The outcome of a request that got no answer.
pub(crate) fn of_failure(error: reqwest::Error) -> ExportError {
    // A request that cannot be built will never be; everything else is the network's.
    let permanent = error.is_builder();
    let reason = transport::describe(&error.without_url());
    if permanent { ExportError::permanent(reason) } else { ExportError::retryable(reason) }
}

/// `Retry-After`, in seconds or as a date.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
            let seconds = u64::try_from(date.as_second()).ok()?;
            Timestamp::from_secs(seconds).since(now)
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, retry_after: Option<&'static str>) -> Result<(), ExportError> {
        let mut headers = HeaderMap::new();
        if let Some(value) = retry_after {
            headers.insert(RETRY_AFTER, value.parse().unwrap());
        }
        of_answer(StatusCode::from_u16(status).unwrap(), &headers, Timestamp::from_secs(1_000_000_000))
    }

    #[test]
    fn statuses_fall_into_their_classes() {
        for status in [200, 202, 204] {
            assert_eq!(answer(status, None), Ok(()), "{status}");
        }
        for status in [408, 409, 425, 429, 500, 502, 503, 504] {
            assert!(
                matches!(answer(status, None), Err(ExportError::Retryable { after: None, .. })),
                "{status}"
            );
        }
        for status in [301, 307, 400, 401, 403, 404, 410, 413, 422] {
            assert!(matches!(answer(status, None), Err(ExportError::Permanent { .. })), "{status}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let after = |text| match answer(429, Some(text)) {
            Err(ExportError::Retryable { after, .. }) => after,
            other => panic!("{other:?}"),
        };
        assert_eq!(after("7"), Some(Duration::from_secs(7)));
        assert_eq!(after("Sun, 09 Sep 2001 01:47:10 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(after("Sun, 09 Sep 2001 01:40:00 GMT"), Some(Duration::ZERO));
        assert_eq!(after("999999999"), Some(LONGEST_WAIT));
        assert_eq!(after("soon"), None);
    }
}
