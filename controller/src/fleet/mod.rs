//! Knows the agents: who enrolled, who has a session, what is to be sent to whom. Decides nothing about migrations.
//!
//! What always holds: one session an agent, that of its newest incarnation; a command leaves the outbox only when its
//! agent has acknowledged it; a report is acknowledged only once what it led to is durable ([`Listener`]).
mod dispatch;
mod enrol;
mod error;
mod query;
mod registry;
mod reports;
#[cfg(test)]
mod scripted;
mod session;
mod state;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use whimbrel_proto::agent::v1 as link;

use crate::{
    store::{Memo, OutboxEntry, Store, StoreError},
    tls::Authority,
};

pub use enrol::{Enrolled, Invitation, TokenKey};
pub use error::FleetError;
pub use session::{HEARTBEAT_INTERVAL, LEASE_TTL};
pub use state::AgentState;

use registry::Session;

/// Reads of an agent's record that find it changed are repeated: a drain and a Hello can meet, a third hardly.
const CONFLICTS_MAX: u32 = 5;

/// Who listens to what agents say.
#[async_trait]
pub trait Listener: Send + Sync + 'static {
    /// An agent has a session in this life of its process, with these tasks: called before anything is sent to it.
    async fn arrived(
        &self,
        agent: &str,
        incarnation: &str,
        running: &[link::RunningTask],
    ) -> Result<(), StoreError>;
    /// Returns once what the report led to is durable.
    async fn report(
        &self,
        agent: &str,
        incarnation: &str,
        report: link::Report,
    ) -> Result<(), StoreError>;
    /// May be lost.
    fn progress(&self, agent: &str, progress: link::TaskProgress);
    /// The agent will not do it. `newest`: the epoch that it was given before, where that is why; 0 otherwise.
    async fn refused(
        &self,
        command: OutboxEntry,
        refusal: String,
        newest: u64,
    ) -> Result<(), StoreError>;
}

/// The agents of this controller.
pub struct Fleet {
    store: Arc<dyn Store>,
    authority: Arc<Authority>,
    token_key: TokenKey,
    addresses: Vec<String>,
    term: u64,
    sessions: Mutex<HashMap<String, Arc<Session>>>,
    lost: Mutex<HashMap<String, tokio::time::Instant>>,
    /// Why an agent is not served, until it is. As many as there are agents.
    turned_away: Mutex<HashMap<String, String>>,
    /// Since when it is known who is here.
    begun: tokio::time::Instant,
    /// By agent: one Hello after the other, so that lives arrive in their order. As many as there are agents.
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// What the fleet is made from.
pub struct FleetParts {
    /// Memory.
    pub store: Arc<dyn Store>,
    /// Signs agents' keys.
    pub authority: Arc<Authority>,
    /// Makes join tokens' secrets.
    pub token_key: TokenKey,
    /// Where agents dial: "host:port".
    pub addresses: Vec<String>,
    /// The owner's.
    pub term: u64,
}

impl Fleet {
    /// Without sessions.
    #[must_use]
    pub fn new(parts: FleetParts) -> Self {
        let FleetParts { store, authority, token_key, addresses, term } = parts;
        Self {
            store,
            authority,
            token_key,
            addresses,
            term,
            sessions: Mutex::default(),
            lost: Mutex::default(),
            turned_away: Mutex::default(),
            begun: tokio::time::Instant::now(),
            turns: Mutex::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        }
    }

    /// The agent's record.
    ///
    /// # Errors
    /// [`FleetError::Unknown`].
    pub async fn agent(&self, id: &str) -> Result<crate::store::Agent, FleetError> {
        self.store.agent(id).await?.ok_or_else(|| FleetError::Unknown { agent: id.to_owned() })
    }

    /// Records by id, after one, with what is known of them now.
    ///
    /// # Errors
    /// [`FleetError::Store`].
    pub async fn agents(
        &self,
        after: &str,
        limit: usize,
    ) -> Result<Vec<crate::store::Agent>, FleetError> {
        Ok(self.store.agents(after, limit).await?)
    }

    /// Takes nothing new from now on.
    ///
    /// # Errors
    /// [`FleetError`].
    pub async fn drain(&self, id: &str, memo: Option<Memo>) -> Result<(), FleetError> {
        self.change(id, memo, |agent| agent.draining = true).await
    }

    /// Is never accepted again; its session is cut.
    ///
    /// # Errors
    /// [`FleetError`].
    pub async fn revoke(self: &Arc<Self>, id: &str, memo: Option<Memo>) -> Result<(), FleetError> {
        let (fleet, id) = (Arc::clone(self), id.to_owned());
        // Goes on when the caller hangs up in the middle: what is recorded is also done.
        let whole = self.tasks.spawn(async move {
            fleet.change(&id, memo, |agent| agent.revoked = true).await?;
            fleet.cut(&id, "the agent was revoked");
            Ok(())
        });
        whole
            .await
            .map_err(|e| StoreError::Failed { doing: "revoking an agent", cause: e.to_string() })?
    }

    async fn change(
        &self,
        id: &str,
        memo: Option<Memo>,
        change: impl Fn(&mut crate::store::Agent),
    ) -> Result<(), FleetError> {
        let mut tries = 0;
        loop {
            let mut agent = self.agent(id).await?;
            change(&mut agent);
            agent.version += 1;
            tries += 1;
            match self.store.update_agent(agent, memo.clone()).await {
                Err(StoreError::Conflict { .. }) if tries < CONFLICTS_MAX => {}
                done => return Ok(done?),
            }
        }
    }

    /// Agents are told to dial again later; then their sessions end. Bounded by `patience`.
    pub async fn close(&self, patience: Duration) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(patience, self.tasks.wait()).await.is_err() {
            tracing::warn!("some sessions did not end in time");
        }
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Arc<Session>>> {
        // What is in the map is whole whatever panicked.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn session(&self, agent: &str) -> Option<Arc<Session>> {
        self.sessions().get(agent).cloned()
    }

    fn turn(&self, agent: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(agent.to_owned()).or_default())
    }

    /// The life of an agent's process that has a session now.
    #[must_use]
    pub fn incarnation(&self, agent: &str) -> Option<String> {
        self.session(agent).map(|s| s.incarnation.clone())
    }

    /// There is something in the outbox for this agent.
    pub fn wake(&self, agent: &str) {
        if let Some(session) = self.session(agent) {
            session.wake.notify_one();
        }
    }

    pub(crate) fn now() -> Timestamp {
        Timestamp::now()
    }
}
