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

/// Changes of a run, at most: more gain nothing, and are that much more to repeat when the server objects.
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
    changes: Vec<(Message, Vec<Arc<Table>>)>,
    bytes: usize,
}

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
            self.write_chunk().await?;
        }
        self.chunk.bytes += bytes;
        self.chunk.changes.push((message, tables));
        if self.chunk.changes.len() >= CHANGES || self.chunk.bytes >= BYTES {
            self.write_chunk().await?;
        }
        Ok(())
    }

    /// Writes what waits.
    pub(super) async fn write_chunk(&mut self) -> Result<(), Fault> {
        let Chunk { changes, .. } = std::mem::take(&mut self.chunk);
        if changes.len() < CHANGES_MIN {
            return self.one_by_one(changes).await;
        }
        self.pipeline.wait(0).await?;
        self.command(SAVEPOINT.to_owned(), "beginning a run of changes".into()).await?;
        match self.set_wise(&changes).await {
            Ok(()) => self.command(RELEASE.to_owned(), "ending a run of changes".into()).await,
            // The server refused it so; one by one it may take it, or say which change is wrong.
            Err(fault) if fault.policy == Policy::Hold => {
                tracing::debug!(code = %fault.code, "a run of changes goes one by one");
                self.pipeline.abandon().await;
                self.command(ROLLBACK.to_owned(), "undoing a run of changes".into()).await?;
                self.one_by_one(changes).await?;
                // Or each would open inside the one before.
                self.command(RELEASE.to_owned(), "ending a run of changes".into()).await
            }
            Err(fault) => Err(fault),
        }
    }

    async fn one_by_one(&mut self, changes: Vec<(Message, Vec<Arc<Table>>)>) -> Result<(), Fault> {
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
        self.pipeline.wait(0).await
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
