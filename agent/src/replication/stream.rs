//! The change stream: CopyBoth messages in, standby status out.
use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::{BufMut as _, Bytes};
use postgres_protocol::message::frontend;
use tokio::time::timeout;
use whimbrel_proto::Lsn;

use super::{
    EPOCH_UNIX_MICROS,
    connection::ReplicationConnection,
    error::ReplicationError,
    near,
    options::StreamOptions,
    reader::{ReadError, Reader},
};

/// Leaving the stream waits for the end of what the server is sending; a large transaction is not worth it.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
const READING: &str = "reading the change stream";
const WRITING: &str = "acknowledging on the change stream";
const STARTING: &str = "starting the change stream";
const STOPPING: &str = "stopping the change stream";

/// What the server sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A message of the output plugin.
    XLogData {
        /// Where in the WAL it comes from; 0 for messages that have no place of their own.
        wal_start: Lsn,
        /// The same as `wal_start` for logical decoding.
        wal_end: Lsn,
        /// When it was sent: microseconds since 2000-01-01 UTC.
        server_time: i64,
        /// For [`super::pgoutput::decode`].
        data: Bytes,
    },
    /// The server is there. All that it has sent up to `wal_end` was sent before.
    Keepalive {
        /// How far the server has read its WAL.
        wal_end: Lsn,
        /// It will break off (`wal_sender_timeout`) if no status comes.
        reply_requested: bool,
    },
}

/// A running stream. Nothing is acknowledged but by [`ReplicationStream::status`].
pub struct ReplicationStream {
    connection: ReplicationConnection,
    /// The server ended the stream.
    ended: bool,
}

impl ReplicationStream {
    pub(super) async fn start(
        mut connection: ReplicationConnection,
        slot: &str,
        from: Lsn,
        options: &StreamOptions,
    ) -> Result<Self, ReplicationError> {
        near::bound(&mut connection).await?;
        let sql = options.start_sql(slot, from);
        frontend::query(&sql, connection.frames.outbox())
            .map_err(|error| ReplicationError::Io { doing: STARTING, error })?;
        connection.frames.flush(STARTING).await?;
        loop {
            let frame = connection.frames.next(STARTING).await?;
            match frame.tag {
                b'W' => return Ok(Self { connection, ended: false }),
                b'N' | b'S' => {}
                _ => return Err(frame.refuse(STARTING)),
            }
        }
    }

    /// How many bytes of it lie in the kernel, unread.
    #[must_use]
    pub fn waiting_bytes(&self) -> u64 {
        self.connection.frames.wire().waiting_bytes()
    }

    /// The next event; `None` when the server has ended the stream in good order. Cancel-safe: dropped half-way, it
    /// loses nothing, so it can stand in a `select!` beside the work that calls [`ReplicationStream::status`].
    ///
    /// # Errors
    /// [`ReplicationError`]; the stream is over then.
    pub async fn next(&mut self) -> Result<Option<Event>, ReplicationError> {
        if self.ended {
            return Ok(None);
        }
        loop {
            let frame = self.connection.frames.next(READING).await?;
            match frame.tag {
                b'd' => return read_event(frame.body).map(Some),
                // Of a server that is told to stop the end of the command is all that comes.
                b'c' | b'C' => {
                    self.ended = true;
                    return Ok(None);
                }
                b'N' | b'S' => {}
                _ => return Err(frame.refuse(READING)),
            }
        }
    }

    /// Tells the server how far we are. `flushed` moves the slot: it must be durable at the receiver. With `reply` the
    /// server answers with a keepalive. Cancel-safe, as [`ReplicationStream::next`].
    ///
    /// # Errors
    /// [`ReplicationError`]; the stream is over then.
    pub async fn status(
        &mut self,
        written: Lsn,
        flushed: Lsn,
        applied: Lsn,
        reply: bool,
    ) -> Result<(), ReplicationError> {
        // Standby status update: 'r', three positions, the time, whether to reply.
        const STATUS_BYTES: u32 = 34;
        let out = self.connection.frames.outbox();
        out.put_u8(b'd');
        out.put_u32(STATUS_BYTES + 4);
        out.put_u8(b'r');
        out.put_u64(written.0);
        out.put_u64(flushed.0);
        out.put_u64(applied.0);
        out.put_i64(now());
        out.put_u8(u8::from(reply));
        self.connection.frames.flush(WRITING).await
    }

    /// Ends the stream; the connection takes commands again. What the server still sends is dropped.
    ///
    /// # Errors
    /// [`ReplicationError::Timeout`] when the server does not come to an end; the connection is closed then.
    pub async fn stop(mut self) -> Result<ReplicationConnection, ReplicationError> {
        frontend::copy_done(self.connection.frames.outbox());
        let drained = timeout(STOP_TIMEOUT, self.drain()).await;
        let seconds = STOP_TIMEOUT.as_secs();
        drained.unwrap_or(Err(ReplicationError::Timeout { doing: STOPPING, seconds }))?;
        Ok(self.connection)
    }

    async fn drain(&mut self) -> Result<(), ReplicationError> {
        self.connection.frames.flush(STOPPING).await?;
        loop {
            let frame = self.connection.frames.next(STOPPING).await?;
            match frame.tag {
                // Data, the server's own end, command complete.
                b'd' | b'c' | b'C' | b'N' | b'S' => {}
                b'Z' => return Ok(()),
                _ => return Err(frame.refuse(STOPPING)),
            }
        }
    }
}

impl fmt::Debug for ReplicationStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplicationStream")
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}

fn read_event(body: Bytes) -> Result<Event, ReplicationError> {
    let malformed = |cause| ReplicationError::Malformed { doing: READING, cause };
    let mut reader = Reader::new(body);
    let kind = reader.u8("copy message").map_err(malformed)?;
    match kind {
        b'w' => xlog_data(reader).map_err(malformed),
        b'k' => keepalive(reader).map_err(malformed),
        other => Err(ReplicationError::Unexpected { doing: READING, tag: char::from(other) }),
    }
}

fn xlog_data(mut reader: Reader) -> Result<Event, ReadError> {
    Ok(Event::XLogData {
        wal_start: reader.lsn("wal start")?,
        wal_end: reader.lsn("wal end")?,
        server_time: reader.i64("server time")?,
        data: reader.rest(),
    })
}

fn keepalive(mut reader: Reader) -> Result<Event, ReadError> {
    let wal_end = reader.lsn("wal end")?;
    reader.i64("server time")?;
    Ok(Event::Keepalive { wal_end, reply_requested: reader.u8("reply requested")? != 0 })
}

/// PostgreSQL only shows it (`pg_stat_replication.reply_time`), so a wrong clock does no harm.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX) - EPOCH_UNIX_MICROS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_and_never_panic() {
        let keepalive = b"k\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\0\0\x01";
        assert_eq!(
            read_event(Bytes::from_static(keepalive)).unwrap(),
            Event::Keepalive { wal_end: Lsn(16), reply_requested: true }
        );
        for end in 0..keepalive.len() {
            assert!(read_event(Bytes::from_static(&keepalive[..end])).is_err());
        }
        assert!(read_event(Bytes::from_static(b"x")).is_err());
    }
}
