//! A socket to a server, with TLS as asked, before the first message of the protocol.
use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::{TcpStream, UnixStream, lookup_host},
    time::timeout,
};
use tokio_rustls::client::TlsStream;

use super::{ConnectError, ConnectProblem, Endpoint, SslMode, tls};

/// For all of dialling and logging in. A server that is there answers in milliseconds; ten seconds is for one that is
/// far away, or that is forking for many at once.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For the socket alone: so much less that it is told which of the two did not come, a connection or an answer.
const SOCKET_TIMEOUT: Duration = Duration::from_secs(9);
/// A dead peer must be found before the controller gives up waiting: 30 s of silence, then 3 probes 10 s apart.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_RETRIES: u32 = 3;
/// Unacknowledged bytes break the connection after this; keepalives don't run while some are under way.
const USER_TIMEOUT: Duration = Duration::from_secs(60);
/// Addresses of one name that are tried; the deadline bounds them too.
const ADDRESSES_MAX: usize = 8;

trait Duplex: AsyncRead + AsyncWrite + Send + Sync + Unpin {
    /// The TCP socket below, where there is one.
    fn tcp(&self) -> Option<&TcpStream>;

    /// The socket below, of either kind.
    fn descriptor(&self) -> BorrowedFd<'_>;
}

impl Duplex for TcpStream {
    fn tcp(&self) -> Option<&TcpStream> {
        Some(self)
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.as_fd()
    }
}

impl Duplex for UnixStream {
    fn tcp(&self) -> Option<&TcpStream> {
        None
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.as_fd()
    }
}

impl Duplex for TlsStream<TcpStream> {
    fn tcp(&self) -> Option<&TcpStream> {
        Some(self.get_ref().0)
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.get_ref().0.as_fd()
    }
}

/// A connected socket, encrypted or not.
pub(crate) struct Wire {
    socket: Box<dyn Duplex>,
    tls: bool,
    /// `tls-server-end-point` (RFC 5929), where the certificate has it.
    channel_binding: Option<Vec<u8>>,
}

impl Wire {
    pub(crate) const fn is_tls(&self) -> bool {
        self.tls
    }

    /// Whether the server has the address that we have: no network is between.
    pub(crate) fn is_same_machine(&self) -> bool {
        let Some(socket) = self.socket.tcp() else { return true };
        let ends = socket.peer_addr().and_then(|peer| Ok((peer.ip(), socket.local_addr()?.ip())));
        ends.is_ok_and(|(theirs, ours)| theirs == ours)
    }

    pub(crate) fn channel_binding(&self) -> Option<Vec<u8>> {
        self.channel_binding.clone()
    }

    /// How many bytes of what was sent to us lie in the kernel, unread. None that it tells of, where it doesn't tell.
    pub(crate) fn waiting_bytes(&self) -> u64 {
        rustix::io::ioctl_fionread(self.socket.descriptor()).unwrap_or(0)
    }

    /// Keeps what the kernel holds of what was sent to us to about `bytes`, for good: it doesn't tune that itself any more.
    /// A socket of another kind stays as it is.
    pub(crate) fn bound_receive_buffer(&self, bytes: usize) {
        let Some(socket) = self.socket.tcp() else { return };
        if let Err(error) = SockRef::from(socket).set_recv_buffer_size(bytes) {
            // Only speed hangs on it.
            tracing::debug!(%error, "bounding a socket's receive buffer");
        }
    }
}

/// Connects to the server and agrees on TLS. The caller bounds it with [`CONNECT_TIMEOUT`].
///
/// # Errors
/// [`ConnectError`] with the place where it went wrong.
pub(crate) async fn dial(endpoint: &Endpoint, database: &str) -> Result<Wire, ConnectError> {
    if endpoint.is_unix() {
        let path = format!("{}/.s.PGSQL.{}", endpoint.host, endpoint.port);
        let socket = UnixStream::connect(path)
            .await
            .map_err(|error| ConnectError::from_io(endpoint, database, &error))?;
        return Ok(Wire { socket: Box::new(socket), tls: false, channel_binding: None });
    }
    let socket = timeout(SOCKET_TIMEOUT, connect_tcp(endpoint, database));
    let socket = socket.await.unwrap_or_else(|_| {
        let cause = format!("nobody took the connection within {} s", SOCKET_TIMEOUT.as_secs());
        Err(ConnectError::new(ConnectProblem::ConnectTimeout, endpoint, database, cause))
    })?;
    negotiate(endpoint, database, socket).await
}

async fn connect_tcp(endpoint: &Endpoint, database: &str) -> Result<TcpStream, ConnectError> {
    let unresolvable = |cause: String| {
        ConnectError::new(ConnectProblem::HostUnresolvable, endpoint, database, cause)
    };
    let addresses = lookup_host((endpoint.host.as_str(), endpoint.port))
        .await
        .map_err(|error| unresolvable(format!("resolving the host's name: {error}")))?;
    let mut last = unresolvable("the host's name has no address".to_owned());
    for address in addresses.take(ADDRESSES_MAX) {
        match TcpStream::connect(address).await {
            Ok(socket) => {
                tune(&socket).map_err(|error| ConnectError::from_io(endpoint, database, &error))?;
                return Ok(socket);
            }
            Err(error) => last = ConnectError::from_io(endpoint, database, &error),
        }
    }
    Err(last)
}

fn tune(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_RETRIES);
    let socket = SockRef::from(socket);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))
}

async fn negotiate(
    endpoint: &Endpoint,
    database: &str,
    mut socket: TcpStream,
) -> Result<Wire, ConnectError> {
    let plain = |socket| Wire { socket: Box::new(socket), tls: false, channel_binding: None };
    if endpoint.ssl_mode == SslMode::Disable {
        return Ok(plain(socket));
    }
    // Before a byte is sent: a missing root file is our own mistake, whatever the server says.
    let config = tls::client_config(endpoint.ssl_mode)
        .map_err(|error| error.into_connect_error(endpoint, database))?;
    let answer = ask_for_tls(&mut socket)
        .await
        .map_err(|error| ConnectError::from_io(endpoint, database, &error))?;
    if !has_tls(endpoint, database, answer)? {
        return Ok(plain(socket));
    }
    let failed =
        |cause: String| ConnectError::new(ConnectProblem::TlsFailed, endpoint, database, cause);
    let name = ServerName::try_from(endpoint.host.clone())
        .map_err(|_| failed("the host is no name that a certificate can have".to_owned()))?;
    let socket = tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(name, socket)
        .await
        .map_err(|error| failed(tls::explain(&error)))?;
    let channel_binding = tls::channel_binding(socket.get_ref().1);
    Ok(Wire { socket: Box::new(socket), tls: true, channel_binding })
}

/// What the server's byte says: TLS, none where none will do, or an error.
fn has_tls(endpoint: &Endpoint, database: &str, answer: u8) -> Result<bool, ConnectError> {
    let (problem, cause) = match answer {
        b'S' => return Ok(true),
        b'N' if endpoint.ssl_mode == SslMode::Prefer => return Ok(false),
        b'N' => (ConnectProblem::TlsNotSupported, "the server has no TLS".to_owned()),
        // An ErrorResponse, of a server that could not fork. It is not read: it could come from anybody between.
        b'E' => {
            let cause = "the server could not take the connection".to_owned();
            (ConnectProblem::ConnectionFailed, cause)
        }
        other => {
            let cause = format!("answered a request for TLS with {other:#04x}");
            (ConnectProblem::NotPostgres, cause)
        }
    };
    Err(ConnectError::new(problem, endpoint, database, cause))
}

/// Exactly one byte is read in plain text: more could have been slipped in by somebody between (CVE-2021-23222).
async fn ask_for_tls(socket: &mut TcpStream) -> io::Result<u8> {
    let mut request = BytesMut::with_capacity(8);
    frontend::ssl_request(&mut request);
    socket.write_all(&request).await?;
    socket.read_u8().await
}

/// As libpq's `prefer`: a server that has TLS, but fails at it or takes us only without (`hostnossl`), is tried once more
/// in plain text. Nothing is lost: `prefer` protects against nobody who can make a handshake fail.
pub(crate) fn plain_instead(endpoint: &Endpoint, error: &ConnectError) -> Option<Endpoint> {
    let refused = matches!(error.problem, ConnectProblem::NoPgHbaEntry | ConnectProblem::TlsFailed);
    let again = refused && endpoint.ssl_mode == SslMode::Prefer && !endpoint.is_unix();
    again.then(|| Endpoint { ssl_mode: SslMode::Disable, ..endpoint.clone() })
}

/// Bounds `work` by [`CONNECT_TIMEOUT`].
pub(crate) async fn in_time<T, E: From<ConnectError>>(
    endpoint: &Endpoint,
    database: &str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    timeout(CONNECT_TIMEOUT, work).await.unwrap_or_else(|_| {
        let cause = format!("no answer within {} s", CONNECT_TIMEOUT.as_secs());
        Err(ConnectError::new(ConnectProblem::ServerSilent, endpoint, database, cause).into())
    })
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_receive_buffer_is_bounded_where_the_socket_is_of_tcp() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let size = |wire: &Wire| SockRef::from(wire.socket.tcp().unwrap()).recv_buffer_size();
        let wire = Wire { socket: Box::new(socket), tls: false, channel_binding: None };
        wire.bound_receive_buffer(16 << 10);
        // The kernel takes twice of it (socket(7)).
        assert_eq!((wire.is_same_machine(), size(&wire).unwrap()), (true, 32 << 10));
    }

    #[tokio::test]
    async fn what_is_not_read_yet_is_counted() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let mut wire = Wire { socket: Box::new(near), tls: false, channel_binding: None };
        wire.bound_receive_buffer(16 << 10);
        assert_eq!(wire.waiting_bytes(), 0);
        far.write_all(&[7; 100]).await.unwrap();
        assert_eq!(wire.waiting_bytes(), 100);
        wire.read_exact(&mut [0; 60]).await.unwrap();
        assert_eq!(wire.waiting_bytes(), 40);
    }
}
