//! An ordinary session that reads COPY's rows in bulk.
//!
//! The server sends each row as a message of its own. tokio-postgres hands them over one by one, eight kilobytes a read:
//! of small rows that costs the agent more than all the rest of a copy. Here the messages' headers are taken out of what was
//! received, in place, and the data goes on in large pieces that begin and end anywhere. A row of hundreds of megabytes is
//! never held whole.
use bytes::{Bytes, BytesMut};
use postgres_protocol::message::frontend;

use super::{
    connection::ReplicationConnection,
    error::ReplicationError,
    frames::{HEADER_BYTES, header},
    login::Peer,
    query::Rows,
};
use crate::postgres::Endpoint;

const DOING: &str = "copying rows out";

/// Data is gathered up to this before it goes on: large enough that a piece's way through the agent costs nothing beside
/// its bytes, small enough to stay in a processor's cache until it is sent.
const PIECE_BYTES: usize = 128 << 10;

/// Room for what is received at once.
const READ_BYTES: usize = 64 << 10;

/// A session for reading rows. It runs simple queries beside.
#[derive(Debug)]
pub struct RowsConnection(ReplicationConnection);

/// The data of a COPY that is under way.
#[derive(Debug)]
pub struct RowPieces<'a> {
    connection: &'a mut RowsConnection,
    gathered: Gathered,
}

/// Where the data at the front of the inbox ends.
#[derive(Debug, Default)]
struct Gathered {
    /// Bytes of data, without headers.
    data: usize,
    /// Bytes that the message under way still lacks.
    lacking: usize,
}

impl RowsConnection {
    /// Connects to `database`, with the application name `whimbrel/<purpose>`.
    ///
    /// # Errors
    /// [`ReplicationError::Connect`], within 10 s.
    pub async fn connect(
        endpoint: &Endpoint,
        database: &str,
        purpose: &str,
    ) -> Result<Self, ReplicationError> {
        ReplicationConnection::connect_to(endpoint, database, purpose, Peer::Backend)
            .await
            .map(Self)
    }

    /// Runs statements that give a few rows, values as text. `doing` stands in the error.
    ///
    /// # Errors
    /// [`ReplicationError`]; after [`ReplicationError::Server`] the connection can be used on.
    pub async fn query(&mut self, sql: &str, doing: &str) -> Result<Rows, ReplicationError> {
        self.0.query(sql, doing).await
    }

    /// Ends the session, so that the server logs no lost connection.
    pub async fn close(mut self) {
        let frames = &mut self.0.frames;
        frontend::terminate(frames.outbox());
        // A server that is gone needs no goodbye.
        frames.flush("ending a session").await.ok();
    }

    /// Begins a `COPY … TO STDOUT`.
    ///
    /// # Errors
    /// [`ReplicationError`]; the connection is of no more use then.
    pub async fn copy_out(&mut self, statement: &str) -> Result<RowPieces<'_>, ReplicationError> {
        let frames = &mut self.0.frames;
        frontend::query(statement, frames.outbox())
            .map_err(|error| ReplicationError::Io { doing: DOING, error })?;
        frames.flush(DOING).await?;
        loop {
            let frame = frames.next(DOING).await?;
            match frame.tag {
                b'H' => return Ok(RowPieces { connection: self, gathered: Gathered::default() }),
                // Notice, parameter.
                b'N' | b'S' => {}
                _ => return Err(frame.refuse(DOING)),
            }
        }
    }
}

impl RowPieces<'_> {
    /// The next data; `None` when it is complete, and the connection ready for the next statement.
    ///
    /// # Errors
    /// [`ReplicationError`]; the connection is of no more use then.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ReplicationError> {
        let frames = &mut self.connection.0.frames;
        loop {
            let interrupted = self.gathered.gather(frames.inbox())?;
            let data = self.gathered.data;
            if data >= PIECE_BYTES || interrupted && data > 0 {
                self.gathered.data = 0;
                return Ok(Some(frames.inbox().split_to(data).freeze()));
            }
            if !interrupted {
                // Room for a whole piece at once: it does not move while it grows.
                frames.receive(PIECE_BYTES.saturating_sub(data) + READ_BYTES, DOING).await?;
                continue;
            }
            let frame = frames.next(DOING).await?;
            match frame.tag {
                b'Z' => return Ok(None),
                // Data complete, command complete; notice, parameter.
                b'c' | b'C' | b'N' | b'S' => {}
                _ => return Err(frame.refuse(DOING)),
            }
        }
    }
}

impl Gathered {
    /// Moves the data of the messages that follow up to what is gathered; whether a message of another kind comes next.
    fn gather(&mut self, inbox: &mut BytesMut) -> Result<bool, ReplicationError> {
        let mut at = self.data;
        let interrupted = loop {
            let here = self.lacking.min(inbox.len() - at);
            inbox.copy_within(at..at + here, self.data);
            (self.data, at, self.lacking) = (self.data + here, at + here, self.lacking - here);
            if self.lacking > 0 {
                break false;
            }
            match header(&inbox[at..])? {
                Some((b'd', length)) => (at, self.lacking) = (at + HEADER_BYTES, length),
                other => break other.is_some(),
            }
        };
        // At most a part of a header, or messages of other kinds.
        let rest = inbox.len() - at;
        inbox.copy_within(at.., self.data);
        inbox.truncate(self.data + rest);
        Ok(interrupted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[tag], &length[..], body].concat()
    }

    /// However the bytes arrive, the data is the same, and what follows is left as it was.
    #[test]
    fn data_is_gathered_over_every_cut() {
        let bodies: [&[u8]; 5] = [b"one", b"", b"a longer row of some bytes", b"x", b"last"];
        let rows: Vec<u8> = bodies.iter().flat_map(|body| message(b'd', body)).collect();
        let (data, end) = (bodies.concat(), message(b'c', b""));
        let sent = [&rows[..], &end[..]].concat();
        for step in 1..sent.len() {
            let (mut inbox, mut gathered) = (BytesMut::new(), Gathered::default());
            let mut interrupted = false;
            for piece in sent.chunks(step) {
                inbox.extend_from_slice(piece);
                interrupted = gathered.gather(&mut inbox).unwrap();
            }
            assert!(interrupted, "cut by {step}");
            assert_eq!(inbox[..gathered.data], data, "cut by {step}");
            assert_eq!(inbox[gathered.data..], end, "cut by {step}");
        }
    }

    #[test]
    fn a_length_that_can_not_be_is_refused() {
        let mut inbox = BytesMut::from(&b"d\xff\xff\xff\xff"[..]);
        assert!(Gathered::default().gather(&mut inbox).is_err());
    }
}
