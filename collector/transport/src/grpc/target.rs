//! Where a gRPC client connects to: the collector's forms of an endpoint, and the connection itself.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

/// An endpoint taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// What it says about TLS: `https://` yes, `http://` no, neither nothing.
    pub(super) tls: Option<bool>,
    pub(super) address: Address,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

impl Target {
    /// Reads `host:port`, `http://host:port`, `https://host:port`, `dns:///host:port` and `unix:///path`.
    pub(super) fn parse(endpoint: &str) -> Result<Self, String> {
        if let Some(path) = endpoint.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path {
                "" => Err(format!("`{endpoint}` names no socket")),
                path => Ok(Self { tls: None, address: Address::Unix(path.into()) }),
            };
        }
        let schemes = [
            ("http://", Some(false)),
            ("https://", Some(true)),
            ("dns:///", None),
            ("passthrough:///", None),
            ("dns:", None),
        ];
        let (tls, rest) = schemes
            .iter()
            .find_map(|(scheme, tls)| endpoint.strip_prefix(scheme).map(|rest| (*tls, rest)))
            .unwrap_or((None, endpoint));
        let rest = if tls.is_some() { rest.strip_suffix('/').unwrap_or(rest) } else { rest };
        let wrong =
            || format!("`{endpoint}` is not `host:port`, with `http://` or `https://` before it or not");
        let (host, port) = rest.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = match bare {
            Some(address) => address,
            // Without brackets it is not clear where an IPv6 address ends.
            None if host.contains([':', '/', '[', ']', '@']) => return Err(wrong()),
            None => host,
        };
        // Go takes an empty host for this machine.
        let host = if host.is_empty() { "localhost" } else { host };
        Ok(Self { tls, address: Address::Tcp { host: host.to_owned(), port } })
    }

    /// What stands in `:authority` if nothing else is configured.
    pub(super) fn authority(&self) -> String {
        match &self.address {
            Address::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Address::Tcp { host, port } => format!("{host}:{port}"),
            Address::Unix(_) => "localhost".to_owned(),
        }
    }

    /// Opens a connection, and TLS on it if there is a configuration.
    pub(super) async fn connect(
        &self,
        tls: Option<(&Arc<ClientConfig>, &ServerName<'static>)>,
    ) -> io::Result<Stream> {
        let stream: Stream = match &self.address {
            Address::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                Stream(Box::new(stream))
            }
            Address::Unix(path) => Stream(Box::new(UnixStream::connect(path).await?)),
        };
        let Some((config, name)) = tls else { return Ok(stream) };
        let connector = TlsConnector::from(Arc::clone(config));
        let stream = connector.connect(name.clone(), stream).await?;
        Ok(Stream(Box::new(stream)))
    }
}

/// What a connection runs over.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection of any kind.
pub(super) struct Stream(Box<dyn Duplex>);

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_collectors_forms_are_understood() {
        let tcp =
            |tls, host: &str, port| Target { tls, address: Address::Tcp { host: host.to_owned(), port } };
        for (endpoint, target) in [
            ("otel:4317", tcp(None, "otel", 4317)),
            ("http://otel:4317", tcp(Some(false), "otel", 4317)),
            ("https://otel.example.com:443/", tcp(Some(true), "otel.example.com", 443)),
            ("dns:///otel:4317", tcp(None, "otel", 4317)),
            ("dns:otel:4317", tcp(None, "otel", 4317)),
            ("[::1]:4317", tcp(None, "::1", 4317)),
            (":4317", tcp(None, "localhost", 4317)),
            ("unix:///run/otel.sock", Target { tls: None, address: Address::Unix("/run/otel.sock".into()) }),
            ("unix:otel.sock", Target { tls: None, address: Address::Unix("otel.sock".into()) }),
        ] {
            assert_eq!(Target::parse(endpoint).as_ref(), Ok(&target), "{endpoint}");
        }
        assert_eq!(Target::parse("https://[::1]:1").unwrap().authority(), "[::1]:1");
    }

    #[test]
    fn what_is_none_of_them_is_refused() {
        for endpoint in [
            "",
            "otel",
            "otel:",
            "otel:http",
            "otel:99999",
            "http://otel",
            "https://otel:4317/v1/traces",
            "::1:4317",
            "dns://8.8.8.8/otel:4317",
            "user@otel:4317",
            "unix:",
            "unix://",
        ] {
            assert!(Target::parse(endpoint).is_err(), "{endpoint}");
        }
    }
}
