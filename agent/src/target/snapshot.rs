//! Snapshots of the source, and what one waits for.
use std::{convert::Infallible, time::Duration};

use tokio::time::sleep;
use tokio_postgres::types::PgLsn;
use whimbrel_proto::Lsn;

use super::{fact::Fact, ledger::Ledger, receive::Receiver};
use crate::{
    fault::{Doing, Fault},
    postgres::Client,
    wire::{Answer, Ask, Known, LastCommit, SnapshotKind, SnapshotTaken, unexpected_answer},
};

/// A slot is made within milliseconds where nobody's transaction is in the way; after this it is told whose is.
const LOOK_EVERY: Duration = Duration::from_secs(5);

impl Receiver {
    /// A new snapshot in place of the held one. What it waits for is told meanwhile.
    pub(crate) async fn take_snapshot(&self, kind: SnapshotKind) -> Result<SnapshotTaken, Fault> {
        self.snapshot(kind, None).await
    }

    /// A later one than those that something here is of already. A source that was set back since must not be taken for that one:
    /// the stream would leave out what it tells of tables whose copies are newer than it. After a failover the ledger's positions
    /// belong to its new timeline as well, and what is copied now to no other.
    ///
    /// # Errors
    /// `SourceWentBack`, `SourceTimelineForked`, and the servers'.
    pub(crate) async fn renew_snapshot(
        &self,
        client: &mut Client,
        ledger: Ledger,
    ) -> Result<SnapshotTaken, Fault> {
        let known = known(client).await?;
        let taken = self.snapshot(SnapshotKind::Renewed, known).await?;
        if known.is_some_and(|known| known.system == taken.system) {
            let before = known.and_then(|known| known.timeline);
            keep_timeline(client, ledger, before, taken.timeline).await?;
        }
        Ok(taken)
    }

    async fn snapshot(
        &self,
        kind: SnapshotKind,
        known: Option<Known>,
    ) -> Result<SnapshotTaken, Fault> {
        let operation = self.progress.what_is_done();
        let answer = tokio::select! {
            answer = self.caller.ask(Ask::Snapshot { kind, known }) => answer,
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

/// The newest that is here of the source; nothing before its first snapshot.
pub(super) async fn known(client: &Client) -> Result<Option<Known>, Fault> {
    let row = client
        .query_one(
            "select source_system::text, timeline, greatest(applied, slot_point, (select max(point) from whimbrel.relation)) \
             from whimbrel.ledger",
            &[],
        )
        .await
        .doing("reading from the ledger what is here of the source")?;
    let system = row.get::<_, Option<&str>>(0).and_then(|text| text.parse().ok());
    let seen = row.get::<_, Option<PgLsn>>(2).map(|lsn| Lsn(lsn.into()));
    let timeline = row.get::<_, Option<i32>>(1).and_then(|timeline| timeline.try_into().ok());
    Ok(system.zip(seen).map(|(system, seen)| Known { seen, system, timeline }))
}

/// The last commit that is here; unknown in a ledger that an older agent has moved.
pub(super) async fn last_commit(client: &Client) -> Result<Option<LastCommit>, Fault> {
    let row = client
        .query_one(
            "select last_commit, last_commit_time, coalesce(last_commit_of = applied, false), applied = slot_point \
             from whimbrel.ledger",
            &[],
        )
        .await
        .doing("reading from the ledger what is here of the source")?;
    if row.get::<_, Option<bool>>(3) == Some(true) {
        return Ok(Some(LastCommit { end: Lsn(0), time: 0 }));
    }
    let end = row.get::<_, Option<PgLsn>>(0).map(|lsn| Lsn(lsn.into()));
    let last = end.zip(row.get(1)).map(|(end, time)| LastCommit { end, time });
    Ok(last.filter(|_| row.get(2)))
}

/// After a failover the source goes on on another timeline, and what comes from here on is of that one: what is here is
/// behind where it began then, and would seem to have been left behind by it the next time.
pub(super) async fn keep_timeline(
    client: &mut Client,
    ledger: Ledger,
    known: Option<u32>,
    timeline: u32,
) -> Result<(), Fault> {
    if known == Some(timeline) {
        return Ok(());
    }
    let doing = "recording the source's timeline in the ledger";
    let tx = client.transaction().await.doing(doing)?;
    let timeline = i32::try_from(timeline).unwrap_or_default();
    tx.execute("update whimbrel.ledger set timeline = $1", &[&timeline]).await.doing(doing)?;
    ledger.commit(tx, doing).await
}
