//! The loop: frames in, groups of whole transactions out, positions back.
use std::time::{Duration, Instant};

use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval},
};
use whimbrel_points::point;
use whimbrel_proto::Lsn;

use super::{
    change::Changes,
    clock::Clock,
    durable::Durable,
    state::{Control, Ended, Stale, StreamState},
};
use crate::{
    fault::Fault,
    target::{ledger::Ledger, progress::Progress},
    wire::{Frame, FrameReceiver, Marker, unexpected},
};

/// A group is committed at the first source commit after this many row changes, however many more are here: it bounds
/// what a crash repeats and how long the target's rows stay locked.
const GROUP_CHANGES: u64 = 5_000;

/// A position that comes with no rows is written to the ledger at most this often: an idle database should cost its
/// target one small write a second, no more.
const POSITION_EVERY: Duration = Duration::from_secs(1);

/// The source's transactions may have relied on constraints that are checked at their end.
const BEGIN: &str = "begin; set constraints all deferred";

/// Applies one stream.
pub(in crate::target) struct Applier<'a> {
    pub(in crate::target) changes: Changes,
    pub(in crate::target) ledger: Ledger,
    pub(in crate::target) progress: &'a Progress,
    pub(in crate::target) frames: FrameReceiver,
    pub(in crate::target) state: &'a watch::Sender<StreamState>,
    /// Names the migration in its markers.
    pub(in crate::target) slot: &'a str,
    /// Markers that mean nothing any more.
    pub(in crate::target) stale: Stale,
    /// It ends where this is passed: something is to be built there.
    pub(in crate::target) awaited: Option<Lsn>,
    /// Tables wait to be copied, and the stream is to come to here before.
    copy_after: Option<Lsn>,
    /// Where the stream stood when they last could not be.
    copy_tried: Option<Lsn>,
    pub(super) transaction: Option<Transaction>,
    pub(super) group: Group,
    pub(super) clock: Clock,
    durable: Durable,
    /// The ledger's position, and one that it may be moved to.
    position: Lsn,
    reached: Lsn,
    written_at: Instant,
}

/// The source transaction that is being received.
pub(super) struct Transaction {
    /// Where its commit record starts.
    pub(super) commit: Lsn,
    pub(super) marker: Option<Marker>,
}

/// The target transaction.
#[derive(Default)]
pub(super) struct Group {
    open: bool,
    pub(super) changes: u64,
}

impl<'a> Applier<'a> {
    /// Ready to apply what comes after `position`.
    pub(in crate::target) fn new(
        changes: Changes,
        ledger: Ledger,
        progress: &'a Progress,
        frames: FrameReceiver,
        state: &'a watch::Sender<StreamState>,
        slot: &'a str,
        position: Lsn,
    ) -> Self {
        progress.stream_at(position);
        Self {
            changes,
            ledger,
            progress,
            frames,
            state,
            slot,
            stale: Stale::default(),
            awaited: None,
            copy_after: None,
            copy_tried: None,
            transaction: None,
            group: Group::default(),
            clock: Clock::default(),
            durable: Durable::default(),
            position,
            reached: position,
            written_at: Instant::now(),
        }
    }

    /// Applies until something stops it.
    pub(in crate::target) async fn run(
        mut self,
        control: &mut mpsc::Receiver<Control>,
    ) -> Result<Ended, Fault> {
        let mut tick = interval(POSITION_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if self.is_time_to_copy() {
                return Ok(Ended::TablesWait(self.stale));
            }
            if let Some(frame) = self.frames.try_next() {
                self.frame(Some(frame)).await?;
                continue;
            }
            self.flush().await?;
            if self.is_past() {
                return Ok(Ended::PastPoints(self.stale));
            }
            tokio::select! {
                frame = self.frames.next() => self.frame(frame).await?,
                Some(told) = control.recv() => {
                    self.stale.learn(told);
                    let at = self.state.borrow().at_marker;
                    if at.is_some_and(|attempt| !self.stale.stops(attempt, self.position)) {
                        return Ok(Ended::MarkerStale(self.stale));
                    }
                }
                _ = tick.tick() => self.acknowledge_flushed().await?,
            }
        }
    }

    async fn frame(&mut self, frame: Option<Frame>) -> Result<(), Fault> {
        match frame {
            Some(Frame::Changes(changes)) => {
                for change in changes {
                    self.change(change).await?;
                }
            }
            // Receiving is not applying: only when nothing is pending does the position count.
            Some(Frame::Position(at)) if self.transaction.is_none() && !self.at_marker() => {
                if !self.group.open {
                    self.reached = self.reached.max(at);
                }
            }
            Some(Frame::Position(_)) => {}
            Some(Frame::SourceAt(at)) => {
                self.progress.source_at(at);
                if self.changes.altered.copy {
                    self.copy_after.get_or_insert(at);
                }
            }
            Some(Frame::Failed(fault)) => return Err(fault),
            Some(other) => return Err(unexpected(&other)),
            None => return Err(Fault::retry("PeerGone", "the change stream was cut")),
        }
        Ok(())
    }

    /// Tables wait until the stream has come to `after`.
    pub(in crate::target) fn copy_after(&mut self, after: Option<Lsn>) {
        self.changes.altered.copy = after.is_some();
        self.copy_after = after;
        self.copy_tried = after.map(|_| self.position);
    }

    /// With what was known of the source when a table had to wait behind it, the snapshot of now hardly finds the schema
    /// changed once more.
    fn is_time_to_copy(&self) -> bool {
        self.changes.altered.copy
            && !self.group.open
            && self.transaction.is_none()
            && (self.copy_after.is_some_and(|after| self.reached >= after)
                // Nothing is applied behind a marker; once there, since the source should stand still.
                || self.at_marker() && self.copy_tried.is_none_or(|tried| self.position > tried))
    }

    pub(super) async fn open(&mut self) -> Result<(), Fault> {
        if std::mem::replace(&mut self.group.open, true) {
            return Ok(());
        }
        self.changes.command(BEGIN.to_owned(), "beginning a transaction".into()).await
    }

    pub(super) async fn commit(&mut self, end: Lsn, commit_time: i64) -> Result<(), Fault> {
        let transaction = self
            .transaction
            .take()
            .ok_or_else(|| unreadable("a commit came outside a transaction"))?;
        if !self.at_marker() {
            self.reached = end;
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
            _ if self.group.changes >= GROUP_CHANGES
                || self.changes.altered.commit
                || self.is_due() =>
            {
                self.write(None).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Nothing more is here: what is complete is committed. In the middle of a transaction nothing is.
    async fn flush(&mut self) -> Result<(), Fault> {
        if self.transaction.is_some() {
            return Ok(());
        }
        if self.group.open || self.is_due() { self.write(None).await } else { Ok(()) }
    }

    /// Between source transactions only. In a stream that never pauses, too, the position moves, and the target's rows are
    /// not locked without end.
    fn is_due(&self) -> bool {
        self.reached > self.position && self.written_at.elapsed() >= POSITION_EVERY
    }

    /// Commits the group with the position that it reaches. It is acknowledged when the target has flushed it, and only
    /// then; a cutover's marker, which others act upon, is flushed at once.
    async fn write(&mut self, marker: Option<u32>) -> Result<(), Fault> {
        if std::mem::take(&mut self.changes.altered.commit) {
            self.changes.keep_catalog().await?;
        }
        if marker.is_some() {
            self.changes.wait_for_flush(true).await?;
        }
        self.changes.position(self.reached, marker, self.ledger.epoch()).await?;
        self.changes.pipeline.wait(0).await?;
        point!("apply.committing");
        let wal = self.changes.commit(self.group.open).await?;
        point!("apply.committed");
        if marker.is_some() {
            self.changes.wait_for_flush(false).await?;
        }
        self.position = self.reached;
        self.written_at = Instant::now();
        self.durable.committed(wal.inserted, self.position);
        self.acknowledge(wal.flushed);
        self.progress.applied(self.position, self.group.changes);
        self.group = Group::default();
        let applied = self.position;
        self.state.send_modify(|state| state.applied = applied);
        Ok(())
    }

    fn acknowledge(&mut self, flushed: Lsn) {
        if let Some(position) = self.durable.flushed(flushed) {
            self.frames.acknowledge(position);
        }
    }

    async fn acknowledge_flushed(&mut self) -> Result<(), Fault> {
        if self.durable.is_waiting() {
            let flushed = self.changes.wal().await?.flushed;
            self.acknowledge(flushed);
        }
        Ok(())
    }

    fn is_past(&self) -> bool {
        let between = self.transaction.is_none() && !self.group.open && !self.at_marker();
        between && self.awaited.is_some_and(|awaited| self.position >= awaited)
    }

    pub(super) fn at_marker(&self) -> bool {
        self.state.borrow().at_marker.is_some()
    }
}

pub(super) fn unreadable(what: &str) -> Fault {
    Fault::hold("StreamUnreadable", format!("reading the change stream: {what}"))
        .remedy("report it, with the source's version; the rows up to here are safe")
}
