//! TLS over real sockets: who may connect, and files that change while a server runs.

use std::path::Path;

use bytes::Bytes;
use config::Duration;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::{ClientTls, ServerTls};
use crate::http::{ClientSettings, Server, ServerSettings, client};

/// An authority that signs certificates.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate for this machine and its key, in PEM.
    fn sign(&self) -> (String, String) {
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// Starts a server that answers everything, and returns its URL.
async fn start(tls: ServerTls) -> String {
    let settings = ServerSettings { tls: Some(tls), ..ServerSettings::at("127.0.0.1:0") };
    let server = Server::bind(&settings).await.unwrap();
    let url = format!("https://{}/", server.local_addr().unwrap());
    let answer = |_: Request<Incoming>| async { Response::new(Full::new(Bytes::from_static(b"hello"))) };
    tokio::spawn(server.serve(answer, std::future::pending()));
    url
}

/// Whether a new connection with these settings is served.
async fn connects(url: &str, tls: ClientTls) -> bool {
    let client = client(&ClientSettings { tls, ..ClientSettings::default() }).unwrap();
    client.get(url).send().await.is_ok()
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn trusting(authority: &Authority) -> ClientTls {
    ClientTls { ca_pem: authority.pem.as_str().into(), ..ClientTls::default() }
}

fn with_certificate(tls: ClientTls, (certificate, key): &(String, String)) -> ClientTls {
    ClientTls { cert_pem: certificate.as_str().into(), key_pem: key.as_str().into(), ..tls }
}

#[tokio::test]
async fn a_server_with_client_authorities_serves_those_with_their_certificates_only() {
    let folder = tempfile::tempdir().unwrap();
    let (servers, clients) = (Authority::new(), Authority::new());
    let (certificate, key) = servers.sign();
    let url = start(ServerTls {
        cert_pem: certificate.as_str().into(),
        key_pem: key.as_str().into(),
        client_ca_file: write(folder.path(), "clients.pem", &clients.pem),
        ..ServerTls::default()
    })
    .await;
    assert!(connects(&url, with_certificate(trusting(&servers), &clients.sign())).await);
    assert!(!connects(&url, with_certificate(trusting(&servers), &servers.sign())).await);
    assert!(!connects(&url, trusting(&servers)).await);
}

#[tokio::test]
async fn a_new_certificate_is_taken_up_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (Authority::new(), Authority::new());
    let (certificate, key) = old.sign();
    let tls = ServerTls {
        cert_file: write(folder.path(), "cert.pem", &certificate),
        key_file: write(folder.path(), "key.pem", &key),
        reload_interval: Duration::from_millis(1),
        ..ServerTls::default()
    };
    let url = start(tls).await;
    assert!(connects(&url, trusting(&old)).await);

    write(folder.path(), "cert.pem", "no certificate");
    for _ in 0..20 {
        assert!(connects(&url, trusting(&old)).await, "the last good one stays in force");
    }

    let (certificate, key) = new.sign();
    write(folder.path(), "key.pem", &key);
    write(folder.path(), "cert.pem", &certificate);
    let mut attempts = 0;
    while !connects(&url, trusting(&new)).await {
        attempts += 1;
        assert!(attempts < 1000, "the new certificate is never used");
    }
    assert!(!connects(&url, trusting(&old)).await);
}

#[tokio::test]
async fn new_client_authorities_are_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let (servers, old, new) = (Authority::new(), Authority::new(), Authority::new());
    let (certificate, key) = servers.sign();
    let tls = ServerTls {
        cert_pem: certificate.as_str().into(),
        key_pem: key.as_str().into(),
        client_ca_file: write(folder.path(), "clients.pem", &old.pem),
        client_ca_file_reload: true,
        reload_interval: Duration::from_millis(1),
        ..ServerTls::default()
    };
    let url = start(tls).await;
    let (of_old, of_new) = (old.sign(), new.sign());
    assert!(connects(&url, with_certificate(trusting(&servers), &of_old)).await);
    write(folder.path(), "clients.pem", &new.pem);
    let mut attempts = 0;
    while !connects(&url, with_certificate(trusting(&servers), &of_new)).await {
        attempts += 1;
        assert!(attempts < 1000, "the new authority is never used");
    }
    assert!(!connects(&url, with_certificate(trusting(&servers), &of_old)).await);
}
