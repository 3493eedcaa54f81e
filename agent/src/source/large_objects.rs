//! Large objects and their contents.
use bytes::Bytes;
use futures_util::{StreamExt as _, pin_mut};
use tokio_postgres::types::ToSql;

use super::sender::Sender;
use crate::{
    fault::{Doing, Fault},
    verify::{self, PIECE_BYTES},
    wire::{Frame, FrameSender, LargeObject},
};

const DOING: &str = "reading the contents of large objects";

impl Sender {
    pub(super) async fn large_objects(
        &self,
        after: u32,
        digests: bool,
        under_snapshot: bool,
    ) -> Result<Vec<LargeObject>, Fault> {
        if !self.spec.selected.has_large_objects() {
            return Ok(Vec::new());
        }
        let purpose = "large objects";
        let client = match under_snapshot {
            true => self.session_in_snapshot(purpose).await?,
            false => self.session(purpose).await?,
        };
        verify::large_objects(&client, after, u32::MAX, digests).await
    }

    /// The first piece of each in one go, for most have only one; then what is longer.
    pub(super) async fn large_object_contents(
        &self,
        oids: &[u32],
        reply: &FrameSender,
    ) -> Result<(), Fault> {
        let client = self.session_in_snapshot("large objects").await?;
        let sql = "select o, lo_get(o, 0, $2) from unnest($1::oid[]) o";
        let parameters: [&(dyn ToSql + Sync); 2] = [&oids, &PIECE_BYTES];
        let rows = client.query_raw(sql, parameters).await.doing(DOING)?;
        pin_mut!(rows);
        let mut longer = Vec::new();
        while let Some(row) = rows.next().await {
            let row = row.doing(DOING)?;
            let oid: u32 = row.get(0);
            if send_piece(reply, oid, 0, row.get(1)).await? {
                longer.push(oid);
            }
        }
        for oid in longer {
            let mut offset = i64::from(PIECE_BYTES);
            loop {
                let sql = "select lo_get($1::oid, $2, $3)";
                let row =
                    client.query_one(sql, &[&oid, &offset, &PIECE_BYTES]).await.doing(DOING)?;
                if !send_piece(reply, oid, offset, row.get(0)).await? {
                    break;
                }
                offset += i64::from(PIECE_BYTES);
            }
        }
        Ok(())
    }
}

/// Whether more may follow.
async fn send_piece(
    reply: &FrameSender,
    oid: u32,
    offset: i64,
    data: &[u8],
) -> Result<bool, Fault> {
    if !data.is_empty() {
        let data = Bytes::copy_from_slice(data);
        reply.send(Frame::LargeObject { oid, offset, data }).await?;
    }
    Ok(i32::try_from(data.len()).is_ok_and(|length| length == PIECE_BYTES))
}
