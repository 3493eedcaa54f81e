//! Ordinary sessions, with the settings that everything here relies on.
use std::{
    borrow::Cow,
    fmt,
    ops::{Deref, DerefMut},
    sync::{Arc, OnceLock},
};

use tokio::sync::oneshot;
use tokio_postgres::error::SqlState;

use super::{
    ConnectError, ConnectProblem, Endpoint, SERVER_VERSION_MIN,
    connection::{Negotiated, config, run},
    dial::{dial, in_time, plain_instead},
    settings::{CLIENT_CHECK, LATER_SETTINGS, SESSION_OPTIONS},
    versioned::for_version,
};

/// A session. Its connection's task ends with it: at once, or within a second while a statement is under way.
pub struct Client {
    inner: tokio_postgres::Client,
    /// Dropped with the session, which the connection's task sees.
    _alive: oneshot::Sender<()>,
    closed_because: Arc<OnceLock<String>>,
    endpoint: Endpoint,
    database: String,
    server_version_num: u32,
    server_version: String,
    tls: bool,
}

/// Opens a session on `database`, with the application name `whimbrel/<purpose>`.
///
/// # Errors
/// [`ConnectError`], within 10 s.
pub async fn connect(
    endpoint: &Endpoint,
    database: &str,
    purpose: &str,
) -> Result<Client, ConnectError> {
    connect_with(endpoint, database, purpose, SESSION_OPTIONS).await
}

/// As [`connect`], with the server's own settings instead of ours: to look at them.
///
/// # Errors
/// As [`connect`].
pub(crate) async fn connect_as_anybody(
    endpoint: &Endpoint,
    database: &str,
    purpose: &str,
) -> Result<Client, ConnectError> {
    connect_with(endpoint, database, purpose, "").await
}

pub(super) async fn connect_with(
    endpoint: &Endpoint,
    database: &str,
    purpose: &str,
    options: &str,
) -> Result<Client, ConnectError> {
    let opening = open(endpoint, database, purpose, options);
    let error = match in_time(endpoint, database, opening).await {
        Err(error) => error,
        opened => return opened,
    };
    let Some(plain) = plain_instead(endpoint, &error) else { return Err(error) };
    in_time(endpoint, database, open(&plain, database, purpose, options)).await.map_err(|_| error)
}

async fn open(
    endpoint: &Endpoint,
    database: &str,
    purpose: &str,
    options: &str,
) -> Result<Client, ConnectError> {
    let wire = dial(endpoint, database).await?;
    let tls = wire.is_tls();
    let (inner, connection) = config(endpoint, database, purpose)
        .options(options)
        .connect_raw(wire, Negotiated)
        .await
        .map_err(|error| ConnectError::from_login(endpoint, database, &error))?;
    let server_version = connection.parameter("server_version").unwrap_or_default().to_owned();
    let closed_because = Arc::new(OnceLock::new());
    let (alive, dropped) = oneshot::channel();
    tokio::spawn(run(connection, dropped, Arc::clone(&closed_because)));
    let mut client = Client {
        inner,
        _alive: alive,
        closed_because,
        endpoint: endpoint.clone(),
        database: database.to_owned(),
        server_version_num: 0,
        server_version,
        tls,
    };
    client.settle().await?;
    Ok(client)
}

impl Client {
    /// Asks for the version and turns off the timeouts that only later servers have.
    async fn settle(&mut self) -> Result<(), ConnectError> {
        let login = |error| ConnectError::from_login(&self.endpoint, &self.database, &error);
        let row = self
            .inner
            .query_one("select pg_catalog.current_setting('server_version_num')::int4", &[])
            .await
            .map_err(login)?;
        let version: i32 = row.try_get(0).map_err(login)?;
        self.server_version_num = u32::try_from(version).unwrap_or_default();
        if self.server_version_num < SERVER_VERSION_MIN {
            let cause = format!("the server is PostgreSQL {}", self.server_version);
            let problem = ConnectProblem::ServerTooOld;
            return Err(ConnectError::new(problem, &self.endpoint, &self.database, cause));
        }
        self.inner.batch_execute(LATER_SETTINGS).await.map_err(login)?;
        match self.inner.batch_execute(CLIENT_CHECK).await {
            Err(error) if error.code() == Some(&SqlState::INVALID_PARAMETER_VALUE) => Ok(()),
            done => done.map_err(login),
        }
    }

    /// `server_version_num`: 150018.
    #[must_use]
    pub const fn server_version_num(&self) -> u32 {
        self.server_version_num
    }

    /// The major version: 15.
    #[must_use]
    pub const fn server_major(&self) -> u32 {
        self.server_version_num / 10_000
    }

    /// What a text with version marks ([`for_version`]) is for this server.
    #[must_use]
    pub fn sql<'a>(&self, text: &'a str) -> Cow<'a, str> {
        for_version(text, self.server_version_num)
    }

    /// `server_version` without the packager's words: "15.18".
    #[must_use]
    pub fn server_version(&self) -> &str {
        self.server_version.split(' ').next().unwrap_or_default()
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.tls
    }

    /// The server that it is connected to.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The database that it is connected to.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// What ended the connection, if the server or the network did: a statement that was under way says only
    /// "connection closed".
    #[must_use]
    pub fn closed_because(&self) -> Option<&str> {
        self.closed_because.get().map(String::as_str)
    }

    /// Asks the server to cancel the statement under way, over a connection of its own.
    ///
    /// # Errors
    /// [`ConnectError`]. That the statement was cancelled is not told: it fails with SQLSTATE 57014 then.
    pub async fn cancel(&self) -> Result<(), ConnectError> {
        self.canceller().cancel().await
    }

    /// A handle that cancels this session's statement and can be held elsewhere.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        Canceller {
            token: self.inner.cancel_token(),
            endpoint: self.endpoint.clone(),
            database: self.database.clone(),
        }
    }
}

/// Cancels a session's statement.
#[derive(Clone)]
pub struct Canceller {
    token: tokio_postgres::CancelToken,
    endpoint: Endpoint,
    database: String,
}

impl Canceller {
    /// See [`Client::cancel`].
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn cancel(&self) -> Result<(), ConnectError> {
        let (endpoint, database) = (&self.endpoint, self.database.as_str());
        let work = async {
            let wire = dial(endpoint, database).await?;
            self.token
                .cancel_query_raw(wire, Negotiated)
                .await
                .map_err(|error| ConnectError::from_login(endpoint, database, &error))
        };
        in_time(endpoint, database, work).await
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("address", &self.endpoint.address())
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

impl Deref for Client {
    type Target = tokio_postgres::Client;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl DerefMut for Client {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.inner
    }
}
