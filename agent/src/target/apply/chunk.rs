//! A run of changes: written set-wise if the server takes it so, otherwise one by one, in order.
use super::{
    by_key::with_key,
    change::{About, Changes},
    run::{Held, Run, Step, steps},
    setwise::Bulk,
};
use crate::{
    fault::{Fault, Policy},
    replication::pgoutput::{Message, OldTuple, Value},
};

/// Changes of a run, at most: more gain nothing, and are that much more to repeat when the server objects. Two runs are
/// held at once: one on its way, and one that grows. Only a transaction longer than a group is cut here.
const CHANGES: usize = 6_000;

/// Bytes of their values, at most; one row may have more, and goes alone then.
const BYTES: usize = 4 << 20;

/// A run that is shorter goes one by one: folding pays by the statements that it saves.
const CHANGES_MIN: usize = 32;

const SAVEPOINT: &str = "savepoint whimbrel_run";
const ROLLBACK: &str = "rollback to savepoint whimbrel_run";
const RELEASE: &str = "release savepoint whimbrel_run";

/// Changes that wait to be written.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    changes: Run,
    bytes: usize,
}

/// A run that is ready to be sent.
#[derive(Debug)]
pub(super) struct Ready {
    changes: Run,
    /// `None`: it goes one by one.
    steps: Option<Vec<Step>>,
}

impl Changes {
    /// A change as it is held, and the bytes of its values.
    pub(super) fn weigh(about: &About, message: Message) -> (Message, usize) {
        let table = &about.table;
        let message = match table.full_identity && table.keyed {
            true => with_key(table, message),
            false => message,
        };
        let bytes = bytes(&message);
        (message, bytes)
    }

    /// Whether one more change of so many bytes may be held. A large row is not held, and copied, with others.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.chunk.changes.len() < CHANGES && self.chunk.bytes + bytes <= BYTES
    }

    /// Takes a change in.
    pub(super) fn take_in(&mut self, message: Message, about: About, bytes: usize) {
        self.chunk.bytes += bytes;
        self.chunk.changes.push(Held { message, about });
    }

    /// Writes what waits, and waits for it. The transaction is begun.
    pub(super) async fn write_chunk(&mut self) -> Result<(), Fault> {
        self.make_ready();
        self.send_ready().await?;
        self.settle_chunk().await
    }

    /// Folds what waits, while the server may still work at what came before.
    pub(super) fn make_ready(&mut self) {
        if self.chunk.changes.is_empty() || self.ready.is_some() {
            return;
        }
        let Chunk { changes, .. } = std::mem::take(&mut self.chunk);
        let steps = if changes.len() < CHANGES_MIN { None } else { or_one_by_one(steps(&changes)) };
        self.ready = Some(Ready { changes, steps });
    }

    /// Sends the run that is ready. A long one is still on its way then: the server works at it while the next is received.
    pub(super) async fn send_ready(&mut self) -> Result<(), Fault> {
        self.settle_chunk().await?;
        let Some(Ready { changes, steps }) = self.ready.take() else { return Ok(()) };
        let Some(steps) = steps else { return self.one_by_one(changes).await };
        // A change before that is wrong must not be taken for one of the run.
        self.pipeline.settle_changes().await?;
        self.bracket(SAVEPOINT, "beginning a run of changes").await?;
        let sent = self.set_wise(&changes, steps).await;
        self.on_its_way = Some(changes);
        match sent {
            Ok(()) => Ok(()),
            Err(fault) => self.settled(Err(fault)).await,
        }
    }

    /// Waits for the run that is on its way.
    pub(super) async fn settle_chunk(&mut self) -> Result<(), Fault> {
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
                self.bracket(ROLLBACK, "undoing a run of changes").await?;
                self.one_by_one(changes).await?;
            }
            Err(fault) => return Err(fault),
        }
        // Or each would open inside the one before.
        self.bracket(RELEASE, "ending a run of changes").await
    }

    async fn one_by_one(&mut self, changes: Run) -> Result<(), Fault> {
        for Held { message, about } in changes {
            self.alone(message, &about).await?;
        }
        Ok(())
    }

    async fn set_wise(&mut self, changes: &[Held], steps: Vec<Step>) -> Result<(), Fault> {
        for step in steps {
            match step {
                Step::Bulk(table, Bulk { change, rows, verb }) => {
                    self.send(&table, verb, change, rows).await?;
                }
                Step::Alone(at) => {
                    let Held { message, about } = &changes[at];
                    self.alone(message.clone(), about).await?;
                }
            }
        }
        Ok(())
    }
}

/// What can't be put into arrays goes as it came; the server says then which change is wrong.
fn or_one_by_one(steps: Result<Vec<Step>, Fault>) -> Option<Vec<Step>> {
    let refused = |fault: &Fault| tracing::debug!(code = %fault.code, "a run can't go set-wise");
    steps.inspect_err(refused).ok()
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
