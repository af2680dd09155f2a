//! Gets one exposition over HTTP, within bounds of time and size.

use std::path::Path;

use bytes::{Bytes, BytesMut};
use config::Opaque;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, RequestBuilder};
use transport::compression::{DecompressError, Encoding};
use transport::http::ClientSettings;
use transport::{TransportError, describe};

use super::config::ScrapeConfig;
use super::target::Target;
use super::text::Format;

/// An exposition.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) body: Bytes,
    pub(super) format: Format,
}

/// Why there is no exposition.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("{0}")]
    Request(String),
    #[error("no answer within {0:?}")]
    Timeout(std::time::Duration),
    #[error("the target answered with status {0}")]
    Status(u16),
    #[error("the body is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("unknown content encoding")]
    UnknownEncoding,
    #[error("{0}")]
    Decompress(#[from] DecompressError),
    #[error("the content type `{0}` is not one of the text formats")]
    NotText(String),
    #[error("cannot read the credentials in {path}")]
    Credentials { path: String, source: std::io::Error },
    #[error("the job has more targets than its limit of {limit}")]
    TooManyTargets { limit: usize },
}

/// A client for a job.
///
/// # Errors
/// If certificates or the proxy are not usable.
pub(super) fn client(job: &ScrapeConfig) -> Result<Client, TransportError> {
    let settings = ClientSettings {
        tls: job.tls_config.to_client(),
        proxy_url: job.proxy_url.clone(),
        force_attempt_http2: job.enable_http2,
        ..ClientSettings::default()
    };
    let mut builder = transport::http::client_builder(&settings)?;
    if !job.follow_redirects {
        builder = builder.redirect(reqwest::redirect::Policy::none());
    }
    builder.build().map_err(|error| TransportError::Client(describe(&error)))
}

/// Gets the target's exposition.
///
/// # Errors
/// If there is none in time, or it is too large.
pub(super) async fn fetch(client: &Client, target: &Target) -> Result<Fetched, FetchError> {
    let exchange = async {
        let mut request = client
            .get(target.url.clone())
            .header(ACCEPT, Format::ACCEPT)
            .header("X-Prometheus-Scrape-Timeout-Seconds", target.timeout.as_secs_f64().to_string());
        if target.job.config.enable_compression {
            request = request.header(ACCEPT_ENCODING, "gzip");
        }
        request = authorize(request, &target.job.config).await?;
        read(request, target.job.config.max_body()).await
    };
    tokio::time::timeout(target.timeout, exchange).await.unwrap_or(Err(FetchError::Timeout(target.timeout)))
}

async fn read(request: RequestBuilder, limit: usize) -> Result<Fetched, FetchError> {
    let failed = |error: reqwest::Error| FetchError::Request(describe(&error.without_url()));
    let mut response = request.send().await.map_err(failed)?;
    if !response.status().is_success() {
        return Err(FetchError::Status(response.status().as_u16()));
    }
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let content_type = response.headers().get(CONTENT_TYPE).map(text);
    let format = Format::of_content_type(content_type.as_deref())
        .ok_or_else(|| FetchError::NotText(content_type.unwrap_or_default()))?;
    let encoding = response.headers().get(CONTENT_ENCODING).map(text).unwrap_or_default();
    let encoding = Encoding::from_header(&encoding).ok_or(FetchError::UnknownEncoding)?;
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > limit {
            return Err(FetchError::TooLarge { limit });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Fetched { body: encoding.decode(body.freeze(), limit)?, format })
}

async fn authorize(request: RequestBuilder, job: &ScrapeConfig) -> Result<RequestBuilder, FetchError> {
    if let Some(basic) = &job.basic_auth {
        let username = if basic.username_file.is_empty() {
            basic.username.clone()
        } else {
            secret(&Opaque::default(), &basic.username_file).await?
        };
        return Ok(request.basic_auth(username, Some(secret(&basic.password, &basic.password_file).await?)));
    }
    let (kind, credentials) = match &job.authorization {
        Some(auth) => (auth.kind.as_str(), secret(&auth.credentials, &auth.credentials_file).await?),
        None => ("Bearer", secret(&job.bearer_token, &job.bearer_token_file).await?),
    };
    if credentials.is_empty() {
        return Ok(request);
    }
    let mut value = HeaderValue::from_str(&format!("{kind} {credentials}"))
        .map_err(|_| FetchError::Request("the credentials may not stand in a header".to_owned()))?;
    value.set_sensitive(true);
    Ok(request.header(AUTHORIZATION, value))
}

/// A secret, or the trimmed text of the file that holds it.
async fn secret(value: &Opaque, file: &str) -> Result<String, FetchError> {
    if file.is_empty() {
        return Ok(value.reveal().to_owned());
    }
    match tokio::fs::read_to_string(Path::new(file)).await {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(source) => Err(FetchError::Credentials { path: file.to_owned(), source }),
    }
}
