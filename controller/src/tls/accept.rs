//! The accept loop: TCP, then a bounded TLS handshake beside the others, then on to the server.
use std::{sync::Arc, time::Duration};

use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

/// A client that has not shaken hands by then is not one.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Handshakes at once: each costs a signature, and 64 keep two cores busy for well under a second.
const HANDSHAKES_MAX: usize = 64;

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
        let room = Arc::new(Semaphore::new(HANDSHAKES_MAX));
        let mut handshakes = JoinSet::new();
        loop {
            let (permit, socket) = tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = handshakes.join_next() => continue,
                next = next(&listener, &room) => match next {
                    Some(next) => next,
                    None => continue,
                },
            };
            let (acceptor, ready) = (acceptor.clone(), ready.clone());
            handshakes.spawn(async move {
                shake_hands(acceptor, socket, ready).await;
                drop(permit);
            });
        }
    };
    (connections, work)
}

async fn next(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(tokio::sync::OwnedSemaphorePermit, TcpStream)> {
    let permit = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((socket, _)) => Some((permit, socket)),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
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
