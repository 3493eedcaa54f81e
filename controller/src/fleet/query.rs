//! Questions that an agent answers at once: asked on an operator's behalf, never stored.
use std::{sync::PoisonError, time::Duration};

use tokio::sync::oneshot;
use uuid::Uuid;
use whimbrel_proto::agent::v1 as link;

use super::{Fleet, FleetError, registry::Session};

/// A connection to a server takes ten seconds at most; twice that, for the agent that is busy.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Questions that wait for one agent's answer: more are refused, for an agent asks servers one by one.
const QUESTIONS_MAX: usize = 32;

impl Fleet {
    /// Asks an agent, and waits for its answer.
    ///
    /// # Errors
    /// [`FleetError::NotConnected`], [`FleetError::Silent`], and those of an agent that may not be asked.
    pub async fn ask(
        &self,
        agent: &str,
        kind: link::query::Kind,
    ) -> Result<link::query_answer::Kind, FleetError> {
        self.ask_within(agent, kind, ANSWER_TIMEOUT).await
    }

    /// As [`Fleet::ask`], for a question whose answer takes its time.
    ///
    /// # Errors
    /// As [`Fleet::ask`].
    pub async fn ask_within(
        &self,
        agent: &str,
        kind: link::query::Kind,
        bound: Duration,
    ) -> Result<link::query_answer::Kind, FleetError> {
        let record = self.agent(agent).await?;
        if record.revoked {
            return Err(FleetError::Revoked { agent: agent.to_owned() });
        }
        let absent = || FleetError::NotConnected { agent: agent.to_owned() };
        let session = self.session(agent).ok_or_else(absent)?;
        match ask(&session, Some(kind), bound).await {
            Asked::Silent => Err(silent(agent, bound)),
            Asked::Gone => Err(absent()),
            Asked::Answered(answer) => answer.kind.ok_or_else(|| silent(agent, bound)),
        }
    }
}

/// What comes of a question.
enum Asked {
    Answered(link::QueryAnswer),
    Silent,
    Gone,
}

async fn ask(session: &Session, kind: Option<link::query::Kind>, bound: Duration) -> Asked {
    let query_id = Uuid::new_v4().to_string();
    // Also when whoever asks goes away in the middle.
    let _forgotten = Forget { session, query_id: &query_id };
    let Some(answer) = await_answer(session, &query_id) else { return Asked::Silent };
    let query = link::Query { query_id: query_id.clone(), kind };
    let exchange = async {
        if !session.send(link::controller_message::Kind::Query(query)).await {
            return Asked::Gone;
        }
        answer.await.map_or(Asked::Gone, Asked::Answered)
    };
    tokio::time::timeout(bound, exchange).await.unwrap_or(Asked::Silent)
}

/// Whether the session's process answers: a question about nothing, to which any answer is good.
pub(super) async fn is_there(session: &Session, bound: Duration) -> bool {
    matches!(ask(session, None, bound).await, Asked::Answered(_))
}

fn silent(agent: &str, bound: Duration) -> FleetError {
    FleetError::Silent { agent: agent.to_owned(), seconds: bound.as_secs() }
}

fn await_answer(session: &Session, id: &str) -> Option<oneshot::Receiver<link::QueryAnswer>> {
    let mut queries = session.queries.lock().unwrap_or_else(PoisonError::into_inner);
    if queries.len() >= QUESTIONS_MAX {
        return None;
    }
    let (answer, answered) = oneshot::channel();
    queries.insert(id.to_owned(), answer);
    Some(answered)
}

/// Takes a question out of those that wait, however it ends.
struct Forget<'a> {
    session: &'a Session,
    query_id: &'a str,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        let queries = &self.session.queries;
        queries.lock().unwrap_or_else(PoisonError::into_inner).remove(self.query_id);
    }
}

/// An answer came.
pub(super) fn answered(session: &Session, answer: link::QueryAnswer) {
    let waiting =
        session.queries.lock().unwrap_or_else(PoisonError::into_inner).remove(&answer.query_id);
    // Nobody waits any more: the answer came too late.
    if let Some(waiting) = waiting
        && waiting.send(answer).is_err()
    {
        tracing::debug!(agent = session.agent, "an answer came too late");
    }
}
