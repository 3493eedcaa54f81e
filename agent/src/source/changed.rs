//! Reads a window of the migration's slot for the keys of the rows that changed in it. Nothing is acknowledged: the slot
//! stays where it is, and the stream proper will send the same once more.
use whimbrel_proto::Lsn;

use super::{
    changed_keys::ChangedKeys,
    position::{Position, of_stream},
    sender::Sender,
};
use crate::{
    fault::Fault,
    replication::{
        Event, ReplicationStream,
        pgoutput::{self, Message},
    },
    wire::{ChangedTable, DDL_PREFIX, Frame, FrameSender, Known, Note},
};

/// Frames are filled to this; keys are small.
const FRAME_BYTES: usize = 128 << 10;

/// Where the window ends, and what its positions are of.
pub(super) struct Window {
    pub(super) to: Lsn,
    pub(super) known: Known,
}

impl Sender {
    pub(super) async fn changed_keys(
        &self,
        tables: &[ChangedTable],
        window: Window,
        reply: &FrameSender,
    ) -> Result<(), Fault> {
        let Some(from) = tables.iter().map(|table| table.from).min() else { return Ok(()) };
        let Window { to, known } = window;
        let (connection, ..) = self.check_position(Position { from, known }).await?;
        let stream = self.start(connection, from).await?;
        let slot = self.spec.objects.slot.clone();
        let reading = Reading { stream, slot, keys: ChangedKeys::new(tables), commit: None, to };
        tokio::select! {
            done = reading.run(reply) => done,
            () = reply.closed() => Ok(()),
        }
    }
}

struct Reading {
    stream: ReplicationStream,
    /// Names the migration in what its event trigger tells.
    slot: String,
    keys: ChangedKeys,
    /// Where the commit of the transaction that is being read begins.
    commit: Option<Lsn>,
    to: Lsn,
}

impl Reading {
    /// Transactions come in the order of their commits: the first that begins to commit at the window's end or behind it
    /// ends it, and so does the server's word that it has read so far with nothing left to send.
    async fn run(mut self, reply: &FrameSender) -> Result<(), Fault> {
        loop {
            match self.stream.next().await.map_err(of_stream)? {
                Some(Event::XLogData { data, .. }) if data.is_empty() => {}
                Some(Event::XLogData { data, .. }) => {
                    if self.is_behind(data)? {
                        break;
                    }
                }
                Some(Event::Keepalive { wal_end, reply_requested }) => {
                    if self.commit.is_none() && wal_end >= self.to {
                        break;
                    }
                    if reply_requested {
                        // No position at all: with the window's own the slot would leave behind what tables of an
                        // older snapshot still need.
                        self.stream.status(Lsn::ZERO, Lsn::ZERO, Lsn::ZERO, false).await?;
                    }
                }
                None => {
                    return Err(Fault::away("StreamEnded", "the source ended the change stream")
                        .remedy("it is opened again"));
                }
            }
            if self.keys.waiting() >= FRAME_BYTES {
                reply.send(Frame::Bytes(self.keys.take())).await?;
            }
        }
        if self.keys.waiting() > 0 {
            reply.send(Frame::Bytes(self.keys.take())).await?;
        }
        self.leave().await;
        Ok(())
    }

    fn is_behind(&mut self, data: bytes::Bytes) -> Result<bool, Fault> {
        let message = pgoutput::decode(data, false).map_err(|error| {
            Fault::hold(
                "StreamUnreadable",
                format!(
                    "reading what changed since the snapshot: a message can't be decoded: {error}"
                ),
            )
            .remedy("report it, with the source's version")
        })?;
        match message {
            Message::Begin { final_lsn, .. } => {
                self.commit = Some(final_lsn);
                return Ok(final_lsn >= self.to);
            }
            Message::Commit { .. } => self.commit = None,
            Message::Message { prefix, content, .. } => {
                if prefix == DDL_PREFIX && !content.is_empty() {
                    self.schema_change(&content);
                }
            }
            message => self.keys.add(&message, self.commit.unwrap_or_default()),
        }
        Ok(false)
    }

    /// One that can't be read counts as one that could not be told: the copy needs no more of it than that.
    fn schema_change(&mut self, content: &[u8]) {
        let note = match Note::parse(&self.slot, content) {
            Ok(Some(note)) => note,
            Ok(None) => return,
            Err(error) => Note { failed: Some(error.to_string()), ..Note::default() },
        };
        self.keys.schema_change(&note, self.commit.unwrap_or_default());
    }

    /// The slot is free when this returns, if the server comes to an end soon; else whoever needs it next waits for it.
    async fn leave(self) {
        if let Err(error) = self.stream.stop().await {
            tracing::debug!(%error, "leaving the change stream");
        }
    }
}

#[cfg(test)]
mod tests;
