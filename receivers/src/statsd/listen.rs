//! Listens on UDP, TCP and Unix sockets and hands what comes to a sink, line by line or datagram by datagram.

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use component::Shutdown;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, UdpSocket, UnixDatagram, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::config::{Config, Transport};

/// The largest datagram there is.
const MAX_DATAGRAM: usize = 64 << 10;
/// The longest line of a stream; a longer one ends the connection.
const MAX_LINE: usize = 64 << 10;
/// So many connections are served at once; further ones wait.
const MAX_CONNECTIONS: usize = 1024;
/// So many datagrams that wait when the shutdown comes are still taken.
const LAST_DATAGRAMS: usize = 10_000;
/// How long to wait for each of them.
const LAST_WAIT: Duration = Duration::from_millis(10);
/// How long to rest after a socket failed to receive or accept, such as for want of file descriptors.
const REST: Duration = Duration::from_millis(100);

/// Takes text: one or more whole lines.
pub(super) trait Sink: Clone + Send + 'static {
    fn take(&self, lines: &[u8]);
    /// A line was longer than [`MAX_LINE`].
    fn too_long(&self);
}

/// A bound socket, and its file if it has one.
#[derive(Debug)]
pub(super) struct Listener {
    socket: Socket,
    file: Option<SocketFile>,
}

#[derive(Debug)]
enum Socket {
    Udp(UdpSocket),
    Unixgram(UnixDatagram),
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Removes the file of a Unix socket in the end.
#[derive(Debug)]
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // It may be gone already, and nobody is left to tell.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listener {
    /// # Errors
    /// If the address is taken or not ours.
    pub(super) async fn bind(config: &Config) -> io::Result<Self> {
        let path = Path::new(&config.endpoint);
        let is_unix = matches!(config.transport, Transport::Unix | Transport::Unixgram);
        if is_unix {
            remove_left_over(path)?;
        }
        let socket = match config.transport {
            Transport::Udp => Socket::Udp(UdpSocket::bind(&config.endpoint).await?),
            Transport::Tcp => Socket::Tcp(TcpListener::bind(&config.endpoint).await?),
            Transport::Unixgram => Socket::Unixgram(UnixDatagram::bind(path)?),
            Transport::Unix => Socket::Unix(UnixListener::bind(path)?),
        };
        let file = is_unix.then(|| SocketFile(path.to_owned()));
        if is_unix {
            let mode = config.permissions().unwrap_or(0o622);
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
        }
        Ok(Self { socket, file })
    }

    /// The address that was bound; `None` for a Unix socket.
    #[cfg(test)]
    pub(super) fn local_addr(&self) -> Option<std::net::SocketAddr> {
        match &self.socket {
            Socket::Udp(socket) => socket.local_addr().ok(),
            Socket::Tcp(listener) => listener.local_addr().ok(),
            Socket::Unix(_) | Socket::Unixgram(_) => None,
        }
    }

    /// Receives until the shutdown; then takes what has arrived already.
    pub(super) async fn run(self, sink: impl Sink, shutdown: Shutdown) {
        match &self.socket {
            Socket::Udp(_) | Socket::Unixgram(_) => self.socket.datagrams(sink, shutdown).await,
            Socket::Tcp(_) | Socket::Unix(_) => self.socket.streams(sink, shutdown).await,
        }
        drop(self.file);
    }
}

impl Socket {
    async fn datagrams(&self, sink: impl Sink, shutdown: Shutdown) {
        let mut buffer = vec![0; MAX_DATAGRAM];
        loop {
            let received = tokio::select! {
                biased;
                received = self.receive(&mut buffer) => received,
                () = shutdown.requested() => break,
            };
            match received {
                Ok(length) => sink.take(&buffer[..length]),
                Err(error) => {
                    tracing::debug!(%error, "cannot receive");
                    tokio::time::sleep(REST).await;
                }
            }
            if shutdown.is_requested() {
                break;
            }
        }
        // What the system holds for us already; not more, or a busy sender would keep us.
        for _ in 0..LAST_DATAGRAMS {
            let received = tokio::time::timeout(LAST_WAIT, self.receive(&mut buffer)).await;
            let Ok(Ok(length)) = received else { break };
            sink.take(&buffer[..length]);
        }
    }

    async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Udp(socket) => socket.recv(buffer).await,
            Self::Unixgram(socket) => socket.recv(buffer).await,
            Self::Tcp(_) | Self::Unix(_) => std::future::pending().await,
        }
    }

    async fn streams(&self, sink: impl Sink, shutdown: Shutdown) {
        let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = shutdown.requested() => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
                accepted = self.accept(&room) => accepted,
            };
            match accepted {
                Ok((stream, place)) => {
                    let (sink, shutdown) = (sink.clone(), shutdown.clone());
                    connections.spawn(async move {
                        lines(stream, sink, shutdown).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::debug!(%error, "cannot accept");
                    tokio::time::sleep(REST).await;
                }
            }
        }
        while connections.join_next().await.is_some() {}
    }

    async fn accept(&self, room: &Arc<Semaphore>) -> io::Result<(Stream, OwnedSemaphorePermit)> {
        let place = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
        let stream: Stream = match self {
            Self::Tcp(listener) => Box::new(listener.accept().await?.0),
            Self::Unix(listener) => Box::new(listener.accept().await?.0),
            Self::Udp(_) | Self::Unixgram(_) => std::future::pending().await,
        };
        Ok((stream, place))
    }
}

type Stream = Box<dyn AsyncRead + Send + Unpin>;

/// Hands whole lines on until the stream ends; what follows the last line feed is a line too.
async fn lines(mut stream: Stream, sink: impl Sink, shutdown: Shutdown) {
    let mut buffer = BytesMut::with_capacity(8 << 10);
    loop {
        let read = tokio::select! {
            biased;
            read = stream.read_buf(&mut buffer) => read,
            () = shutdown.requested() => break,
        };
        if let Some(end) = memchr::memrchr(b'\n', &buffer) {
            sink.take(&buffer.split_to(end + 1));
        }
        if buffer.len() > MAX_LINE {
            sink.too_long();
            return;
        }
        match read {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        if shutdown.is_requested() {
            break;
        }
    }
    if !buffer.is_empty() {
        sink.take(&buffer);
    }
}

/// A socket that a process left behind is in the way; any other file is not ours.
fn remove_left_over(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => std::fs::remove_file(path),
        _ => Ok(()),
    }
}
