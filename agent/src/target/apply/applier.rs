//! The loop: frames in, groups of whole transactions out, positions back.
use std::time::{Duration, Instant};

use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval},
};
use whimbrel_points::point;
use whimbrel_proto::Lsn;

use super::{change::Changes, clock::Clock, durable::Durable};
use crate::{
    fault::{Doing, Fault},
    postgres::Client,
    replication::pgoutput::{self, Message},
    target::{
        ledger::Ledger,
        progress::{Kind, Progress},
    },
    wire::{Change, DDL_PREFIX, Frame, FrameReceiver, MARKER_PREFIX, Marker, Note, unexpected},
};

/// A group is committed at the first source commit after this many row changes, however many more are here: it bounds
/// what a crash repeats and how long the target's rows stay locked.
const GROUP_CHANGES: u64 = 5_000;

/// A position that comes with no rows is written to the ledger at most this often: an idle database should cost its
/// target one small write a second, no more.
const POSITION_EVERY: Duration = Duration::from_secs(1);

/// The source's transactions may have relied on constraints that are checked at their end.
const BEGIN: &str = "begin; set constraints all deferred";

/// What others may know of the stream.
#[derive(Debug, Clone, Default)]
pub struct StreamState {
    /// The ledger's position.
    pub applied: Lsn,
    /// The attempt whose marker 2 is the ledger's position. Nothing after it is applied.
    pub at_marker: Option<u32>,
    /// A table that was written to after that marker.
    pub written_later: Option<String>,
    /// Tables are to be copied (again).
    pub tables_wait: bool,
    /// The last probe that came.
    pub probe: Option<String>,
}

/// What is told to a running stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// This cutover attempt is over: the stream goes on.
    Over(u32),
    /// The marker that counts ends here or later: MARK_END may have been carried out twice, and an earlier marker of the
    /// same attempt is not the end then.
    Until(Lsn),
}

/// Which markers are no reason to stop.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::target) struct Stale {
    /// Those of this attempt and of earlier ones.
    pub(in crate::target) attempts: u32,
    /// Those that end before this.
    pub(in crate::target) before: Lsn,
}

impl Stale {
    /// Whether the stream stops at the marker of `attempt` that ends at `end`.
    pub(in crate::target) fn stops(self, attempt: u32, end: Lsn) -> bool {
        attempt > self.attempts && end >= self.before
    }

    fn learn(&mut self, control: Control) {
        match control {
            Control::Over(attempt) => self.attempts = self.attempts.max(attempt),
            Control::Until(end) => self.before = self.before.max(end),
        }
    }
}

/// Why the loop ended without a fault.
#[derive(Debug, Clone, Copy)]
pub(in crate::target) enum Ended {
    /// The marker that it stood at turned out to be stale: it goes on from the ledger's position.
    MarkerStale(Stale),
    /// The awaited position is passed.
    PastPoints(Stale),
    /// Tables are to be copied (again) before it goes on from the ledger's position.
    TablesWait(Stale),
}

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
    transaction: Option<Transaction>,
    group: Group,
    clock: Clock,
    durable: Durable,
    /// The ledger's position, and one that it may be moved to.
    position: Lsn,
    reached: Lsn,
    written_at: Instant,
}

/// The source transaction that is being received.
struct Transaction {
    /// Where its commit record starts.
    commit: Lsn,
    marker: Option<Marker>,
}

/// The target transaction.
#[derive(Default)]
struct Group {
    open: bool,
    changes: u64,
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

    async fn change(&mut self, change: Change) -> Result<(), Fault> {
        self.clock.observe(change.sent_us);
        let message = pgoutput::decode(change.data, false)
            .map_err(|error| unreadable(&format!("a message can't be decoded: {error}")))?;
        match message {
            Message::Begin { final_lsn, .. } => {
                self.transaction = Some(Transaction { commit: final_lsn, marker: None });
                Ok(())
            }
            Message::Commit { end_lsn, commit_time, .. } => self.commit(end_lsn, commit_time).await,
            Message::Relation(relation) => self.relation(relation).await,
            Message::Message { prefix, content, .. } => {
                if prefix == MARKER_PREFIX
                    && let Some(transaction) = &mut self.transaction
                {
                    transaction.marker = Marker::parse(self.slot, &content);
                }
                if prefix == DDL_PREFIX && !content.is_empty() {
                    return self.schema_change(&content).await;
                }
                Ok(())
            }
            Message::Insert { .. }
            | Message::Update { .. }
            | Message::Delete { .. }
            | Message::Truncate { .. } => self.row_change(message).await,
            Message::Origin { .. } | Message::Type { .. } => Ok(()),
            _ => Err(unreadable("a message came that was not asked for (streamed or two-phase)")),
        }
    }

    async fn row_change(&mut self, message: Message) -> Result<(), Fault> {
        let Some(transaction) = &self.transaction else {
            return Err(unreadable("a row change came outside a transaction"));
        };
        let tables = self.changes.concerned(&message, transaction.commit)?;
        let Some(first) = tables.first() else { return Ok(()) };
        if self.at_marker() {
            let label = first.label.to_string();
            self.state.send_modify(|state| {
                state.written_later.get_or_insert(label);
            });
            return Ok(());
        }
        self.open().await?;
        self.group.changes += 1;
        let kind = match message {
            Message::Insert { .. } => Kind::Insert,
            Message::Update { .. } => Kind::Update,
            Message::Delete { .. } => Kind::Delete,
            _ => Kind::Other,
        };
        self.progress.incoming(first.oid, kind);
        self.changes.apply(message, tables).await
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

    async fn open(&mut self) -> Result<(), Fault> {
        if std::mem::replace(&mut self.group.open, true) {
            return Ok(());
        }
        self.changes.command(BEGIN.to_owned(), "beginning a transaction".into()).await
    }

    /// A table's columns. What no event trigger has told of them is asked now.
    async fn relation(&mut self, relation: pgoutput::Relation) -> Result<(), Fault> {
        let commit = self.transaction.as_ref().map_or(Lsn(0), |transaction| transaction.commit);
        let Err(fault) = self.changes.relation(&relation, commit) else { return Ok(()) };
        if self.at_marker() {
            let label = format!("{}.{}", relation.namespace, relation.name);
            self.state.send_modify(|state| {
                state.written_later.get_or_insert(label);
            });
            self.changes.tables.is_gone(relation.id);
            return Ok(());
        }
        self.open().await?;
        self.changes.find_out(&relation, commit, fault).await?;
        if self.changes.altered.copy {
            self.state.send_modify(|state| state.tables_wait = true);
        }
        self.changes.relation(&relation, commit)
    }

    /// The source's event trigger tells what a command has made.
    async fn schema_change(&mut self, content: &[u8]) -> Result<(), Fault> {
        let note = Note::parse(self.slot, content).map_err(|error| {
            unreadable(&format!("a change of the schema can't be read: {error}"))
        })?;
        let (Some(note), Some(transaction)) = (note, &self.transaction) else { return Ok(()) };
        let commit = transaction.commit;
        if self.at_marker() {
            let label = format!("the schema ({})", note.tag);
            self.state.send_modify(|state| {
                state.written_later.get_or_insert(label);
            });
            return Ok(());
        }
        self.open().await?;
        self.changes.carry(&note, commit).await?;
        if self.changes.altered.copy {
            self.state.send_modify(|state| state.tables_wait = true);
        }
        Ok(())
    }

    async fn commit(&mut self, end: Lsn, commit_time: i64) -> Result<(), Fault> {
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
                self.state.send_modify(|state| state.probe = Some(probe));
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

    fn at_marker(&self) -> bool {
        self.state.borrow().at_marker.is_some()
    }
}

/// Settings of the session that applies. What is in the ledger when it is settled is flushed, whoever committed it.
pub(in crate::target) async fn settle(
    session: &Client,
    ledger: Ledger,
    as_replica: bool,
) -> Result<(), Fault> {
    let doing = "flushing the ledger on the target";
    session.batch_execute("set synchronous_commit = on").await.doing(doing)?;
    // A commit that waits for its flush waits for all that were before it.
    session
        .execute("update whimbrel.ledger set epoch = epoch where epoch = $1", &[&ledger.epoch()])
        .await
        .doing(doing)?;
    session.batch_execute("set synchronous_commit = off").await.doing(doing)?;
    if as_replica {
        session
            .batch_execute("set session_replication_role = replica")
            .await
            .doing("setting session_replication_role on the target")?;
    }
    Ok(())
}

fn unreadable(what: &str) -> Fault {
    Fault::hold("StreamUnreadable", format!("reading the change stream: {what}"))
        .remedy("report it, with the source's version; the rows up to here are safe")
}
