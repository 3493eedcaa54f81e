//! Groups: whole transactions of the source in one transaction of the target, from BEGIN to the commit with the position.
//!
//! A full group is closed, and committed a little later: when the next run is ready to be sent, or when nothing more is here.
//! Meanwhile the server works at its last run, and the next one is received and folded. Nothing of the next group is sent
//! before that commit, so that their order, and what each may see, is the source's.
use std::time::{Duration, Instant};

use whimbrel_points::point;
use whimbrel_proto::Lsn;

use super::applier::{Applier, unreadable};
use crate::{
    fault::Fault,
    wire::{LastCommit, Marker},
};

/// A group ends at the first source commit after this many row changes, however many more are here: it bounds what a crash
/// repeats and how long the target's rows stay locked (some tens of milliseconds). A group is one run, if its transactions
/// are short.
const GROUP_CHANGES: u64 = 4_000;

/// A position that comes with no rows is written to the ledger at most this often: an idle database should cost its
/// target one small write a second, no more.
pub(super) const POSITION_EVERY: Duration = Duration::from_secs(1);

/// The source's transactions may have relied on constraints that are checked at their end.
const BEGIN: &str = "begin; set constraints all deferred";

/// The target transaction.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Something belongs to it.
    pub(super) open: bool,
    /// Its BEGIN is sent.
    begun: bool,
    pub(super) changes: u64,
}

/// A group to which nothing is added any more, and the position that it reaches.
#[derive(Debug)]
pub(super) struct Closed {
    group: Group,
    reached: Lsn,
    last: Option<LastCommit>,
}

impl Applier<'_> {
    /// The group is begun on the server: what comes next is sent at once, not held.
    pub(super) async fn open(&mut self) -> Result<(), Fault> {
        self.group.open = true;
        self.begin().await
    }

    /// Commits the closed group, if there is one; what is open then is begun.
    async fn begin(&mut self) -> Result<(), Fault> {
        if let Some(closed) = self.closed.take() {
            self.settle(closed, None).await?;
        }
        if !self.group.open || std::mem::replace(&mut self.group.begun, true) {
            return Ok(());
        }
        self.changes.bracket(BEGIN, "beginning a transaction").await
    }

    /// Sends the changes that are held. They are folded before anything is waited for.
    pub(super) async fn send_run(&mut self) -> Result<(), Fault> {
        self.changes.make_ready();
        self.begin().await?;
        self.changes.send_ready().await
    }

    /// A commit of the source.
    pub(super) async fn commit(&mut self, end: Lsn, commit_time: i64) -> Result<(), Fault> {
        let transaction = self
            .transaction
            .take()
            .ok_or_else(|| unreadable("a commit came outside a transaction"))?;
        if !self.at_marker() {
            self.reached = end;
            self.last = Some(LastCommit { end, time: commit_time });
            if self.group.open {
                self.progress.pending_since(self.clock.age(commit_time));
            }
        }
        match transaction.marker {
            Some(Marker::End(attempt)) if self.stale.stops(attempt, end) && !self.at_marker() => {
                self.write(Some(attempt)).await?;
                self.state.send_modify(|state| state.at_marker = Some(attempt));
            }
            Some(Marker::Probe(probe)) => {
                self.flush().await?;
                self.state.send_modify(|state| state.probed(probe));
            }
            _ if self.changes.altered.commit || self.is_due() => self.write(None).await?,
            _ if self.group.changes >= GROUP_CHANGES => self.close().await?,
            _ => {}
        }
        Ok(())
    }

    /// The group takes no more in; its last run is on its way.
    async fn close(&mut self) -> Result<(), Fault> {
        self.send_run().await?;
        let group = std::mem::take(&mut self.group);
        self.closed = Some(Closed { group, reached: self.reached, last: self.last });
        Ok(())
    }

    /// Nothing more is here: what is complete is committed. In the middle of a transaction that is the closed group.
    pub(super) async fn flush(&mut self) -> Result<(), Fault> {
        if self.transaction.is_some() {
            return self.begin().await;
        }
        if self.closed.is_some() || self.group.open || self.is_due() {
            self.write(None).await
        } else {
            Ok(())
        }
    }

    /// Between source transactions only. In a stream that never pauses, too, the position moves, and the target's rows are
    /// not locked without end.
    fn is_due(&self) -> bool {
        self.reached > self.position && self.written_at.elapsed() >= POSITION_EVERY
    }

    /// Commits all that is here, with the position that it reaches.
    pub(super) async fn write(&mut self, marker: Option<u32>) -> Result<(), Fault> {
        self.send_run().await?;
        self.changes.settle_chunk().await?;
        if std::mem::take(&mut self.changes.altered.commit) {
            // The run's own fault names its table; what comes behind it would only say that the transaction is aborted.
            self.changes.pipeline.wait(0).await?;
            self.changes.keep_catalog().await?;
        }
        if self.reached == self.position && marker.is_none() && !self.group.open {
            return Ok(());
        }
        let group = std::mem::take(&mut self.group);
        self.settle(Closed { group, reached: self.reached, last: self.last }, marker).await
    }

    /// Commits a group with its position. It is acknowledged when the target has flushed it, and only then; a cutover's
    /// marker, which others act upon, is flushed at once.
    async fn settle(&mut self, closed: Closed, marker: Option<u32>) -> Result<(), Fault> {
        let Closed { group, reached, last } = closed;
        self.changes.settle_chunk().await?;
        if marker.is_some() {
            self.changes.wait_for_flush(true).await?;
        }
        self.changes.position(reached, last, marker, self.ledger.epoch()).await?;
        self.changes.pipeline.wait(0).await?;
        point!("apply.committing");
        let wal = self.changes.commit(group.open).await?;
        point!("apply.committed");
        if marker.is_some() {
            self.changes.wait_for_flush(false).await?;
        }
        self.position = reached;
        self.written_at = Instant::now();
        self.durable.committed(wal.inserted, reached);
        self.acknowledge(wal.flushed);
        self.progress.applied(reached, group.changes);
        self.state.send_modify(|state| state.applied = reached);
        Ok(())
    }

    fn acknowledge(&mut self, flushed: Lsn) {
        if let Some(position) = self.durable.flushed(flushed) {
            self.frames.acknowledge(position);
        }
    }

    /// Acknowledges what the target has flushed since.
    pub(super) async fn acknowledge_flushed(&mut self) -> Result<(), Fault> {
        if self.durable.is_waiting() {
            // An error of the run that is on its way is not this question's.
            self.changes.settle_chunk().await?;
            let flushed = self.changes.wal().await?.flushed;
            self.acknowledge(flushed);
        }
        Ok(())
    }
}
