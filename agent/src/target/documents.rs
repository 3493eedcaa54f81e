//! What the ledger keeps of the source besides positions: its catalog, its shape, its dump. They are in the target database,
//! so that an agent with an empty disk can go on.
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use tokio_postgres::GenericClient;

use super::receive::Receiver;
use crate::{
    fault::{Doing, Fault},
    wire::{Answer, Ask, Caller, DatabaseProperties, Frame},
};

/// Bytes in one row: far below the 1 GB of a value, and no memory to speak of.
const PIECE_BYTES: usize = 8 << 20;

/// It is held in memory whole; no schema that was ever met has a hundredth of it.
const DUMP_BYTES_MAX: usize = 1 << 30;

/// A mark: the source's schema was dumped again.
pub(super) const CHANGED: &str = "changed";

/// A mark: the stream has changed the schema here since the source's was dumped last.
pub(super) const CARRIED: &str = "carried";

/// A mark: the stream has dropped objects since then.
pub(super) const DROPPED: &str = "dropped";

/// There is such a table while an event trigger of ours could not tell what a command on the source has done: a ledger of an
/// earlier version takes no other marks than those above.
const MARK_UNTOLD: &str = "create table if not exists whimbrel.untold ()";

/// pg_dump's archive, whole: under the snapshot that is held, or of now.
pub(super) async fn fetch_dump(
    caller: &Caller,
    target_major: u32,
    under_snapshot: bool,
) -> Result<Vec<u8>, Fault> {
    let mut frames = caller.open(Ask::Dump { target_major, under_snapshot }).await?;
    let mut dump = Vec::new();
    loop {
        match frames.next().await {
            Some(Frame::Bytes(bytes)) if dump.len() + bytes.len() <= DUMP_BYTES_MAX => {
                dump.extend_from_slice(&bytes);
            }
            Some(Frame::Bytes(_)) => {
                return Err(Fault::hold("DumpTooLarge", "the schema's dump is larger than 1 GB"));
            }
            Some(Frame::End) => return Ok(dump),
            Some(Frame::Failed(fault)) => return Err(fault),
            Some(other) => return Err(crate::wire::unexpected(&other)),
            None => return Err(Fault::retry("PeerGone", "the dump of the schema was cut")),
        }
    }
}

impl Receiver {
    /// pg_dump's archive, under the snapshot that is held.
    pub(super) async fn fetch_dump(&self, target_major: u32) -> Result<Vec<u8>, Fault> {
        fetch_dump(&self.caller, target_major, true).await
    }

    /// How the source's database was made. Needs no snapshot that lasts: it is asked before there is one.
    pub(super) async fn database_properties(&self) -> Result<DatabaseProperties, Fault> {
        match self.caller.ask(Ask::Database).await? {
            Answer::Database(properties) => Ok(properties),
            _ => Err(crate::wire::unexpected_answer()),
        }
    }
}

/// Stores a document, in the transaction that makes it true.
pub(super) async fn put(tx: &impl GenericClient, kind: &str, body: &[u8]) -> Result<(), Fault> {
    let doing = format!("storing the source's {kind} in the ledger");
    tx.execute("delete from whimbrel.document where kind = $1", &[&kind]).await.doing(&doing)?;
    for (piece, bytes) in (0_i32..).zip(body.chunks(PIECE_BYTES)) {
        tx.execute(
            "insert into whimbrel.document (kind, piece, body) values ($1, $2, $3)",
            &[&kind, &piece, &bytes],
        )
        .await
        .doing(&doing)?;
    }
    Ok(())
}

/// Sets a mark, in the transaction that makes it true.
pub(super) async fn mark(client: &impl GenericClient, mark: &str) -> Result<(), Fault> {
    let sql = "insert into whimbrel.document (kind, piece, body) values ($1, 0, '') on conflict do nothing";
    client.execute(sql, &[&mark]).await.doing(format!("marking the ledger as {mark}"))?;
    Ok(())
}

/// Takes marks away.
pub(super) async fn unmark(client: &impl GenericClient, marks: &[&str]) -> Result<(), Fault> {
    let sql = "delete from whimbrel.document where kind = any($1)";
    client.execute(sql, &[&marks]).await.doing("taking marks off the ledger")?;
    Ok(())
}

/// Whether a mark is set.
pub(super) async fn is_marked(client: &impl GenericClient, mark: &str) -> Result<bool, Fault> {
    let sql = "select exists (select from whimbrel.document where kind = $1)";
    let row = client.query_one(sql, &[&mark]).await.doing("reading the ledger's marks")?;
    Ok(row.get(0))
}

/// An event trigger on the source could not tell what a command has done.
pub(super) async fn mark_untold(client: &impl GenericClient) -> Result<(), Fault> {
    client.batch_execute(MARK_UNTOLD).await.doing("marking in the ledger that a change is untold")
}

/// Somebody has looked at all that there is.
pub(super) async fn unmark_untold(client: &impl GenericClient) -> Result<(), Fault> {
    let sql = "drop table if exists whimbrel.untold";
    client.batch_execute(sql).await.doing("marking in the ledger that nothing is untold")
}

/// Whether nobody has looked yet.
pub(super) async fn is_untold(client: &impl GenericClient) -> Result<bool, Fault> {
    let sql = "select to_regclass('whimbrel.untold') is not null";
    let row = client.query_one(sql, &[]).await.doing("reading the ledger's marks")?;
    Ok(row.get(0))
}

/// Reads a document.
pub(super) async fn get(client: &impl GenericClient, kind: &str) -> Result<Bytes, Fault> {
    let rows = client
        .query("select body from whimbrel.document where kind = $1 order by piece", &[&kind])
        .await
        .doing(format!("reading the source's {kind} from the ledger"))?;
    let mut body = Vec::new();
    for row in rows {
        body.extend_from_slice(row.get(0));
    }
    Ok(body.into())
}

/// A document as JSON.
pub(super) fn to_json<T: Serialize>(kind: &str, value: &T) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(value).map_err(|error| {
        Fault::hold("LedgerUnwritable", format!("writing the source's {kind}: {error}"))
    })
}

/// A document from JSON.
pub(super) async fn get_json<T: DeserializeOwned>(
    client: &impl GenericClient,
    kind: &str,
) -> Result<T, Fault> {
    let body = get(client, kind).await?;
    serde_json::from_slice(&body).map_err(|error| {
        Fault::hold(
            "LedgerUnreadable",
            format!("reading the source's {kind} from the ledger: {error}"),
        )
        .remedy("the ledger was made by another version of the agent: run that one")
    })
}
