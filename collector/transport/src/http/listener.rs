//! A listening socket: TCP or Unix.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::{TransportError, describe};

/// A socket that listens. A Unix socket's file goes away with it.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix { listener: UnixListener, _file: SocketFile },
}

/// Removes the file of a Unix socket.
#[derive(Debug)]
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::debug!(path = %self.0.display(), error = describe(&error), "cannot remove the socket's file");
        }
    }
}

/// A connection.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// How long to wait when accepting fails for want of file descriptors or memory.
const ACCEPT_BACK_OFF: Duration = Duration::from_millis(100);

impl Listener {
    pub(super) async fn bind(endpoint: &str, transport: &str) -> Result<Self, TransportError> {
        let failed = |source| TransportError::Bind { address: endpoint.to_owned(), source };
        if transport == "unix" {
            remove_stale(endpoint).await.map_err(failed)?;
            let listener = UnixListener::bind(endpoint).map_err(failed)?;
            return Ok(Self::Unix { listener, _file: SocketFile(endpoint.into()) });
        }
        let addresses = resolve(endpoint, transport).await.map_err(failed)?;
        TcpListener::bind(&addresses[..]).await.map(Self::Tcp).map_err(failed)
    }

    pub(super) fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix { .. } => None,
        }
    }

    /// The next connection. Failures to accept are passed over.
    pub(super) async fn accept(&self) -> Stream {
        loop {
            let accepted = match self {
                Self::Tcp(listener) => listener.accept().await.map(|(stream, _)| {
                    // Only a latency matter, and a socket that is gone already fails on its first read.
                    let _ = stream.set_nodelay(true);
                    Stream::Tcp(stream)
                }),
                Self::Unix { listener, .. } => {
                    listener.accept().await.map(|(stream, _)| Stream::Unix(stream))
                }
            };
            match accepted {
                Ok(stream) => return stream,
                Err(error) if is_of_the_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(error = describe(&error), "cannot accept connections, trying again");
                    tokio::time::sleep(ACCEPT_BACK_OFF).await;
                }
            }
        }
    }
}

/// Whether only the one connection failed, before it was accepted.
fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Removes a socket that a process left behind when it died; one that still answers is left alone.
async fn remove_stale(path: &str) -> io::Result<()> {
    match UnixStream::connect(path).await {
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path),
        Err(_) => Ok(()),
    }
}

/// The addresses of `host:port`, IPv4 first as Go does it; without a host, all of this machine.
async fn resolve(endpoint: &str, transport: &str) -> io::Result<Vec<SocketAddr>> {
    let endpoint = match endpoint.strip_prefix(':') {
        Some(port) if transport == "tcp4" => format!("0.0.0.0:{port}"),
        // IPv6 sockets take IPv4 connections too, where there is IPv6 at all.
        Some(port) => {
            let port = port.parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
            let any = [SocketAddr::from(([0u16; 8], port)), SocketAddr::from(([0u8; 4], port))];
            return Ok(any.to_vec());
        }
        None => endpoint.to_owned(),
    };
    let mut addresses: Vec<_> = tokio::net::lookup_host(&endpoint)
        .await?
        .filter(|address| match transport {
            "tcp4" => address.is_ipv4(),
            "tcp6" => address.is_ipv6(),
            _ => true,
        })
        .collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    Ok(addresses)
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Unix(stream) => stream.is_write_vectored(),
        }
    }
}
