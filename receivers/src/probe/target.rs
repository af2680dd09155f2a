//! A target, and what becomes of probing it.

use std::sync::Arc;
use std::time::Duration;

use component::{BuildError, Clock};
use config::Invalid;
use pdata::proto::common::KeyValue;
use reqwest::Url;
use rustls::ClientConfig;
use tokio::time::Instant;
use transport::tls::ClientTls;

use super::certificate::Certificate;
use super::config::{Config, DEFAULT_TIMEOUT, DnsTarget, HttpTarget, TcpTarget, TlsTarget, host_and_port};
use super::connect::{self, Phase, Timings};
use super::dns::Query;
use super::error::ProbeError;
use super::http::{self, Answer, Exchange};
use crate::emit::text;

/// What the collector takes for a timeout if the configuration does not say.
const HTTP_TIMEOUT: config::Duration = config::Duration::from_secs(30);

/// How long a probe may take: no time at all means the default.
fn bound(timeout: config::Duration, default: config::Duration) -> Duration {
    if timeout.is_zero() { default.get() } else { timeout.get() }
}

/// Something that is probed.
#[derive(Debug)]
pub(super) struct Target {
    name: String,
    timeout: Duration,
    check: Check,
}

#[derive(Debug)]
enum Check {
    Http { url: Url, exchange: Arc<Exchange> },
    Tcp { host: String, port: u16 },
    Tls(TlsCheck),
    Dns(Query),
}

#[derive(Debug)]
struct TlsCheck {
    host: String,
    port: u16,
    /// Whom the certificate must be for.
    server_name: String,
    config: Arc<ClientConfig>,
    /// Takes any certificate, to look at one that is not good.
    lenient: Arc<ClientConfig>,
}

/// What a successful probe saw.
#[derive(Debug)]
pub(super) enum Seen {
    Http(Answer),
    Tcp,
    Tls,
    Dns { answers: usize },
}

/// What became of a probe.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) timings: Timings,
    pub(super) duration: Duration,
    pub(super) certificate: Option<Certificate>,
    pub(super) result: Result<Seen, ProbeError>,
    /// Of a TCP target: how often it failed since the start, by the collector's codes.
    pub(super) errors_so_far: Vec<(&'static str, u64)>,
}

impl Outcome {
    /// Whether the target is as it should be.
    pub(super) fn is_success(&self) -> bool {
        match &self.result {
            Ok(Seen::Http(answer)) => answer.is_success(),
            Ok(Seen::Tcp | Seen::Tls | Seen::Dns { .. }) => true,
            Err(_) => false,
        }
    }

    /// Why it is not, if it is not.
    pub(super) fn error(&self) -> Option<String> {
        match &self.result {
            Err(error) => Some(transport::describe(error)),
            Ok(Seen::Http(answer)) if !answer.verdict.failed.is_empty() => {
                let kinds: Vec<_> = answer.verdict.failed.iter().map(|(kind, _)| *kind).collect();
                Some(format!("validation failed: {}", kinds.join(", ")))
            }
            Ok(Seen::Http(answer)) if !answer.is_success() => {
                Some(format!("status {}", answer.status.as_u16()))
            }
            Ok(_) => None,
        }
    }
}

impl Target {
    /// Every target of a configuration.
    ///
    /// # Errors
    /// If certificates are not usable.
    pub(super) fn all(config: &Config) -> Result<Vec<Self>, BuildError> {
        let mut targets = Vec::new();
        for target in &config.targets {
            targets.extend(Self::http(target)?);
        }
        for target in &config.tcp {
            targets.push(Self::tcp(target)?);
        }
        for target in &config.tls {
            targets.push(Self::tls(target)?);
        }
        for target in &config.dns {
            targets.push(Self::dns(target)?);
        }
        let most = config.timeout.get();
        for target in targets.iter_mut().filter(|_| !most.is_zero()) {
            target.timeout = target.timeout.min(most);
        }
        Ok(targets)
    }

    fn http(target: &HttpTarget) -> Result<Vec<Self>, BuildError> {
        let exchange = Arc::new(Exchange::new(target)?);
        let timeout = bound(target.timeout, HTTP_TIMEOUT);
        let one = |name: &String| {
            let url = http::parse_url(name).map_err(BuildError::other)?;
            Ok(Self {
                name: name.clone(),
                timeout,
                check: Check::Http { url, exchange: Arc::clone(&exchange) },
            })
        };
        target.urls().map(one).collect()
    }

    fn tcp(target: &TcpTarget) -> Result<Self, BuildError> {
        let (host, port) = host_and_port(&target.endpoint).map_err(wrong)?;
        let check = Check::Tcp { host: host.to_owned(), port };
        Ok(Self { name: target.endpoint.clone(), timeout: bound(target.timeout, DEFAULT_TIMEOUT), check })
    }

    fn tls(target: &TlsTarget) -> Result<Self, BuildError> {
        let (host, port) = host_and_port(&target.endpoint).map_err(wrong)?;
        let config = |tls: &ClientTls| {
            tls.client_config(&[]).map_err(|error| BuildError::other(transport::describe(&error)))
        };
        let name = Some(&target.tls.server_name_override).filter(|name| !name.is_empty());
        let check = TlsCheck {
            host: host.to_owned(),
            port,
            server_name: name.map_or_else(|| host.to_owned(), Clone::clone),
            config: config(&target.tls)?,
            lenient: config(&ClientTls { insecure_skip_verify: true, ..target.tls.clone() })?,
        };
        Ok(Self {
            name: target.endpoint.clone(),
            timeout: bound(target.timeout, DEFAULT_TIMEOUT),
            check: Check::Tls(check),
        })
    }

    fn dns(target: &DnsTarget) -> Result<Self, BuildError> {
        let check = Check::Dns(Query::new(target).map_err(wrong)?);
        Ok(Self { name: target.name.clone(), timeout: bound(target.timeout, DEFAULT_TIMEOUT), check })
    }

    /// What the configuration calls it: a URL, `host:port`, or a name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What kind of target it is.
    pub(super) const fn kind(&self) -> &'static str {
        match self.check {
            Check::Http { .. } => "http",
            Check::Tcp { .. } => "tcp",
            Check::Tls(_) => "tls",
            Check::Dns(_) => "dns",
        }
    }

    pub(super) const fn is_tcp(&self) -> bool {
        matches!(self.check, Check::Tcp { .. })
    }

    pub(super) const fn is_tls(&self) -> bool {
        matches!(self.check, Check::Tls(_))
    }

    /// The method of its requests, if it is an HTTP target.
    pub(super) fn http_method(&self) -> Option<&str> {
        match &self.check {
            Check::Http { exchange, .. } => Some(exchange.method()),
            _ => None,
        }
    }

    /// Which target it is, on our own metrics.
    pub(super) fn attributes(&self) -> Vec<KeyValue> {
        vec![text("probe.kind", self.kind()), text("probe.target", &self.name)]
    }

    /// Probes it, within its timeout.
    pub(super) async fn probe(&self, clock: &Clock) -> Outcome {
        let began = Instant::now();
        let mut timings = Timings::default();
        let mut certificate = None;
        let probe = self.check.run(self.timeout, clock, &mut timings, &mut certificate);
        let result = tokio::time::timeout(self.timeout, probe).await;
        let result = result.unwrap_or(Err(ProbeError::Timeout(self.timeout)));
        if let Err(error) = &result {
            tracing::debug!(target = self.name, error = transport::describe(error), "a probe failed");
        }
        Outcome { timings, duration: began.elapsed(), certificate, result, errors_so_far: Vec::new() }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn wrong(invalid: Invalid) -> BuildError {
    BuildError::other(invalid.to_string())
}

impl Check {
    async fn run(
        &self,
        timeout: Duration,
        clock: &Clock,
        timings: &mut Timings,
        certificate: &mut Option<Certificate>,
    ) -> Result<Seen, ProbeError> {
        match self {
            Self::Http { url, exchange } => {
                let answer = exchange.run(url, timeout, timings).await?;
                certificate.clone_from(&answer.certificate);
                Ok(Seen::Http(answer))
            }
            Self::Tcp { host, port } => {
                connect::tcp((host, *port), timeout, timings).await?;
                Ok(Seen::Tcp)
            }
            Self::Tls(check) => check.run(timeout, clock, timings, certificate).await,
            Self::Dns(query) => {
                let began = Instant::now();
                let result = query.run(timeout).await;
                timings.ended(Phase::Dns, began);
                result.map(|answers| Seen::Dns { answers })
            }
        }
    }
}

impl TlsCheck {
    async fn run(
        &self,
        timeout: Duration,
        clock: &Clock,
        timings: &mut Timings,
        certificate: &mut Option<Certificate>,
    ) -> Result<Seen, ProbeError> {
        let result = self.look(&self.config, timeout, timings).await;
        if matches!(result, Err(ProbeError::Tls { .. })) {
            // When a certificate ends is wanted most when it is not good any more.
            *certificate = self.look(&self.lenient, timeout, &mut Timings::default()).await.ok();
        }
        let seen = certificate.insert(result?);
        if seen.time_left(clock.now()) < 0 { Err(ProbeError::Expired) } else { Ok(Seen::Tls) }
    }

    async fn look(
        &self,
        config: &Arc<ClientConfig>,
        timeout: Duration,
        timings: &mut Timings,
    ) -> Result<Certificate, ProbeError> {
        let stream = connect::tcp((&self.host, self.port), timeout, timings).await?;
        let stream = connect::tls(stream, &self.server_name, config, timings).await?;
        Certificate::of(stream.get_ref().1).ok_or(ProbeError::NoCertificate)
    }
}
