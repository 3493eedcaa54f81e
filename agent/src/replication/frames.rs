//! Messages on a wire: whole ones in, whole ones out, and nothing lost when a read or a write is cancelled half-way.
use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{error::ReplicationError, server_error::ServerError};
use crate::postgres::Wire;

/// PostgreSQL makes no message longer than its largest allocation, 1 GiB (MaxAllocSize), but for the wide rows of COPY;
/// a longer one is not PostgreSQL's.
pub(super) const MESSAGE_BYTES_MAX: usize = 1 << 30;
/// What is read at once. Row changes are small; 64 KiB is a few hundred of them a system call.
const READ_BYTES: usize = 64 * 1024;
/// A type byte and a length.
pub(super) const HEADER_BYTES: usize = 5;

/// One message of the server.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) tag: u8,
    pub(super) body: Bytes,
}

pub(super) struct Frames {
    wire: Wire,
    inbox: BytesMut,
    outbox: BytesMut,
}

impl Frames {
    pub(super) fn new(wire: Wire) -> Self {
        Self { wire, inbox: BytesMut::with_capacity(READ_BYTES), outbox: BytesMut::new() }
    }

    pub(super) const fn wire(&self) -> &Wire {
        &self.wire
    }

    /// Where messages are written before [`Frames::flush`].
    pub(super) const fn outbox(&mut self) -> &mut BytesMut {
        &mut self.outbox
    }

    /// Sends what is in the outbox. Cancel-safe: what was not sent stays there.
    pub(super) async fn flush(&mut self, doing: &'static str) -> Result<(), ReplicationError> {
        let lost = |error| ReplicationError::Io { doing, error };
        while !self.outbox.is_empty() {
            if self.wire.write_buf(&mut self.outbox).await.map_err(lost)? == 0 {
                return Err(ReplicationError::Closed { doing });
            }
        }
        self.wire.flush().await.map_err(lost)
    }

    /// The next message; notices and parameters too. Cancel-safe: a half-read message stays in the inbox.
    pub(super) async fn next(&mut self, doing: &'static str) -> Result<Frame, ReplicationError> {
        if !self.outbox.is_empty() {
            self.flush(doing).await?;
        }
        loop {
            if let Some(frame) = self.take()? {
                return Ok(frame);
            }
            self.receive(0, doing).await?;
        }
    }

    /// What was received and not taken yet.
    pub(super) const fn inbox(&mut self) -> &mut BytesMut {
        &mut self.inbox
    }

    /// Receives more, with room for at least `room` bytes. Cancel-safe.
    pub(super) async fn receive(
        &mut self,
        room: usize,
        doing: &'static str,
    ) -> Result<(), ReplicationError> {
        self.inbox.reserve(room);
        let read = self.wire.read_buf(&mut self.inbox).await;
        match read.map_err(|error| ReplicationError::Io { doing, error })? {
            0 => Err(ReplicationError::Closed { doing }),
            _ => Ok(()),
        }
    }

    fn take(&mut self) -> Result<Option<Frame>, ReplicationError> {
        let Some((tag, length)) = header(&self.inbox)? else {
            self.inbox.reserve(READ_BYTES);
            return Ok(None);
        };
        let total = HEADER_BYTES + length;
        if self.inbox.len() < total {
            // No more than what a long message still lacks is taken on its word, a piece at a time.
            let lacking = total - self.inbox.len();
            self.inbox.reserve(lacking.min(self.inbox.len()).max(READ_BYTES));
            return Ok(None);
        }
        let mut body = self.inbox.split_to(total).freeze();
        body.advance(HEADER_BYTES);
        Ok(Some(Frame { tag, body }))
    }
}

/// The tag of the message that begins here, and the length of its body.
pub(super) fn header(inbox: &[u8]) -> Result<Option<(u8, usize)>, ReplicationError> {
    let Some(&[tag, a, b, c, d]) = inbox.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
    // The length counts itself.
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    let max = MESSAGE_BYTES_MAX;
    match length.checked_sub(4) {
        Some(length) if length <= max => Ok(Some((tag, length))),
        _ => Err(ReplicationError::TooLong { length, max }),
    }
}

impl Frame {
    /// The error that this message is, or [`ReplicationError::Unexpected`].
    pub(super) fn refuse(self, doing: &'static str) -> ReplicationError {
        if self.tag != b'E' {
            return ReplicationError::Unexpected { doing, tag: char::from(self.tag) };
        }
        match ServerError::read(self.body) {
            Ok(error) => ReplicationError::Server { doing: doing.to_owned(), error },
            Err(cause) => ReplicationError::Malformed { doing, cause },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_bounded_before_anything_is_allocated() {
        assert!(matches!(header(b"d\x00\x00"), Ok(None)));
        assert!(matches!(header(b"d\x00\x00\x00\x05x"), Ok(Some((b'd', 1)))));
        assert!(header(b"d\x00\x00\x00\x03").is_err());
        assert!(header(b"d\xff\xff\xff\xff").is_err());
    }
}
