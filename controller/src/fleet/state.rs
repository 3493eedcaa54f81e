//! What is known of an agent now, beside its record.
use std::{
    collections::{BTreeSet, HashMap},
    sync::{MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use whimbrel_proto::{agent::v1 as link, v1};

use super::{Fleet, session::LEASE_TTL};
use crate::store::{Agent, StoreError};

/// Whoever has a session and says nothing for so long is away: two beats of an agent without work (one each ten seconds) are lost, and
/// the lease of one with work has been over for a while.
pub(super) const SILENT: Duration = Duration::from_secs(25);

/// What is known of an agent now.
#[derive(Clone, Debug)]
pub struct AgentState {
    /// For operators.
    pub state: v1::agent::State,
    /// When it was last heard.
    pub last_seen: Option<Timestamp>,
    /// As it told last.
    pub running_tasks: u32,
    /// Why it is not served, while it isn't though it dials.
    pub turned_away: Option<String>,
    /// What it runs of migrations that the store does not know, in words: the store was restored from a backup of before them.
    pub strays: Vec<String>,
}

impl Fleet {
    /// How long it has not been heard, as far as this life of the controller knows; `None`: it is here. Where nothing closes its
    /// connection (it is frozen, or a network between drops all) it is missed well before the keepalive of the connection finds
    /// out.
    #[must_use]
    pub fn away_for(&self, agent: &str) -> Option<Duration> {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner).get(agent).copied();
        match self.session(agent).map(|session| session.silence()) {
            Some(silence) => (silence >= SILENT).then_some(silence),
            None => Some(lost.unwrap_or(self.begun).elapsed()),
        }
    }

    pub(super) fn turned_away(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.turned_away.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whom the operator has to see to, in words, if the agent is neither here nor lost just now.
    #[must_use]
    pub fn absence(&self, agent: &str) -> Option<String> {
        let turned_away = self.turned_away().contains_key(agent);
        self.is_away(agent).then(|| match turned_away {
            true => format!("agents/{agent} is turned away: see `whimbrel agent show {agent}`"),
            false => format!("agents/{agent} is not connected"),
        })
    }

    /// Of what runs with an agent, that which belongs to no migration of the store. It goes on, and holds its slot on the source, and
    /// nothing here would ever tell.
    pub(super) async fn strays(
        &self,
        running: &[link::RunningTask],
    ) -> Result<Vec<String>, StoreError> {
        let mut strays = BTreeSet::new();
        for task in running {
            if self.store.migration(&task.migration_uid).await?.is_none() {
                let (database, uid) = (&task.database, &task.migration_uid);
                strays.insert(format!("database {database:?} of migration {uid}"));
            }
        }
        Ok(strays.into_iter().collect())
    }

    /// Neither here nor lost just now.
    #[must_use]
    pub fn is_away(&self, agent: &str) -> bool {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner).get(agent).copied();
        match self.session(agent) {
            Some(session) => session.silence() >= SILENT,
            None => lost.is_none_or(|at| at.elapsed() >= LEASE_TTL),
        }
    }

    /// What is known of an agent now. One whose session has just been lost counts as connected until its lease is over:
    /// it dials again within a second or two, mostly.
    #[must_use]
    pub fn state(&self, agent: &Agent) -> AgentState {
        use v1::agent::State;
        let session = self.session(&agent.id);
        let here = !self.is_away(&agent.id);
        let state = match (agent.revoked, here, agent.draining) {
            (true, _, _) => State::Revoked,
            (false, false, _) => State::Disconnected,
            (false, true, true) => State::Draining,
            (false, true, false) => State::Connected,
        };
        AgentState {
            state,
            last_seen: session.as_ref().map(|s| s.last_heard()).or(agent.last_seen_at),
            running_tasks: session.as_ref().map_or(0, |s| s.running_tasks()),
            strays: session.map_or_else(Vec::new, |s| s.strays.clone()),
            turned_away: self.turned_away().get(&agent.id).cloned(),
        }
    }
}
