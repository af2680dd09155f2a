//! TLS between a collector and the binary, with and without certificates of the client, in both directions.

use std::path::Path;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use super::start;
use crate::support::{Collector, Load, Program, Sink, free_address, peer, until};

/// An authority's certificate, and certificates that it signed, as files.
struct Certificates(TempDir);

impl Certificates {
    /// For servers at these addresses, and for a client.
    fn new(addresses: &[String]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
        write("ca.pem", &params.self_signed(&key).expect("a certificate").pem());
        let authority = Issuer::new(params, key);
        let hosts = |purpose| {
            let names = addresses.iter().filter_map(|address| Some(address.rsplit_once(':')?.0.to_owned()));
            let mut params = CertificateParams::new(names.collect::<Vec<_>>()).expect("addresses");
            params.extended_key_usages = vec![purpose];
            params
        };
        for (name, purpose) in
            [("server", ExtendedKeyUsagePurpose::ServerAuth), ("client", ExtendedKeyUsagePurpose::ClientAuth)]
        {
            let key = KeyPair::generate().expect("a key");
            let signed = hosts(purpose).signed_by(&key, &authority).expect("a certificate");
            write(&format!("{name}.pem"), &signed.pem());
            write(&format!("{name}.key"), &key.serialize_pem());
        }
        Self(folder)
    }

    fn folder(&self) -> &Path {
        self.0.path()
    }

    /// A server's settings.
    fn server(&self, mutual: bool) -> String {
        let folder = self.folder().display();
        let client_ca = if mutual { format!(", client_ca_file: {folder}/ca.pem") } else { String::new() };
        format!("tls: {{cert_file: {folder}/server.pem, key_file: {folder}/server.key{client_ca}}}")
    }

    /// The settings of a client that trusts this authority, and shows a certificate of it if it has one.
    fn client(&self, has_certificate: bool) -> String {
        let folder = self.folder().display();
        let own = if has_certificate {
            format!(", cert_file: {folder}/client.pem, key_file: {folder}/client.key")
        } else {
            String::new()
        };
        format!("tls: {{ca_file: {folder}/ca.pem{own}}}")
    }
}

/// Logs on from one pair of addresses, of gRPC and of HTTP, to another, each protocol for itself, with nothing in between that
/// could hold them. Understood by either program.
fn forward(from: &[String; 2], server_tls: &str, to: &[String; 2], client_tls: &str) -> String {
    let ([grpc, http], [to_grpc, to_http]) = (from, to);
    let exporter = format!(
        "{client_tls}, compression: none, sending_queue: {{enabled: false}}, \
         retry_on_failure: {{initial_interval: 50ms, max_interval: 100ms, max_elapsed_time: 0s}}"
    );
    format!(
        "receivers:
  otlp/grpc: {{protocols: {{grpc: {{endpoint: '{grpc}', {server_tls}}}}}}}
  otlp/http: {{protocols: {{http: {{endpoint: '{http}', {server_tls}}}}}}}
exporters:
  otlp: {{endpoint: '{to_grpc}', {exporter}}}
  otlphttp: {{endpoint: '{to_http}', {exporter}}}
service:
  pipelines:
    logs/grpc: {{receivers: [otlp/grpc], exporters: [otlp]}}
    logs/http: {{receivers: [otlp/http], exporters: [otlphttp]}}
"
    )
}

/// A collector counts nothing itself here: its port would be the same for all.
const QUIET: &str = "  telemetry: {metrics: {level: none}}\n";

/// Which of the two is in front, and so the client.
#[derive(Clone, Copy, Debug)]
enum Front {
    Binary,
    Collector,
}

/// Where the client in front and the server behind it listen.
struct Ends {
    front: [String; 2],
    behind: [String; 2],
}

impl Ends {
    fn new() -> Self {
        let pair = || [free_address(), free_address()];
        Self { front: pair(), behind: pair() }
    }

    fn certificates(&self) -> Certificates {
        Certificates::new(&self.behind)
    }
}

/// Both programs, one behind the other.
struct Chain {
    sink: Sink,
    binary: Collector,
    collector: Program,
}

impl Chain {
    /// With settings of the client in front and of the server behind it.
    async fn start(folder: &Path, front: Front, ends: &Ends, client_tls: &str, server_tls: &str) -> Self {
        let sink = Sink::start(Duration::ZERO, 4).await;
        let to_behind = ends.behind.each_ref().map(|address| format!("https://{address}"));
        let first = forward(&ends.front, "", &to_behind, client_tls);
        let second = forward(&ends.behind, server_tls, &[sink.url(), sink.url()], "tls: {insecure: true}");
        let (of_binary, of_collector) = match front {
            Front::Binary => (first, second),
            Front::Collector => (second, first),
        };
        let binary = Collector::start(&of_binary).await;
        let collector = start(folder, &format!("{of_collector}{QUIET}")).await;
        Self { sink, binary, collector }
    }

    fn log_of(&self, front: Front) -> String {
        match front {
            Front::Binary => self.binary.log(),
            Front::Collector => self.collector.log(),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_and_mtls_work_between_a_collector_and_the_binary_in_both_directions() {
    let test = "tls_and_mtls_work_between_a_collector_and_the_binary_in_both_directions";
    let Some(folder) = peer("otelcol", test) else { return };
    for (front, mutual) in
        [(Front::Binary, false), (Front::Binary, true), (Front::Collector, false), (Front::Collector, true)]
    {
        let ends = Ends::new();
        let certificates = ends.certificates();
        let (client, server) = (certificates.client(mutual), certificates.server(mutual));
        let chain = Chain::start(&folder, front, &ends, &client, &server).await;
        let load = Load::start(&ends.front[0], &ends.front[1]);
        load.progress(40).await;
        chain.sink.assert_has_all(&load.finish().await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_without_a_certificate_and_a_server_of_another_authority_get_nothing() {
    let test = "a_client_without_a_certificate_and_a_server_of_another_authority_get_nothing";
    let Some(folder) = peer("otelcol", test) else { return };
    for (front, is_stranger) in
        [(Front::Binary, false), (Front::Binary, true), (Front::Collector, false), (Front::Collector, true)]
    {
        let ends = Ends::new();
        let (ours, theirs) = (ends.certificates(), ends.certificates());
        let (client, server) = if is_stranger {
            (theirs.client(false), ours.server(false))
        } else {
            (ours.client(false), ours.server(true))
        };
        let chain = Chain::start(&folder, front, &ends, &client, &server).await;
        let load = Load::start(&ends.front[0], &ends.front[1]);
        let [grpc, http] = complaints(front, is_stranger);
        let complains = |log: &String| {
            let has =
                |[who, why]: [&str; 2]| log.lines().any(|line| line.contains(who) && line.contains(why));
            has(grpc) && has(http)
        };
        until("both exporters complain", async || chain.log_of(front), complains).await;
        assert_eq!((load.taken(), chain.sink.records()), (0, 0), "{front:?}, {is_stranger}");
    }
}

/// What the exporters of gRPC and of HTTP say in front: who, and why.
const fn complaints(front: Front, is_stranger: bool) -> [[&'static str; 2]; 2] {
    let (who, why) = match (front, is_stranger) {
        // The alert may come when the connection is closed already: the reason is then another one.
        (Front::Binary, false) => (["exporter=otlp ", "exporter=otlphttp "], "trying again"),
        (Front::Binary, true) => (["exporter=otlp ", "exporter=otlphttp "], "invalid peer certificate"),
        (Front::Collector, false) => (["\"otlp\"", "\"otlphttp\""], "tls: certificate required"),
        (Front::Collector, true) => (["\"otlp\"", "\"otlphttp\""], "signed by unknown authority"),
    };
    [[who[0], why], [who[1], why]]
}
