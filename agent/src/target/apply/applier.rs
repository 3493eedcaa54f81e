//! The loop: frames in, groups of whole transactions out, positions back.
use std::time::{Duration, Instant};

use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval},
};
use whimbrel_proto::Lsn;

use super::{
    change::Changes,
    clock::Clock,
    durable::Durable,
    group::{Closed, Group, POSITION_EVERY},
    state::{Control, Ended, Stale, StreamState},
};
use crate::{
    fault::Fault,
    target::{ledger::Ledger, progress::Progress},
    wire::{Frame, FrameReceiver, LastCommit, Marker, unexpected},
};

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
    /// They can't be before.
    copy_not_before: Option<Instant>,
    pub(super) transaction: Option<Transaction>,
    pub(super) group: Group,
    /// The group before, until it is committed.
    pub(super) closed: Option<Closed>,
    pub(super) clock: Clock,
    pub(super) durable: Durable,
    /// The ledger's position, and one that it may be moved to.
    pub(super) position: Lsn,
    pub(super) reached: Lsn,
    pub(super) written_at: Instant,
    /// The last commit up to `reached`; unknown of a position that an older agent wrote.
    pub(super) last: Option<LastCommit>,
}

/// The source transaction that is being received.
pub(super) struct Transaction {
    /// Where its commit record starts.
    pub(super) commit: Lsn,
    /// Its first change, or one before.
    pub(super) first: Lsn,
    /// Which it is.
    pub(super) xid: u32,
    pub(super) marker: Option<Marker>,
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
            copy_not_before: None,
            transaction: None,
            group: Group::default(),
            closed: None,
            clock: Clock::default(),
            durable: Durable::default(),
            position,
            reached: position,
            written_at: Instant::now(),
            last: None,
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
                // An idle source has nothing to commit it with, and where the ledger stands is what the copies go by.
                self.write(None).await?;
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

    /// What the ledger ends with where it begins.
    pub(in crate::target) fn begin_behind(&mut self, last: Option<LastCommit>) {
        self.last = last;
    }

    /// Tables wait until the stream has come to `after`.
    pub(in crate::target) fn copy_after(&mut self, after: Lsn) {
        self.changes.altered.copy = true;
        self.copy_after = Some(after);
        self.copy_tried = Some(self.position);
    }

    /// As [`Self::copy_after`], and not before `pause` has passed.
    pub(in crate::target) fn copy_later(&mut self, after: Lsn, pause: Duration) {
        self.copy_after(after);
        self.copy_not_before = Some(Instant::now() + pause);
    }

    /// With what was known of the source when a table had to wait behind it, the snapshot of now hardly finds the schema
    /// changed once more.
    fn is_time_to_copy(&self) -> bool {
        self.changes.altered.copy
            && self.is_between()
            && (self.at_marker() || self.copy_not_before.is_none_or(|at| at <= Instant::now()))
            && (self.copy_after.is_some_and(|after| self.reached >= after)
                // Nothing is applied behind a marker; once there, since the source should stand still.
                || self.at_marker() && self.copy_tried.is_none_or(|tried| self.position > tried))
    }

    /// Nothing that was received waits for its commit.
    fn is_between(&self) -> bool {
        self.transaction.is_none() && !self.group.open && self.closed.is_none()
    }

    fn is_past(&self) -> bool {
        let between = self.is_between() && !self.at_marker();
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
