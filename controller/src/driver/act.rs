//! An event for one migration, from wherever it comes, to its commit and its commands.
use std::{collections::BTreeSet, sync::Arc};

use tokio::sync::OwnedMutexGuard;
use uuid::Uuid;
use whimbrel_points::point;

use super::{Driver, DriverError, Live};
use crate::{
    migration::{Command, Event, Outcome, step},
    store::{Change, Memo, NewCommand, Record, Store, StoreError},
};

/// What an operator does to a migration.
pub struct Act {
    /// What.
    pub event: Event,
    /// Only if this is the migration's etag; empty: whatever it is.
    pub etag: String,
    /// So that it is done once only.
    pub memo: Option<Memo>,
}

impl Driver {
    /// Does it, durably, or refuses.
    ///
    /// # Errors
    /// [`DriverError`]; then nothing has changed.
    pub async fn act(&self, target_id: &str, name: &str, act: Act) -> Result<Record, DriverError> {
        // Who else is at a database is looked at first, and must not change meanwhile.
        let _planning = match &act.event {
            Event::HandOver(_) => Some(self.planning.lock().await),
            _ => None,
        };
        let found = self.find(target_id, name).await?;
        let live = self.live(&found.migration.uid).unwrap_or_else(|| Arc::new(Live::new(found)));
        let gate = Arc::clone(&live.gate).lock_owned().await;
        // The same request may have been under way when this one was looked up.
        if self.is_done(act.memo.as_ref()).await? {
            return Ok(Record::clone(&live.record()));
        }
        check_etag(&live.record(), &act.etag)?;
        let mut newcomers = BTreeSet::new();
        let event = match act.event {
            Event::HandOver(order) => {
                let order = self.planned(order, &live.record()).await?;
                newcomers.extend(order.source_agent.iter().chain(&order.target_agent).cloned());
                Event::HandOver(order)
            }
            Event::Cutover(mut request) => {
                request.latencies = live.latencies();
                Event::Cutover(request)
            }
            event => event,
        };
        let record = self.advance(&live, gate, &event, act.memo).await?;
        self.greet_again(&live, newcomers).await?;
        Ok(record)
    }

    /// An event that nobody waits for; its refusal is a defect, and is only logged.
    pub(super) async fn happen(&self, live: &Arc<Live>, event: &Event) -> Result<(), StoreError> {
        let gate = Arc::clone(&live.gate).lock_owned().await;
        match self.advance(live, gate, event, None).await {
            Ok(_) => Ok(()),
            Err(DriverError::Store(error)) => Err(error),
            Err(error) => {
                let uid = &live.record().migration.uid;
                tracing::error!(migration = uid, %error, "an event was refused");
                Ok(())
            }
        }
    }

    /// Under the gate: step, commit, then memory, then the agents.
    async fn advance(
        &self,
        live: &Arc<Live>,
        gate: OwnedMutexGuard<()>,
        event: &Event,
        memo: Option<Memo>,
    ) -> Result<Record, DriverError> {
        let (change, changed) = self.change(live, event).await?;
        if !changed && memo.is_none() {
            return Ok(Record::clone(&live.record()));
        }
        let record = self.commit(live, gate, change, memo).await?;
        if record.migration.is_over() {
            self.forget_over();
        }
        self.look_at_lag(live);
        Ok(record)
    }

    /// Under the gate: what the event leads to, to be committed; and whether that is anything.
    pub(super) async fn change(
        &self,
        live: &Live,
        event: &Event,
    ) -> Result<(Change, bool), DriverError> {
        let before = live.record();
        let now = Self::now();
        let outcome = step(&before.migration, event, now)?;
        let uid = &before.migration.uid;
        if let Some(why) = outcome.ignored {
            tracing::debug!(migration = uid, ?event, why, "ignored");
        }
        let Outcome { migration, commands, notes, .. } = outcome;
        let changed = migration != before.migration || !commands.is_empty() || !notes.is_empty();
        let dropped = self.superseded(uid, &commands).await?;
        let change = Change {
            expected_version: before.version,
            term: self.term,
            at: now,
            migration,
            notes,
            commands: commands.into_iter().map(new_command).collect(),
            dropped,
        };
        Ok((change, changed))
    }

    /// The commit and what follows from it, whole: it goes on when the caller hangs up in the middle.
    async fn commit(
        &self,
        live: &Arc<Live>,
        gate: OwnedMutexGuard<()>,
        change: Change,
        memo: Option<Memo>,
    ) -> Result<Record, DriverError> {
        let (store, fleet, live) =
            (Arc::clone(&self.store), Arc::clone(&self.fleet), Arc::clone(live));
        let whole = self.tasks.spawn(async move {
            let committed = commit_now(&*store, &live, change, memo).await;
            live.tried_to_commit(committed.as_ref().err());
            drop(gate);
            for agent in &committed.as_ref().map(|(_, agents)| agents.clone()).unwrap_or_default() {
                fleet.wake(agent);
            }
            committed.map(|(record, _)| record)
        });
        Ok(whole.await.map_err(aborted)??)
    }

    /// Commands in the outbox that the new ones make pointless.
    async fn superseded(&self, uid: &str, new: &[Command]) -> Result<Vec<String>, StoreError> {
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let waiting = self.store.outbox_of(uid).await?;
        let pointless = waiting
            .into_iter()
            .filter(|old| new.iter().any(|command| command.supersedes(&old.command)));
        Ok(pointless.map(|old| old.id).collect())
    }

    /// Deletes a migration that is over.
    ///
    /// # Errors
    /// [`DriverError`].
    pub async fn delete(
        &self,
        target_id: &str,
        name: &str,
        etag: &str,
        memo: Option<Memo>,
    ) -> Result<(), DriverError> {
        let record = self.find(target_id, name).await?;
        check_etag(&record, etag)?;
        if !record.migration.is_over() {
            let (state, _) = crate::migration::state(&record.migration);
            let name = whimbrel_proto::name::migration(target_id, name);
            return Err(DriverError::NotOver { name, state: state.name().to_owned() });
        }
        self.store.delete_migration(&record.migration.uid, record.version, memo).await?;
        let live = self.lock_live().remove(&record.migration.uid);
        if let Some(live) = live {
            live.touch();
        }
        Ok(())
    }
}

async fn commit_now(
    store: &dyn Store,
    live: &Live,
    change: Change,
    memo: Option<Memo>,
) -> Result<(Record, BTreeSet<String>), StoreError> {
    point!("commit.begin");
    let committed = store.commit(change.clone(), memo).await;
    point!("commit.done");
    if let Err(error) = committed {
        if matches!(error, StoreError::Conflict { .. }) {
            read_again(store, live).await?;
        }
        return Err(error);
    }
    Ok(committed_now(live, change))
}

/// What is remembered is the truth, whatever we had in mind.
pub(super) async fn read_again(store: &dyn Store, live: &Live) -> Result<(), StoreError> {
    if let Some(found) = store.migration(&live.record().migration.uid).await? {
        live.set(found);
    }
    Ok(())
}

/// Into memory and into the log; and the agents that it has commands for.
pub(super) fn committed_now(live: &Live, change: Change) -> (Record, BTreeSet<String>) {
    let uid = &change.migration.uid;
    for note in &change.notes {
        let (database, kind, code) = (&note.database, &note.kind, &note.code);
        tracing::info!(migration = uid, database, kind, code, "{}", note.message);
    }
    let agents = change.commands.into_iter().map(|c| c.command.agent).collect();
    let record = Record { version: change.expected_version + 1, migration: change.migration };
    live.set(record.clone());
    (record, agents)
}

/// A task of ours that panicked: a defect, told as a failure.
pub(super) fn aborted(error: tokio::task::JoinError) -> StoreError {
    StoreError::Failed { doing: "committing", cause: error.to_string() }
}

pub(super) fn new_command(command: Command) -> NewCommand {
    NewCommand { id: Uuid::new_v4().to_string(), command }
}

fn check_etag(record: &Record, etag: &str) -> Result<(), DriverError> {
    let now = crate::translate::etag(record.version);
    if etag.is_empty() || etag == now {
        return Ok(());
    }
    let migration = &record.migration;
    let what = whimbrel_proto::name::migration(&migration.target_id, &migration.name);
    Err(DriverError::EtagMismatch { what, now })
}
