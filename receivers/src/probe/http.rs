//! One HTTP exchange, redirects included, over connections of its own.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use component::BuildError;
use config::{ByteSize, Invalid};
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, LOCATION, PROXY_AUTHORIZATION, USER_AGENT};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use reqwest::Url;
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::certificate::Certificate;
use super::config::HttpTarget;
use super::connect::{self, Phase, Timings};
use super::error::ProbeError;
use super::validation::{self, Rule, Verdict};

/// What is asked of every URL of a target.
#[derive(Debug)]
pub(super) struct Exchange {
    method: Method,
    headers: HeaderMap,
    body: Bytes,
    tls: Arc<ClientConfig>,
    server_name: String,
    rules: Vec<Rule>,
    max_redirects: u32,
    max_size: ByteSize,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) size: usize,
    pub(super) verdict: Verdict,
    pub(super) certificate: Option<Certificate>,
}

impl Answer {
    /// Whether the server did what it was asked for, and its answer is as it should be.
    pub(super) fn is_success(&self) -> bool {
        (self.status.is_success() || self.status.is_redirection()) && self.verdict.failed.is_empty()
    }
}

/// A request that may be redirected.
struct Hop {
    url: Url,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
}

/// The head of an answer, and what its body comes through.
struct Head {
    response: Response<Incoming>,
    certificate: Option<Certificate>,
    /// Drives the connection.
    _driver: AbortOnDropHandle<()>,
}

impl Exchange {
    /// What `target` asks for.
    ///
    /// # Errors
    /// If certificates are not usable, or a setting is wrong.
    pub(super) fn new(target: &HttpTarget) -> Result<Self, BuildError> {
        let wrong = |invalid: Invalid| BuildError::other(invalid.to_string());
        let alpn: &[&str] = if target.force_attempt_http2 { &["h2", "http/1.1"] } else { &["http/1.1"] };
        let rules = target.validations.iter().map(|entry| Rule::all(entry).map_err(wrong));
        Ok(Self {
            method: check_method(&target.method).map_err(wrong)?,
            headers: headers(target).map_err(wrong)?,
            body: target.body.clone().into(),
            tls: target
                .tls
                .client_config(alpn)
                .map_err(|error| BuildError::other(transport::describe(&error)))?,
            server_name: target.tls.server_name_override.clone(),
            rules: rules.collect::<Result<Vec<_>, _>>()?.concat(),
            max_redirects: target.max_redirects,
            max_size: target.max_response_size,
        })
    }

    /// The name that the target's method has.
    pub(super) fn method(&self) -> &str {
        self.method.as_str()
    }

    /// Asks `url`.
    ///
    /// # Errors
    /// If there is no answer, or it is too large, or it leads on too often.
    pub(super) async fn run(
        &self,
        url: &Url,
        timeout: Duration,
        timings: &mut Timings,
    ) -> Result<Answer, ProbeError> {
        let mut hop = Hop {
            url: url.clone(),
            method: self.method.clone(),
            headers: self.headers.clone(),
            body: self.body.clone(),
        };
        for followed in 0.. {
            let head = self.ask(&hop, timeout, timings).await?;
            match redirection(&head.response).filter(|_| self.max_redirects > 0) {
                None => return self.read(head, timings).await,
                Some(_) if followed == self.max_redirects => break,
                Some(location) => hop.follow(head.response.status(), location)?,
            }
        }
        Err(ProbeError::TooManyRedirects { limit: self.max_redirects })
    }

    async fn ask(&self, hop: &Hop, timeout: Duration, timings: &mut Timings) -> Result<Head, ProbeError> {
        let host = hop.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let port = hop.url.port_or_known_default().unwrap_or(80);
        let stream = connect::tcp((host, port), timeout, timings).await?;
        if hop.url.scheme() != "https" {
            let began = Instant::now();
            let (response, driver) = send_http1(stream, hop.request(false)?).await?;
            timings.ended(Phase::Request, began);
            return Ok(Head { response, certificate: None, _driver: driver });
        }
        let name = if self.server_name.is_empty() { host } else { &self.server_name };
        let stream = connect::tls(stream, name, &self.tls, timings).await?;
        let certificate = Certificate::of(stream.get_ref().1);
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let began = Instant::now();
        let request = hop.request(is_http2)?;
        let (response, driver) =
            if is_http2 { send_http2(stream, request).await? } else { send_http1(stream, request).await? };
        timings.ended(Phase::Request, began);
        Ok(Head { response, certificate, _driver: driver })
    }

    async fn read(&self, head: Head, timings: &mut Timings) -> Result<Answer, ProbeError> {
        let Head { response, certificate, _driver } = head;
        let (parts, mut body) = response.into_parts();
        let limit = self.max_size;
        let mut bytes = BytesMut::new();
        let began = Instant::now();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|source| ProbeError::Http { source })?;
            let data = frame.data_ref().map_or(&[][..], |data| data);
            if bytes.len() + data.len() > limit.as_usize() {
                return Err(ProbeError::TooLarge { limit });
            }
            bytes.extend_from_slice(data);
        }
        timings.ended(Phase::Response, began);
        let verdict = validation::check(&self.rules, &bytes);
        Ok(Answer { status: parts.status, size: bytes.len(), verdict, certificate })
    }
}

/// Where an answer leads on to, if it does.
fn redirection(response: &Response<Incoming>) -> Option<&HeaderValue> {
    let leads_on = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    response.headers().get(LOCATION).filter(|_| leads_on)
}

impl Hop {
    fn follow(&mut self, status: StatusCode, location: &HeaderValue) -> Result<(), ProbeError> {
        let location = location.to_str().map_err(|_| ProbeError::BadRedirect)?;
        let next = self.url.join(location).map_err(|_| ProbeError::BadRedirect)?;
        if !matches!(next.scheme(), "http" | "https") || next.host_str().is_none() {
            return Err(ProbeError::BadRedirect);
        }
        let keeps_method = matches!(status.as_u16(), 307 | 308);
        if !keeps_method && !matches!(self.method, Method::GET | Method::HEAD) {
            self.method = Method::GET;
            self.body = Bytes::new();
            self.headers.remove(CONTENT_TYPE);
        }
        if next.origin() != self.url.origin() {
            // They were meant for the first server only.
            for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, HOST] {
                self.headers.remove(name);
            }
        }
        self.url = next;
        Ok(())
    }

    fn request(&self, is_http2: bool) -> Result<Request<Full<Bytes>>, ProbeError> {
        let url = &self.url;
        let mut uri = url.path().to_owned();
        if let Some(query) = url.query() {
            uri.push('?');
            uri.push_str(query);
        }
        let mut authority = url.host_str().unwrap_or_default().to_owned();
        if let Some(port) = url.port() {
            authority.push_str(&format!(":{port}"));
        }
        let request = Request::builder().method(&self.method);
        let request = if is_http2 {
            request.uri(format!("{}://{authority}{uri}", url.scheme()))
        } else {
            request.uri(uri).header(HOST, authority)
        };
        let mut request =
            request.body(Full::new(self.body.clone())).map_err(|source| ProbeError::Request { source })?;
        for (name, value) in &self.headers {
            // In HTTP/2 the name of the host is in the URI.
            if !is_http2 || name != HOST {
                request.headers_mut().insert(name, value.clone());
            }
        }
        Ok(request)
    }
}

type Sent = Result<(Response<Incoming>, AbortOnDropHandle<()>), ProbeError>;

async fn send_http1(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Sent {
    let failed = |source| ProbeError::Http { source };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let driver = drive(connection);
    Ok((sender.send_request(request).await.map_err(failed)?, driver))
}

async fn send_http2(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Sent {
    let failed = |source| ProbeError::Http { source };
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.map_err(failed)?;
    let driver = drive(connection);
    Ok((sender.send_request(request).await.map_err(failed)?, driver))
}

fn drive(
    connection: impl Future<Output = Result<(), hyper::Error>> + Send + 'static,
) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = transport::describe(&error), "a probe's connection ended badly");
        }
    }))
}

/// A URL that can be probed.
///
/// # Errors
/// Why it cannot.
pub(super) fn parse_url(url: &str) -> Result<Url, String> {
    let parsed = Url::parse(url).map_err(|error| format!("`{url}` is not a URL: {error}"))?;
    if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none() {
        return Err(format!("`{url}` must begin with http:// or https:// and name a host"));
    }
    // The URL becomes an attribute.
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("a URL must not hold credentials: put an `Authorization` into `headers`".to_owned());
    }
    Ok(parsed)
}

/// A method by its name.
///
/// # Errors
/// If no method can be called so.
pub(super) fn check_method(name: &str) -> Result<Method, Invalid> {
    Method::from_bytes(name.as_bytes()).map_err(|_| Invalid::new("method", format!("`{name}` is no method")))
}

/// The request's headers.
///
/// # Errors
/// If a name or a value may not stand in a header.
pub(super) fn headers(target: &HttpTarget) -> Result<HeaderMap, Invalid> {
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("watchfire/", env!("CARGO_PKG_VERSION"))));
    for (name, value) in &target.headers {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| Invalid::new("headers", format!("`{name}` is not a header name")))?;
        let mut value = HeaderValue::from_str(value.reveal()).map_err(|_| {
            Invalid::new("headers", format!("the value of `{name}` may not stand in a header"))
        })?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    if target.auto_content_type && !target.body.is_empty() && !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(&target.body)));
    }
    Ok(headers)
}

/// What the collector takes a body for.
fn content_type(body: &str) -> &'static str {
    if body.trim_start().starts_with(['{', '[']) {
        "application/json"
    } else if body.contains('=') {
        "application/x-www-form-urlencoded"
    } else {
        "text/plain"
    }
}
