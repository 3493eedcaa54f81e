//! tokio-postgres on a [`Wire`]: how it logs in, and who drives it.
use std::{
    future::{Ready, poll_fn, ready},
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};
use tokio_postgres::{
    Config, Connection,
    config::{SslMode, SslNegotiation},
    tls::{ChannelBinding, TlsConnect, TlsStream},
};

use super::{Endpoint, Wire};
use crate::fault::{chain, safe_text};

/// How long a session that is dropped may take to say goodbye; then its socket is closed. Longer would keep locks.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) fn config(endpoint: &Endpoint, database: &str, purpose: &str) -> Config {
    let mut config = Config::new();
    config
        .user(&endpoint.user)
        .dbname(database)
        .application_name(format!("whimbrel/{purpose}"))
        // TLS is agreed on already: this makes the driver take the wire as it is, with its channel binding.
        .ssl_mode(SslMode::Require)
        .ssl_negotiation(SslNegotiation::Direct)
        .host(&endpoint.host);
    if let Some(password) = &endpoint.password {
        config.password(password.expose());
    }
    config
}

/// Drives the connection until the session is dropped or the connection ends.
pub(super) async fn run(
    mut connection: Connection<Wire, Wire>,
    mut dropped: oneshot::Receiver<()>,
    closed_because: Arc<OnceLock<String>>,
) {
    tokio::select! {
        () = drive(&mut connection, &closed_because) => return,
        _ = &mut dropped => {}
    }
    // The driver says Terminate when nothing is under way, so that the server logs no lost connection.
    if timeout(GOODBYE_TIMEOUT, drive(&mut connection, &closed_because)).await.is_err() {
        tracing::debug!("a session was closed in the middle of a statement");
    }
}

/// Notices are dropped: tokio-postgres would log them, and they can quote rows.
async fn drive(connection: &mut Connection<Wire, Wire>, closed_because: &OnceLock<String>) {
    while let Some(message) = poll_fn(|cx| connection.poll_message(cx)).await {
        let Err(error) = message else { continue };
        closed_because.get_or_init(|| match error.as_db_error() {
            Some(refusal) => {
                format!("{} (SQLSTATE {})", safe_text(refusal), refusal.code().code())
            }
            None => chain(&error),
        });
        return;
    }
}

/// Tells tokio-postgres that TLS is agreed on already.
pub(super) struct Negotiated;

impl TlsConnect<Wire> for Negotiated {
    type Stream = Wire;
    type Error = io::Error;
    type Future = Ready<io::Result<Wire>>;

    fn connect(self, wire: Wire) -> Self::Future {
        ready(Ok(wire))
    }
}

impl TlsStream for Wire {
    fn channel_binding(&self) -> ChannelBinding {
        Self::channel_binding(self)
            .map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}
