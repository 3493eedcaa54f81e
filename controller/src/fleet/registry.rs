//! Sessions: one an agent, that of its newest incarnation.
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use whimbrel_proto::agent::v1 as link;

use super::{CONFLICTS_MAX, Fleet, FleetError, query};
use crate::store::{Agent, StoreError};

/// Earlier lives that are remembered. A process that comes back after sixteen others have taken its place is taken for
/// new; its epochs are stale all the same.
const PAST_INCARNATIONS_MAX: usize = 16;

/// What an older process is told.
const SUPERSEDED: &str = "a newer process of this agent has taken its place";

/// A process that lives answers at once, one that is busy within a second; its successor waits 15 s for a welcome.
const PRESENCE_TIMEOUT: Duration = Duration::from_secs(3);

/// What is sent to an agent.
pub(super) type Outgoing = mpsc::Sender<Result<link::ControllerMessage, Status>>;

/// When an agent was last heard.
#[derive(Clone, Copy)]
struct Heard {
    /// For operators.
    at: Timestamp,
    /// For decisions: it does not jump.
    instant: Instant,
}

impl Heard {
    fn now() -> Self {
        Self { at: Fleet::now(), instant: Instant::now() }
    }
}

/// A session with an agent.
pub(super) struct Session {
    pub(super) agent: String,
    pub(super) incarnation: String,
    pub(super) outgoing: Outgoing,
    /// Something is in the outbox.
    pub(super) wake: Notify,
    /// Ends it.
    pub(super) cancel: CancellationToken,
    pub(super) queries: Mutex<HashMap<String, oneshot::Sender<link::QueryAnswer>>>,
    heard: Mutex<Heard>,
    running: AtomicU32,
    /// What ran of migrations that the store does not know, when it began.
    pub(super) strays: Vec<String>,
}

impl Session {
    pub(super) fn new(
        agent: &str,
        hello: &link::Hello,
        strays: Vec<String>,
        outgoing: Outgoing,
        cancel: CancellationToken,
    ) -> Self {
        Self {
            agent: agent.to_owned(),
            incarnation: hello.incarnation.clone(),
            outgoing,
            wake: Notify::new(),
            cancel,
            queries: Mutex::default(),
            heard: Mutex::new(Heard::now()),
            running: AtomicU32::new(u32::try_from(hello.running.len()).unwrap_or(u32::MAX)),
            strays,
        }
    }

    fn heard(&self) -> Heard {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn last_heard(&self) -> Timestamp {
        self.heard().at
    }

    /// Since it was last heard.
    pub(super) fn silence(&self) -> Duration {
        self.heard().instant.elapsed()
    }

    pub(super) fn hear(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Heard::now();
    }

    pub(super) fn running_tasks(&self) -> u32 {
        self.running.load(Ordering::Relaxed)
    }

    pub(super) fn set_running_tasks(&self, tasks: u32) {
        self.running.store(tasks, Ordering::Relaxed);
    }

    /// Sends, unless the session ends meanwhile. `false`: it has ended.
    pub(super) async fn send(&self, kind: link::controller_message::Kind) -> bool {
        let message = link::ControllerMessage { kind: Some(kind) };
        tokio::select! {
            sent = self.outgoing.send(Ok(message)) => sent.is_ok(),
            () = self.cancel.cancelled() => false,
        }
    }
}

/// What comes of a Hello.
pub(super) enum Greeted {
    /// The session is the agent's now.
    Welcome,
    /// It must go: a newer life has taken its place, or an older one is still at work.
    Refused(String),
}

impl Fleet {
    /// The agent that a certificate names, if it may come in.
    ///
    /// # Errors
    /// [`FleetError::Unknown`], [`FleetError::Revoked`].
    pub async fn admit(&self, id: &str, uid: &str) -> Result<Agent, FleetError> {
        let agent = self.agent(id).await?;
        if agent.uid != uid {
            return Err(FleetError::Unknown { agent: id.to_owned() });
        }
        if agent.revoked {
            return Err(FleetError::Revoked { agent: id.to_owned() });
        }
        Ok(agent)
    }

    /// Records who is here, and makes the session the agent's only one.
    pub(super) async fn greet(
        &self,
        session: &Arc<Session>,
        hello: &link::Hello,
    ) -> Result<Greeted, FleetError> {
        self.refuse_older_store(&session.agent, hello.last_command).await?;
        let mut tries = 0;
        loop {
            let mut agent = self.agent(&session.agent).await?;
            if agent.revoked {
                return Err(FleetError::Revoked { agent: agent.id });
            }
            if agent.past_incarnations.contains(&hello.incarnation) {
                return Ok(Greeted::Refused(SUPERSEDED.to_owned()));
            }
            if tries == 0 && self.runs_already(session).await {
                let error = FleetError::RunsTwice { agent: agent.id };
                return Ok(Greeted::Refused(error.to_string()));
            }
            note_hello(&mut agent, hello);
            tries += 1;
            match self.store.update_agent(agent, None).await {
                Err(StoreError::Conflict { .. }) if tries < CONFLICTS_MAX => {}
                done => break done?,
            }
        }
        let before = self.sessions().insert(session.agent.clone(), Arc::clone(session));
        if let Some(before) = before {
            if before.incarnation == session.incarnation {
                before.cancel.cancel();
            } else {
                supersede(&before, SUPERSEDED);
            }
        }
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).remove(&session.agent);
        self.turned_away().remove(&session.agent);
        Ok(Greeted::Welcome)
    }

    /// What a store of an earlier time would order can have been done, undone and overwritten since.
    async fn refuse_older_store(&self, agent: &str, theirs: u64) -> Result<(), FleetError> {
        let ours = self.store.last_command().await?;
        if theirs <= ours {
            return Ok(());
        }
        let error = FleetError::StoreIsOlder { agent: agent.to_owned(), theirs, ours };
        tracing::error!("{error}");
        self.turned_away().insert(agent.to_owned(), error.to_string());
        Err(error)
    }

    /// Is another process of this agent here, and does it answer? One that was killed has mostly been missed already, or
    /// is missed now; two that live have the same identity, by a copy of the data folder or of the machine.
    async fn runs_already(&self, newcomer: &Session) -> bool {
        let present = self.session(&newcomer.agent);
        let Some(present) = present.filter(|p| p.incarnation != newcomer.incarnation) else {
            return false;
        };
        tokio::select! {
            answers = query::is_there(&present, PRESENCE_TIMEOUT) => answers,
            // Its session ends meanwhile.
            () = present.cancel.cancelled() => false,
        }
    }

    /// Takes the session away, if it is still the agent's.
    pub(super) async fn leave(&self, session: &Arc<Session>) {
        {
            let mut sessions = self.sessions();
            let ours = sessions.get(&session.agent).is_some_and(|s| Arc::ptr_eq(s, session));
            if !ours {
                return;
            }
            sessions.remove(&session.agent);
        }
        let heard = session.heard();
        self.lost
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(session.agent.clone(), heard.instant);
        let noted = self.change(&session.agent, None, |a| a.last_seen_at = Some(heard.at)).await;
        if let Err(error) = noted {
            // Only told to operators; the next session writes it again.
            tracing::warn!(agent = session.agent, %error, "when the agent was last seen is not noted");
        }
    }

    /// Ends an agent's session for good.
    pub(super) fn cut(&self, agent: &str, reason: &str) {
        if let Some(session) = self.session(agent) {
            supersede(&session, reason);
        }
    }
}

fn supersede(session: &Session, reason: &str) {
    let superseded = link::Superseded { reason: reason.to_owned() };
    let message = link::ControllerMessage {
        kind: Some(link::controller_message::Kind::Superseded(superseded)),
    };
    // An agent that reads nothing is not waited for: the cancel closes its stream, its next Hello tells it.
    if session.outgoing.try_send(Ok(message)).is_err() {
        tracing::warn!(agent = session.agent, "the agent could not be told that it is superseded");
    }
    session.cancel.cancel();
}

fn note_hello(agent: &mut Agent, hello: &link::Hello) {
    if agent.incarnation != hello.incarnation {
        let before = std::mem::replace(&mut agent.incarnation, hello.incarnation.clone());
        if !before.is_empty() {
            agent.past_incarnations.push(before);
        }
        let excess = agent.past_incarnations.len().saturating_sub(PAST_INCARNATIONS_MAX);
        agent.past_incarnations.drain(..excess);
    }
    agent.program_version.clone_from(&hello.version);
    agent.postgres_programs.clone_from(&hello.postgres_programs);
    agent.last_seen_at = Some(Fleet::now());
    agent.version += 1;
}
