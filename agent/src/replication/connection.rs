//! A connection with `replication=database`: commands first, then the stream.
use std::{collections::HashMap, fmt};

use postgres_protocol::message::frontend;
use whimbrel_proto::Lsn;

use super::{
    error::ReplicationError,
    frames::Frames,
    login::{LoggedIn, Peer, login},
    options::StreamOptions,
    query::{self, Rows},
    stream::ReplicationStream,
};
use crate::postgres::{
    ConnectError, ConnectProblem, Endpoint, LATER_SETTINGS, SERVER_VERSION_MIN, dial, in_time,
    plain_instead,
};

/// A walsender of our own. It takes one command at a time; the snapshot that a slot exported dies at the next one.
pub struct ReplicationConnection {
    pub(super) frames: Frames,
    parameters: HashMap<String, String>,
    server_version_num: u32,
    canceller: ReplicationCanceller,
}

impl ReplicationConnection {
    /// Connects to `database` for replication, with the application name `whimbrel/<purpose>`.
    ///
    /// # Errors
    /// [`ReplicationError::Connect`], within 10 s; SQLSTATE 42501 when the role has no REPLICATION.
    pub async fn connect(
        endpoint: &Endpoint,
        database: &str,
        purpose: &str,
    ) -> Result<Self, ReplicationError> {
        Self::connect_to(endpoint, database, purpose, Peer::Walsender).await
    }

    /// As [`ReplicationConnection::connect`], to a walsender or to an ordinary backend.
    pub(super) async fn connect_to(
        endpoint: &Endpoint,
        database: &str,
        purpose: &str,
        peer: Peer,
    ) -> Result<Self, ReplicationError> {
        let opening = open(endpoint, database, purpose, peer);
        let error = match in_time(endpoint, database, opening).await {
            Err(ReplicationError::Connect(error)) => error,
            other => return other,
        };
        let Some(plain) = plain_instead(endpoint, &error) else { return Err(error.into()) };
        let again = in_time(endpoint, database, open(&plain, database, purpose, peer)).await;
        again.map_err(|_| error.into())
    }

    /// `server_version_num`: 150018.
    #[must_use]
    pub const fn server_version_num(&self) -> u32 {
        self.server_version_num
    }

    /// A parameter that the server told at login: `server_version`, `server_encoding`…
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.frames.wire().is_tls()
    }

    /// Runs a command or a query of a few rows, values as text. `doing` stands in the error.
    ///
    /// # Errors
    /// [`ReplicationError`]; after [`ReplicationError::Server`] the connection can be used on.
    pub async fn query(&mut self, sql: &str, doing: &str) -> Result<Rows, ReplicationError> {
        query::run(&mut self.frames, sql, doing).await
    }

    /// A handle that cancels the command under way. A walsender that waits while it makes a slot does not see that its
    /// client is gone: cancel it, or it goes on, and the slot may come to be.
    #[must_use]
    pub fn canceller(&self) -> ReplicationCanceller {
        self.canceller.clone()
    }

    /// Starts streaming from `slot`, after `from` or the slot's confirmed position, whichever is *later*: a slot that is
    /// ahead of the reader must be refused by the reader before.
    ///
    /// # Errors
    /// [`ReplicationError`]; SQLSTATE 55006 while another connection holds the slot.
    pub async fn start(
        self,
        slot: &str,
        from: Lsn,
        options: &StreamOptions,
    ) -> Result<ReplicationStream, ReplicationError> {
        ReplicationStream::start(self, slot, from, options).await
    }
}

/// Cancels a replication connection's command.
#[derive(Debug, Clone)]
pub struct ReplicationCanceller {
    endpoint: Endpoint,
    database: String,
    key: (i32, i32),
}

impl ReplicationCanceller {
    /// Asks the server to cancel, over a connection of its own. The command fails with SQLSTATE 57014 then.
    ///
    /// # Errors
    /// [`ReplicationError`] when the server can't be asked.
    pub async fn cancel(&self) -> Result<(), ReplicationError> {
        let (endpoint, database) = (&self.endpoint, self.database.as_str());
        let work = async {
            let mut frames = Frames::new(dial(endpoint, database).await?);
            frontend::cancel_request(self.key.0, self.key.1, frames.outbox());
            frames.flush("cancelling a replication command").await
        };
        in_time(endpoint, database, work).await
    }
}

async fn open(
    endpoint: &Endpoint,
    database: &str,
    purpose: &str,
    peer: Peer,
) -> Result<ReplicationConnection, ReplicationError> {
    let mut frames = Frames::new(dial(endpoint, database).await?);
    let told = login(&mut frames, endpoint, database, purpose, peer).await?;
    let LoggedIn { parameters, key } = told;
    let canceller =
        ReplicationCanceller { endpoint: endpoint.clone(), database: database.to_owned(), key };
    let mut connection =
        ReplicationConnection { frames, parameters, server_version_num: 0, canceller };
    let sql = "select pg_catalog.current_setting('server_version_num')";
    let rows = connection.query(sql, "asking for the server's version").await?;
    let version = rows.first().and_then(|row| row.first()).cloned().flatten();
    connection.server_version_num = version.and_then(|text| text.parse().ok()).unwrap_or_default();
    if connection.server_version_num < SERVER_VERSION_MIN {
        let cause = "it is older than PostgreSQL 10";
        let problem = ConnectProblem::ServerTooOld;
        return Err(ConnectError::new(problem, endpoint, database, cause).into());
    }
    connection.query(LATER_SETTINGS, "setting up the session").await?;
    Ok(connection)
}

impl fmt::Debug for ReplicationConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplicationConnection")
            .field("address", &self.canceller.endpoint.address())
            .finish_non_exhaustive()
    }
}
