//! A run of changes: written set-wise if the server takes it so, otherwise one by one, in order.
use std::{collections::HashMap, sync::Arc};

use super::{
    by_key::by_key,
    change::Changes,
    fold::Fold,
    setwise::{Bulk, statements},
    table::Table,
};
use crate::{
    fault::{Fault, Policy},
    replication::pgoutput::{Message, OldTuple, Value},
};

/// Changes of a run, at most: more gain nothing, and are that much more to repeat when the server objects. Two runs are
/// held at once: one on its way, and one that grows.
const CHANGES: usize = 2_000;

/// Bytes of their values, at most; one row may have more, and goes alone then.
const BYTES: usize = 4 << 20;

/// A run that is shorter goes one by one: folding pays by the statements that it saves.
const CHANGES_MIN: usize = 32;

const SAVEPOINT: &str = "savepoint whimbrel_run";
const ROLLBACK: &str = "rollback to savepoint whimbrel_run";
const RELEASE: &str = "release savepoint whimbrel_run";

/// Changes that wait to be written, with the tables that each is about.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    changes: Run,
    bytes: usize,
}

/// Changes in their order.
pub(super) type Run = Vec<(Message, Vec<Arc<Table>>)>;

impl Changes {
    /// Takes a change of `tables` in; writes when the run is long.
    pub(super) async fn apply(
        &mut self,
        message: Message,
        tables: Vec<Arc<Table>>,
    ) -> Result<(), Fault> {
        let message = match tables.first() {
            Some(table) if table.full_identity && table.keyed => by_key(table, message),
            _ => message,
        };
        let bytes = bytes(&message);
        // A large row is not held, and copied, with others.
        if self.chunk.bytes + bytes > BYTES {
            self.send_chunk().await?;
        }
        self.chunk.bytes += bytes;
        self.chunk.changes.push((message, tables));
        if self.chunk.changes.len() >= CHANGES || self.chunk.bytes >= BYTES {
            self.send_chunk().await?;
        }
        Ok(())
    }

    /// Writes what waits, and waits for it.
    pub(super) async fn write_chunk(&mut self) -> Result<(), Fault> {
        self.send_chunk().await?;
        self.settle_chunk().await
    }

    /// Sends what waits. A long run is still on its way then: the server works at it while the next one is received.
    async fn send_chunk(&mut self) -> Result<(), Fault> {
        let Chunk { changes, .. } = std::mem::take(&mut self.chunk);
        self.settle_chunk().await?;
        if changes.len() < CHANGES_MIN {
            return self.one_by_one(changes).await;
        }
        self.pipeline.wait(0).await?;
        self.command(SAVEPOINT.to_owned(), "beginning a run of changes".into()).await?;
        let sent = self.set_wise(&changes).await;
        self.on_its_way = Some(changes);
        match sent {
            Ok(()) => Ok(()),
            Err(fault) => self.settled(Err(fault)).await,
        }
    }

    /// Waits for the run that is on its way.
    async fn settle_chunk(&mut self) -> Result<(), Fault> {
        if self.on_its_way.is_none() {
            return Ok(());
        }
        let done = self.pipeline.wait(0).await;
        self.settled(done).await
    }

    /// The server took the run, or refused it so: one by one it may take it, or say which change is wrong.
    async fn settled(&mut self, done: Result<(), Fault>) -> Result<(), Fault> {
        let changes = self.on_its_way.take().unwrap_or_default();
        match done {
            Ok(()) => {}
            Err(fault) if fault.policy == Policy::Hold => {
                tracing::debug!(code = %fault.code, "a run of changes goes one by one");
                self.pipeline.abandon().await;
                self.command(ROLLBACK.to_owned(), "undoing a run of changes".into()).await?;
                self.one_by_one(changes).await?;
            }
            Err(fault) => return Err(fault),
        }
        // Or each would open inside the one before.
        self.command(RELEASE.to_owned(), "ending a run of changes".into()).await
    }

    async fn one_by_one(&mut self, changes: Run) -> Result<(), Fault> {
        for (message, tables) in changes {
            self.alone(message, &tables).await?;
        }
        Ok(())
    }

    /// Tables do not mind each other here: foreign keys are off, or not made yet.
    async fn set_wise(&mut self, changes: &[(Message, Vec<Arc<Table>>)]) -> Result<(), Fault> {
        let mut folds: HashMap<u32, Fold> = HashMap::new();
        for (message, tables) in changes {
            let Some(first) = tables.first() else { continue };
            let fold = folds.entry(first.oid).or_insert_with(|| Fold::new(Arc::clone(first)));
            let Err(alone) = fold.add(message.clone()) else { continue };
            for table in tables {
                if let Some(before) = folds.remove(&table.oid) {
                    self.write_fold(before).await?;
                }
            }
            self.alone(alone, tables).await?;
        }
        for fold in folds.into_values() {
            self.write_fold(fold).await?;
        }
        Ok(())
    }

    async fn write_fold(&mut self, fold: Fold) -> Result<(), Fault> {
        let table = Arc::clone(fold.table());
        for Bulk { change, rows, verb } in statements(&table, fold.finish())? {
            self.send(&table, verb, change, rows).await?;
        }
        Ok(())
    }
}

fn bytes(message: &Message) -> usize {
    let of = |values: &[Value]| -> usize {
        values
            .iter()
            .map(|value| match value {
                Value::Text(bytes) | Value::Binary(bytes) => bytes.len(),
                Value::Null | Value::UnchangedToast => 0,
            })
            .sum()
    };
    let of_old = |old: &OldTuple| match old {
        OldTuple::Key(values) | OldTuple::Full(values) => of(values),
    };
    match message {
        Message::Insert { new, .. } => of(new),
        Message::Update { old, new, .. } => old.as_ref().map_or(0, of_old) + of(new),
        Message::Delete { old, .. } => of_old(old),
        _ => 0,
    }
}
