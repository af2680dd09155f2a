//! Whether a name can be resolved, and to what it should be.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use config::Invalid;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::{ResolverBuilder, TokioResolver};

use super::config::DnsTarget;
use super::error::ProbeError;

/// What is asked, and whom.
#[derive(Clone, Debug)]
pub(super) struct Query {
    name: Name,
    record_type: RecordType,
    server: Option<SocketAddr>,
    expect: Vec<String>,
}

const RECORD_TYPES: &[RecordType] = &[
    RecordType::A,
    RecordType::AAAA,
    RecordType::CAA,
    RecordType::CNAME,
    RecordType::MX,
    RecordType::NS,
    RecordType::PTR,
    RecordType::SOA,
    RecordType::SRV,
    RecordType::TXT,
];

impl Query {
    /// What `target` asks for.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub(super) fn new(target: &DnsTarget) -> Result<Self, Invalid> {
        let DnsTarget { name, record_type, server, expect, timeout: _ } = target;
        Invalid::unless(!name.is_empty(), "name", "must not be empty")?;
        let mut parsed = Name::from_utf8(name)
            .map_err(|error| Invalid::new("name", format!("`{name}` is not a name: {error}")))?;
        // A complete name: the system's search list is for people who type.
        parsed.set_fqdn(true);
        let wanted = record_type.to_ascii_uppercase();
        let known = RECORD_TYPES.iter().copied().find(|known| known.to_string() == wanted);
        let record_type = known.ok_or_else(|| {
            let known: Vec<_> = RECORD_TYPES.iter().map(ToString::to_string).collect();
            Invalid::new("record_type", format!("`{record_type}` is none of {}", known.join(", ")))
        })?;
        let server = if server.is_empty() { None } else { Some(parse_server(server)?) };
        Ok(Self { name: parsed, record_type, server, expect: expect.clone() })
    }

    /// Asks, and returns how many records were answered.
    ///
    /// # Errors
    /// If there is no answer, or not the one that is expected.
    pub(super) async fn run(&self, timeout: Duration) -> Result<usize, ProbeError> {
        let mut builder = self.builder().map_err(|error| ProbeError::NameServers(error.to_string()))?;
        let options = builder.options_mut();
        // What others were told is no news, and neither is what this machine says to itself.
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        options.timeout = timeout;
        options.attempts = 0;
        let resolver = builder.build().map_err(|error| ProbeError::NameServers(error.to_string()))?;
        let found = resolver.lookup(self.name.clone(), self.record_type).await.map_err(failure)?;
        let wanted = |kind: RecordType| kind == self.record_type;
        let answers = found.answers().iter().filter(|record| wanted(record.record_type()));
        let answers: Vec<_> = answers.map(|record| record.data.to_string()).collect();
        let missing =
            self.expect.iter().find(|expected| !answers.iter().any(|answer| is_same(answer, expected)));
        match missing {
            Some(missing) => Err(ProbeError::Unexpected(missing.clone())),
            None if answers.is_empty() => Err(ProbeError::Lookup("no such record".to_owned())),
            None => Ok(answers.len()),
        }
    }

    fn builder(&self) -> Result<ResolverBuilder<TokioRuntimeProvider>, NetError> {
        let Some(server) = self.server else { return TokioResolver::builder_tokio() };
        let mut config = NameServerConfig::udp_and_tcp(server.ip());
        config.connections.iter_mut().for_each(|connection| connection.port = server.port());
        let config = ResolverConfig::from_name_servers(vec![config]);
        Ok(TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()))
    }
}

fn parse_server(server: &str) -> Result<SocketAddr, Invalid> {
    let ip = server.trim_matches(['[', ']']).parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53));
    ip.or_else(|_| server.parse())
        .map_err(|_| Invalid::new("server", format!("`{server}` is not `address` or `address:port`")))
}

/// Names are the same whatever their case, and with or without the dot at the end.
fn is_same(answer: &str, expected: &str) -> bool {
    let plain = |text: &str| text.trim_end_matches('.').to_ascii_lowercase();
    plain(answer) == plain(expected)
}

/// Texts that stay the same from probe to probe.
#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn failure(error: NetError) -> ProbeError {
    let text = match &error {
        NetError::Dns(DnsError::NoRecordsFound(found)) => format!("no such record: {}", found.response_code),
        NetError::Dns(DnsError::ResponseCode(code)) => format!("the name server answered: {code}"),
        NetError::Timeout => "the name server did not answer in time".to_owned(),
        NetError::NoConnections => "no name server can be reached".to_owned(),
        other => other.to_string(),
    };
    ProbeError::Lookup(text)
}
