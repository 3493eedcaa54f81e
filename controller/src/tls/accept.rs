//! The accept loop: TCP, then a bounded TLS handshake beside the others, then on to the server.
//!
//! What always holds: who says nothing takes no handshake's place, and no address has all places of either kind.
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

use super::doors::{Door, Doors};

/// A client that has not shaken hands by then is not one.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections that wait for the server to take them: it takes them at once, this only smooths.
const WAITING_MAX: usize = 64;

/// After an accept that failed (out of file descriptors, mostly): a busy loop would help nobody.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A connection that is ready for the server.
pub type Handshaken = Result<TlsStream<TcpStream>, std::io::Error>;

/// Accepts until `stop`; gives the connections that have shaken hands. The returned future owns every handshake.
pub fn accept(
    listener: TcpListener,
    config: Arc<ServerConfig>,
    stop: CancellationToken,
) -> (mpsc::Receiver<Handshaken>, impl Future<Output = ()>) {
    let (ready, connections) = mpsc::channel(WAITING_MAX);
    let acceptor = TlsAcceptor::from(config);
    let work = async move {
        let doors = Arc::new(Doors::new());
        let mut handshakes = JoinSet::new();
        loop {
            let socket = tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = handshakes.join_next() => continue,
                next = next(&listener) => match next {
                    Some(next) => next,
                    None => continue,
                },
            };
            let from = socket.peer_addr().map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.ip());
            let Some(door) = doors.enter(from) else {
                tracing::info!(%from, "too many connections wait for their handshake");
                continue;
            };
            let (acceptor, ready) = (acceptor.clone(), ready.clone());
            handshakes.spawn(come_in(door, acceptor, socket, ready));
        }
    };
    (connections, work)
}

async fn next(listener: &TcpListener) -> Option<TcpStream> {
    match listener.accept().await {
        Ok((socket, _)) => Some(socket),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// A place for the handshake is taken once there is something to answer.
async fn come_in(
    door: Door,
    acceptor: TlsAcceptor,
    socket: TcpStream,
    ready: mpsc::Sender<Handshaken>,
) {
    let from: IpAddr = door.from();
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, socket.peek(&mut [0])).await {
        Ok(Ok(1..)) => {}
        Ok(Ok(0)) => return,
        Ok(Err(error)) => return tracing::debug!(%from, %error, "a connection broke"),
        Err(_) => return tracing::info!(%from, "a connection said nothing"),
    }
    let handshake = door.handshake().await;
    shake_hands(acceptor, socket, ready).await;
    drop(handshake);
}

async fn shake_hands(acceptor: TlsAcceptor, socket: TcpStream, ready: mpsc::Sender<Handshaken>) {
    let peer = socket.peer_addr().ok();
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(?peer, %error, "TCP_NODELAY could not be set");
    }
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(socket)).await {
        // The receiver goes when the server stops; then the connection is not wanted.
        Ok(Ok(stream)) => drop(ready.send(Ok(stream)).await),
        Ok(Err(error)) => tracing::info!(?peer, %error, "a TLS handshake failed"),
        Err(_) => tracing::info!(?peer, "a TLS handshake took too long"),
    }
}
