//! The change stream: from the slot to the receiver, acknowledged only as far as the receiver's ledger is durable.
use std::time::Duration;

use tokio::{
    sync::watch,
    time::{Interval, MissedTickBehavior, interval, sleep},
};
use whimbrel_points::{is_broken, point};
use whimbrel_proto::Lsn;

use super::{
    marker::Unstreamed,
    pace::{LOOK_EVERY, Pace, Pause},
    past::Past,
    position::{Position, of_stream},
    sender::Sender,
};
use crate::{
    fault::Fault,
    replication::{Event, ReplicationConnection, ReplicationStream, StreamOptions},
    wire::{Change, Frame, FrameSender, LastCommit, Marker},
};

/// Messages are sent on when they weigh this, or when no more are here.
const FRAME_BYTES: usize = 128 << 10;

/// How often the slot is told where the ledger is, at least: a third of the shortest `wal_sender_timeout` that managed
/// services set (30 s) leaves room for two lost ticks.
const STATUS_EVERY: Duration = Duration::from_secs(5);

/// An idle database gets a message this often: its slot moves on while other databases of the server write, and the lag
/// that is shown is never older.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);

/// Tries to take the slot over from a stream of ours that is ending: its walsender goes within milliseconds, or with
/// `wal_sender_timeout` when the network between was cut.
const SLOT_TRIES: u32 = 100;

/// Between the tries.
const SLOT_PAUSE: Duration = Duration::from_millis(100);

/// Law 3, for a test that takes it away: what was received is no reason to acknowledge.
const ACKNOWLEDGE_APPLIED: &str = "acknowledge-applied";

/// SQLSTATE of a slot that another walsender holds.
const OBJECT_IN_USE: &str = "55006";

impl Sender {
    pub(super) async fn follow(
        &self,
        at: Position,
        last: Option<LastCommit>,
        reply: &FrameSender,
    ) -> Result<(), Fault> {
        let (connection, timeline, slot) = self.check_position(at).await?;
        reply.send(Frame::Timeline(timeline)).await?;
        let past = last.filter(|_| slot < at.from).map(|last| Past::new(at.from, slot, last));
        let from = if past.is_some() { slot } else { at.from };
        let stream = self.start(connection, from).await?;
        let (acknowledged, unstreamed) = (reply.acknowledged(), &self.unstreamed);
        let (durable, received) = (at.from, at.from);
        let pace = Pace::new();
        let pump = Pump { acknowledged, durable, received, stream, reply, unstreamed, pace, past };
        tokio::select! {
            result = pump.run() => result,
            fault = self.heartbeats(reply) => Err(fault),
            () = reply.closed() => Ok(()),
        }
    }

    /// Waits for an earlier stream's walsender to let go of the slot.
    pub(super) async fn start(
        &self,
        mut connection: ReplicationConnection,
        from: Lsn,
    ) -> Result<ReplicationStream, Fault> {
        let objects = &self.spec.objects;
        let (endpoint, database) = (&self.spec.endpoint, &self.spec.database);
        let publications = vec![objects.publication.clone(), objects.keyless_publication.clone()];
        let options = StreamOptions::for_server(connection.server_version_num(), publications);
        let mut tries = 1;
        loop {
            match connection.start(&objects.slot, from, &options).await {
                Ok(stream) => return Ok(stream),
                Err(error) if error.sqlstate() == Some(OBJECT_IN_USE) && tries < SLOT_TRIES => {
                    tries += 1;
                    sleep(SLOT_PAUSE).await;
                    connection =
                        ReplicationConnection::connect(endpoint, database, &self.purpose("stream"))
                            .await?;
                }
                // It may have been dropped since it was looked at, and then it is known what to do.
                Err(error) => {
                    return Err(self.check_slot(from).await.err().unwrap_or(of_stream(error)));
                }
            }
        }
    }

    /// Ends only with a fault.
    async fn heartbeats(&self, reply: &FrameSender) -> Fault {
        let mut ticks = ticks(HEARTBEAT_EVERY);
        loop {
            ticks.tick().await;
            let at = match self.emit(&Marker::Heartbeat).await {
                Ok(at) => at,
                Err(fault) => return fault,
            };
            if let Err(gone) = reply.send(Frame::SourceAt(at)).await {
                return gone.into();
            }
        }
    }
}

/// From the slot's stream into the frames.
struct Pump<'a> {
    stream: ReplicationStream,
    reply: &'a FrameSender,
    acknowledged: watch::Receiver<Lsn>,
    unstreamed: &'a Unstreamed,
    /// What the slot may forget. Starts at the ledger's position, which is durable.
    durable: Lsn,
    /// What has come.
    received: Lsn,
    pace: Pace,
    /// What the ledger has already, when the slot is behind it.
    past: Option<Past>,
}

impl Pump<'_> {
    async fn run(mut self) -> Result<(), Fault> {
        let mut status = ticks(STATUS_EVERY);
        let mut pending = Vec::new();
        let mut weight = 0;
        loop {
            let event = tokio::select! {
                biased;
                event = self.stream.next() => event.map_err(of_stream)?,
                // Nothing more is here: what came is sent on.
                () = std::future::ready(()), if !pending.is_empty() => {
                    weight = 0;
                    self.send(Frame::Changes(std::mem::take(&mut pending)), &mut status).await?;
                    self.look_away().await;
                    continue;
                }
                _ = status.tick() => { self.tell().await?; continue }
                Ok(()) = self.acknowledged.changed() => { self.tell().await?; continue }
            };
            match event {
                // Servers before 14 write an empty message where the name of a transaction's replication origin would stand, when
                // that origin was dropped since. It says nothing.
                Some(Event::XLogData { data, .. }) if data.is_empty() => {}
                Some(Event::XLogData { server_time, data, wal_start, wal_end }) => {
                    self.received = self.received.max(wal_end);
                    weight += data.len();
                    self.pace.count(&data, server_time);
                    let passed = match &mut self.past {
                        Some(past) => past.pass(data)?,
                        None => vec![data],
                    };
                    for data in passed {
                        let marker = self.unstreamed.behind(&data);
                        for data in std::iter::once(data).chain(marker) {
                            let (sent_us, at) = (server_time, wal_start);
                            pending.push(Change { sent_us, at, data });
                        }
                    }
                    if weight >= FRAME_BYTES && !pending.is_empty() {
                        weight = 0;
                        self.send(Frame::Changes(std::mem::take(&mut pending)), &mut status)
                            .await?;
                    }
                }
                Some(Event::Keepalive { wal_end, reply_requested }) => {
                    if !pending.is_empty() {
                        weight = 0;
                        self.send(Frame::Changes(std::mem::take(&mut pending)), &mut status)
                            .await?;
                    }
                    if self.past.as_mut().map_or(Ok(true), |past| past.has_come(wal_end))? {
                        self.send(Frame::Position(wal_end), &mut status).await?;
                    }
                    if reply_requested {
                        self.tell().await?;
                    }
                }
                None => {
                    return Err(Fault::away("StreamEnded", "the source ended the change stream")
                        .remedy("it is opened again"));
                }
            }
        }
    }

    /// Lets messages gather, over a backlog.
    async fn look_away(&mut self) {
        match self.pace.pause() {
            Pause::No => {}
            Pause::For(time) => sleep(time).await,
            Pause::UntilFull(looks) => self.until_full(looks).await,
        }
    }

    /// Until what lies in the kernel grows no more: the server has sent all that there is room for, or all that it has.
    async fn until_full(&self, looks: u32) {
        let mut before = self.stream.waiting_bytes();
        for _ in 0..looks {
            sleep(LOOK_EVERY).await;
            let now = self.stream.waiting_bytes();
            if now <= before {
                break;
            }
            before = now;
        }
    }

    /// While the receiver has no room the server still hears from us, or it would end the connection.
    async fn send(&mut self, frame: Frame, status: &mut Interval) -> Result<(), Fault> {
        let reply = self.reply;
        let sending = reply.send(frame);
        tokio::pin!(sending);
        loop {
            tokio::select! {
                sent = &mut sending => return sent.map_err(Fault::from),
                _ = status.tick() => self.tell().await?,
                Ok(()) = self.acknowledged.changed() => self.tell().await?,
            }
        }
    }

    /// Tells the slot the ledger's position, and nothing beyond it: received is not applied.
    async fn tell(&mut self) -> Result<(), Fault> {
        // Else nothing would tell the next time that its past is another one.
        if let Some(past) = self.past.as_ref().filter(|past| !past.is_over()) {
            let slot = past.slot();
            return Ok(self.stream.status(slot, slot, slot, false).await?);
        }
        self.durable = self.durable.max(*self.acknowledged.borrow_and_update());
        if is_broken(ACKNOWLEDGE_APPLIED) {
            self.durable = self.durable.max(self.received);
        }
        point!("slot.acknowledging");
        self.stream.status(self.durable, self.durable, self.durable, false).await?;
        point!("slot.acknowledged");
        Ok(())
    }
}

fn ticks(every: Duration) -> Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
