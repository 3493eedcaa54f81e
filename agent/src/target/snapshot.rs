//! Snapshots of the source, and what one waits for.
use std::{convert::Infallible, time::Duration};

use tokio::time::sleep;

use super::{fact::Fact, receive::Receiver};
use crate::{
    fault::Fault,
    wire::{Answer, Ask, SnapshotKind, SnapshotTaken, unexpected_answer},
};

/// A slot is made within milliseconds where nobody's transaction is in the way; after this it is told whose is.
const LOOK_EVERY: Duration = Duration::from_secs(5);

impl Receiver {
    /// A new snapshot in place of the held one. What it waits for is told meanwhile.
    pub(crate) async fn take_snapshot(&self, kind: SnapshotKind) -> Result<SnapshotTaken, Fault> {
        let operation = self.progress.what_is_done();
        let answer = tokio::select! {
            answer = self.caller.ask(Ask::Snapshot(kind)) => answer,
            never = self.tell_what_it_waits_for(&operation), if kind != SnapshotKind::Offline => match never {},
        };
        self.progress.operation(&operation);
        match answer? {
            Answer::Snapshot(taken) => Ok(taken),
            _ => Err(unexpected_answer()),
        }
    }

    /// Until it is dropped. As progress as long as it waits, and as an event once: a person sees it afterwards, too.
    async fn tell_what_it_waits_for(&self, operation: &str) -> Infallible {
        let mut told = false;
        loop {
            sleep(LOOK_EVERY).await;
            // Whoever makes the slot learns what is wrong with the source, and says so.
            let Ok(Answer::Blockers(blockers)) = self.caller.ask(Ask::Blockers).await else {
                continue;
            };
            if blockers.is_empty() {
                self.progress.operation(operation);
                continue;
            }
            let text = format!(
                "waiting on the source for transactions that have written to end: {}",
                blockers.join("; ")
            );
            self.progress.operation(&format!("{operation}: {text}"));
            if !std::mem::replace(&mut told, true) {
                self.tell(Fact::Milestone("SnapshotWaits", text)).await;
            }
        }
    }
}
