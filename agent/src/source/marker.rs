//! Puts markers into the source's WAL.
//!
//! Servers before 14 write logical messages into their WAL and do not stream them. What they do stream is the transaction
//! around one, empty (measured on 10 to 13). So there the sender remembers which transaction carries which marker, before
//! that can commit, and puts the message into the stream where a later server would have: right behind its BEGIN. The
//! receiver sees no difference. What was remembered goes with the sender: DRAIN asks whether its marker still can come.
use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use bytes::{BufMut as _, Bytes, BytesMut};
use tokio_postgres::types::PgLsn;
use whimbrel_proto::Lsn;

use super::sender::Sender;
use crate::{
    fault::{Doing, Fault},
    replication::pgoutput::{self, Message},
    wire::{MARKER_PREFIX, Marker},
};

/// `server_version_num` of the oldest server whose change stream has messages.
const MESSAGES_FROM: u32 = 140_000;

/// Markers that are remembered. A cutover has two, and a probe for each time that it is verified; a stream that begins
/// again meets those of the last attempts once more.
const REMEMBERED: usize = 64;

/// A marker whose message the server will not stream.
#[derive(Debug)]
struct Sent {
    /// The transaction that carries it.
    xid: u32,
    at: Lsn,
    content: String,
}

/// Markers that the stream has to be given.
#[derive(Debug, Default)]
pub(super) struct Unstreamed(Mutex<VecDeque<Sent>>);

impl Unstreamed {
    fn remember(&self, sent: Sent) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED {
            all.pop_front();
        }
        all.push_back(sent);
    }

    /// The message that belongs behind this one: `data` is the BEGIN of a marker's transaction.
    pub(super) fn behind(&self, data: &Bytes) -> Option<Bytes> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.is_empty() || data.first() != Some(&b'B') {
            return None;
        }
        // What can't be decoded is the receiver's to refuse.
        let Ok(Message::Begin { final_lsn, xid, .. }) = pgoutput::decode(data.clone(), false)
        else {
            return None;
        };
        all.iter().find(|sent| sent.xid == xid && sent.at <= final_lsn).map(message)
    }
}

/// As the manual has it ("Logical Replication Message Formats", Message), transactional.
fn message(sent: &Sent) -> Bytes {
    let mut out = BytesMut::with_capacity(sent.content.len() + MARKER_PREFIX.len() + 16);
    out.put_u8(b'M');
    out.put_u8(1);
    out.put_u64(sent.at.0);
    out.put_slice(MARKER_PREFIX.as_bytes());
    out.put_u8(0);
    out.put_u32(u32::try_from(sent.content.len()).unwrap_or_default());
    out.put_slice(sent.content.as_bytes());
    out.freeze()
}

impl Sender {
    /// Puts a message into the WAL; where it is. Its transaction's commit ends a little later.
    pub(crate) async fn emit(&self, marker: &Marker) -> Result<Lsn, Fault> {
        let client = self.control().await?;
        // Nobody waits for a heartbeat's message: its commit is enough.
        if client.server_version_num() < MESSAGES_FROM && *marker != Marker::Heartbeat {
            return self.emit_unstreamed(marker).await;
        }
        let row = client
            .query_one(
                "select pg_logical_emit_message(true, $1, $2)",
                &[&MARKER_PREFIX, &marker.content(&self.spec.objects.slot)],
            )
            .await
            .doing(EMITTING)?;
        Ok(Lsn(row.get::<_, PgLsn>(0).into()))
    }

    async fn emit_unstreamed(&self, marker: &Marker) -> Result<Lsn, Fault> {
        let content = marker.content(&self.spec.objects.slot);
        let mut client = self.session("marker").await?;
        let tx = client.transaction().await.doing(EMITTING)?;
        let row = tx
            .query_one(
                // The lower half: what a BEGIN in the stream has.
                "select pg_logical_emit_message(true, $1, $2), txid_current() & 4294967295",
                &[&MARKER_PREFIX, &content],
            )
            .await
            .doing(EMITTING)?;
        let at = Lsn(row.get::<_, PgLsn>(0).into());
        let xid = u32::try_from(row.get::<_, i64>(1)).unwrap_or_default();
        self.unstreamed.remember(Sent { xid, at, content });
        tx.commit().await.doing(EMITTING)?;
        Ok(at)
    }
}

const EMITTING: &str = "putting a marker into the source's WAL";

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(xid: u32, at: u64) -> Bytes {
        let mut out = BytesMut::new();
        out.put_u8(b'B');
        out.put_u64(at);
        out.put_i64(0);
        out.put_u32(xid);
        out.freeze()
    }

    #[test]
    fn a_marker_stands_behind_the_begin_of_its_transaction() {
        let unstreamed = Unstreamed::default();
        let content = Marker::End(3).content("slot");
        unstreamed.remember(Sent { xid: 7, at: Lsn(100), content });
        assert_eq!(unstreamed.behind(&begin(8, 200)), None);
        // Another transaction of that number, of another age.
        assert_eq!(unstreamed.behind(&begin(7, 99)), None);
        assert_eq!(unstreamed.behind(&Bytes::from_static(b"C")), None);
        let message = unstreamed.behind(&begin(7, 150)).expect("the marker's transaction");
        match pgoutput::decode(message, false).expect("a message") {
            Message::Message { transactional: true, lsn: Lsn(100), prefix, content, .. } => {
                assert_eq!(prefix, MARKER_PREFIX);
                assert_eq!(Marker::parse("slot", &content), Some(Marker::End(3)));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_the_last_ones_are_remembered() {
        let unstreamed = Unstreamed::default();
        for xid in 0..100 {
            unstreamed.remember(Sent { xid, at: Lsn(1), content: "x".into() });
        }
        assert_eq!(unstreamed.behind(&begin(100 - REMEMBERED as u32 - 1, 2)), None);
        assert!(unstreamed.behind(&begin(99, 2)).is_some());
    }
}
