//! The whole controller, from its settings to its end.
use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use whimbrel_proto::CONTROLLER_TLS_NAME;

use crate::{
    config::Settings,
    data_dir::{DataDir, DataDirError},
    driver::{Driver, Observations},
    first_start::{self, FirstStartError},
    fleet::{Fleet, FleetParts},
    rpc::{Credential, ReflectionError, Rpc},
    store::{SqliteStore, Store, StoreError},
    tls::{Authority, ServerIdentity, TlsError, accept, server_config},
};

/// A peer that has gone without a word is noticed in twice this.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// How long agents' sessions have to end when the controller does.
const SESSIONS_PATIENCE: Duration = Duration::from_secs(2);

/// How long open calls have to end after that.
const CALLS_PATIENCE: Duration = Duration::from_secs(3);

/// Each start is a term: more than there can have been since any backup.
const TERMS_FORGOTTEN_MAX: u64 = 1_000_000;

/// Why the controller did not start, or ended.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each passes on what a room says")]
pub enum ServeError {
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error(transparent)]
    FirstStart(#[from] FirstStartError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Reflection(#[from] ReflectionError),
    #[error("listening on {address}: {cause}")]
    Listen { address: SocketAddr, cause: std::io::Error },
    #[error("serving: {0}")]
    Serve(#[from] tonic::transport::Error),
}

/// A controller that listens, and does nothing yet.
pub struct Controller {
    dir: DataDir,
    listener: TcpListener,
    address: String,
    hosts: BTreeSet<String>,
    authority: Arc<Authority>,
    restored: bool,
}

impl Controller {
    /// Locks the data directory, makes what is missing in it, and listens.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn open(settings: &Settings) -> Result<Self, ServeError> {
        let dir = DataDir::open(&settings.data_dir)?;
        let authority = Arc::new(Authority::open(&dir, Timestamp::now())?);
        let failed = |cause| ServeError::Listen { address: settings.listen, cause };
        let listener = TcpListener::bind(settings.listen).await.map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        let (host, port) = match &settings.public_address {
            Some(address) => address.clone(),
            None => (host_of(local.ip()), local.port()),
        };
        let mut hosts = BTreeSet::from(
            ["localhost", "127.0.0.1", "::1", CONTROLLER_TLS_NAME].map(str::to_owned),
        );
        hosts.extend([host.clone(), local.ip().to_string(), host_name()]);
        let address = match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        let restored = settings.restored;
        Ok(Self { dir, listener, address, hosts, authority, restored })
    }

    /// "host:port", as agents and clients dial it.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Serves until `stop`; `ready` is called once it does.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn serve(
        self,
        ready: impl FnOnce(&str),
        stop: CancellationToken,
    ) -> Result<(), ServeError> {
        let token = first_start::admin_token(&self.dir)?;
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&self.dir.path("store.db"))?);
        if self.restored {
            store.skip_terms(TERMS_FORGOTTEN_MAX).await?;
        }
        let term = store.begin_term().await?;
        let fleet = Arc::new(Fleet::new(FleetParts {
            store: Arc::clone(&store),
            authority: Arc::clone(&self.authority),
            token_key: first_start::token_key(&self.dir)?,
            addresses: vec![self.address.clone()],
            term,
        }));
        let (driver, observations) =
            Driver::load(store, Arc::clone(&fleet), term, self.dir.path("alive")).await?;
        if self.restored {
            driver.store_restored().await?;
        }
        let identity =
            ServerIdentity::open(&self.dir, &self.authority, &self.hosts, Timestamp::now())?;
        let config = server_config(&self.authority, identity)?;
        let rpc = Rpc::new(Arc::clone(&driver), Arc::clone(&fleet), stop.clone());
        let routes = rpc.routes(Credential::of(&token)).await?;
        let (connections, accepting) = accept(self.listener, config, stop.clone());
        let server = Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE))
            .http2_keepalive_timeout(Some(KEEPALIVE))
            .add_routes(routes)
            .serve_with_incoming_shutdown(
                ReceiverStream::new(connections),
                stop.clone().cancelled_owned(),
            );
        first_start::write_context(&self.dir, &self.authority, &self.address, &token)?;
        tracing::info!(address = self.address, term, "serving");
        ready(&self.address);
        let ending = wind_down(&fleet, &stop);
        let parts = Parts { driver, observations, stop: stop.clone() };
        Box::pin(parts.run(accepting, server, ending)).await
    }
}

/// What runs beside the server.
struct Parts {
    driver: Arc<Driver>,
    observations: Observations,
    stop: CancellationToken,
}

impl Parts {
    async fn run(
        self,
        accepting: impl Future<Output = ()>,
        server: impl Future<Output = Result<(), tonic::transport::Error>>,
        ending: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        let Self { driver, observations, stop } = self;
        let work =
            async { tokio::join!(accepting, driver.run(observations, stop.clone()), ending) };
        let bounded = async {
            stop.cancelled().await;
            tokio::time::sleep(SESSIONS_PATIENCE + CALLS_PATIENCE).await;
        };
        let all = async {
            let (served, _) = tokio::join!(server, work);
            served
        };
        tokio::select! {
            served = all => served?,
            () = bounded => tracing::warn!("some calls did not end in time"),
        }
        tracing::info!("stopped");
        Ok(())
    }
}

async fn wind_down(fleet: &Fleet, stop: &CancellationToken) {
    stop.cancelled().await;
    tracing::info!("stopping");
    fleet.close(SESSIONS_PATIENCE).await;
}

/// What others dial, for a listening address.
fn host_of(address: IpAddr) -> String {
    if address.is_unspecified() { host_name() } else { address.to_string() }
}

/// This machine's name; `localhost` when it has none that a certificate can carry.
fn host_name() -> String {
    let name = hostname::get().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if name.is_empty() || !name.chars().all(plain) { "localhost".to_owned() } else { name }
}
