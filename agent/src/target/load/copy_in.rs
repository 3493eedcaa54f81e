//! One part of one table: rows and the ledger's word of them, in one transaction.
use std::pin::Pin;

use bytes::Bytes;
use futures_util::{SinkExt as _, pin_mut};
use tokio_postgres::{CopyInSink, Transaction, types::PgLsn};
use whimbrel_points::point;
use whimbrel_proto::{Lsn, v1::table_progress::State};

use crate::{
    fault::{Doing, Fault},
    postgres::{Client, identifier, qualified},
    target::{Progress, ledger::Ledger},
    wire::{Ask, Caller, CopyFormat, Frame, FrameReceiver, PageRange, Relation, unexpected},
};

/// A part to be copied.
pub(crate) struct CopyIn<'a> {
    pub(crate) relation: &'a Relation,
    pub(crate) pages: Option<PageRange>,
    /// Delete what is there first: the table is copied again while foreign keys may refer to it.
    pub(crate) replace: bool,
    /// The whole table's new point, when it is another than that of the load.
    pub(crate) point: Option<Lsn>,
}

/// Rows and bytes of the part.
pub(crate) async fn copy_in(
    copy: &CopyIn<'_>,
    session: &mut Client,
    caller: &Caller,
    ledger: Ledger,
    progress: &Progress,
) -> Result<(u64, u64), Fault> {
    let relation = copy.relation;
    let doing = format!("copying {}", relation.label());
    progress.table_state(relation.oid, State::Loading);
    let frames = caller.open(copy.ask()).await?;
    let tx = session.transaction().await.doing(&doing)?;
    let freeze = copy.make_room(&tx, &doing).await?;
    let sink = tx.copy_in::<_, Bytes>(&copy.statement(freeze)).await.doing(&doing)?;
    pin_mut!(sink);
    let (rows, bytes) = pour(frames, sink, relation.oid, progress, &doing).await?;
    tx.execute(
        "insert into whimbrel.part (source_oid, page_from, rows, bytes) values ($1, $2, $3, $4) \
         on conflict (source_oid, page_from) do update set rows = excluded.rows, bytes = excluded.bytes",
        &[&relation.oid, &copy.page_from(), &signed(rows), &signed(bytes)],
    )
    .await
    .doing(&doing)?;
    if let Some(point) = copy.point {
        tx.execute(
            "update whimbrel.relation set point = $1, rows = $2, bytes = $3 where source_oid = $4",
            &[&PgLsn::from(point.0), &signed(rows), &signed(bytes), &relation.oid],
        )
        .await
        .doing(&doing)?;
    }
    point!("copy.committing");
    ledger.commit(tx, &doing).await?;
    point!("copy.committed");
    progress.copied_rows(relation.oid, rows);
    Ok((rows, bytes))
}

/// Writes the frames of a table into a COPY; its rows and bytes.
pub(super) async fn pour(
    mut frames: FrameReceiver,
    mut sink: Pin<&mut CopyInSink<Bytes>>,
    table: u32,
    progress: &Progress,
    doing: &str,
) -> Result<(u64, u64), Fault> {
    let mut bytes = 0;
    while let Some(piece) = next_piece(&mut frames).await? {
        progress.copied_bytes(table, piece.len());
        bytes += piece.len() as u64;
        sink.send(piece).await.doing(doing)?;
    }
    let rows = sink.finish().await.doing(doing)?;
    Ok((rows, bytes))
}

impl CopyIn<'_> {
    /// Empties the table if need be. Whether the rows can be written as frozen: a table that comes in one part is
    /// truncated in the same transaction, so nobody can see its rows too early, and they need not be written again when
    /// they are first read, or when VACUUM freezes them (PostgreSQL manual, COPY, "FREEZE").
    async fn make_room(&self, tx: &Transaction<'_>, doing: &str) -> Result<bool, Fault> {
        let table = self.table();
        if self.replace {
            // Not TRUNCATE: foreign keys may refer to it.
            tx.batch_execute(&format!("delete from only {table}")).await.doing(doing)?;
            return Ok(false);
        }
        if self.pages.is_some() {
            return Ok(false);
        }
        tx.batch_execute(&format!("truncate only {table}")).await.doing(doing)?;
        Ok(true)
    }

    fn table(&self) -> String {
        qualified(&self.relation.schema, &self.relation.name)
    }

    pub(super) fn ask(&self) -> Ask {
        let relation = self.relation;
        Ask::Copy {
            table: relation.oid,
            name: (relation.schema.clone(), relation.name.clone()),
            columns: relation.columns.iter().map(|column| column.name.clone()).collect(),
            pages: self.pages,
            format: self.format(),
        }
    }

    fn format(&self) -> CopyFormat {
        // A table without columns has nothing to be binary about, and COPY's list of columns may not be empty.
        let binary = self.relation.binary && !self.relation.columns.is_empty();
        if binary { CopyFormat::Binary } else { CopyFormat::Text }
    }

    fn page_from(&self) -> i64 {
        self.pages.map_or(0, |range| i64::from(range.from))
    }

    pub(super) fn statement(&self, freeze: bool) -> String {
        let table = self.table();
        let freeze = if freeze { ", freeze" } else { "" };
        let columns: Vec<String> =
            self.relation.columns.iter().map(|column| identifier(&column.name)).collect();
        let list =
            if columns.is_empty() { String::new() } else { format!(" ({})", columns.join(", ")) };
        let format = match self.format() {
            CopyFormat::Binary => "binary",
            CopyFormat::Text => "text",
        };
        format!("copy {table}{list} from stdin (format {format}{freeze})")
    }
}

/// The next bytes; `None` at the end. A stream that is cut is an error, never an end.
async fn next_piece(frames: &mut FrameReceiver) -> Result<Option<Bytes>, Fault> {
    match frames.next().await {
        Some(Frame::Bytes(bytes)) => Ok(Some(bytes)),
        Some(Frame::End) => Ok(None),
        Some(Frame::Failed(fault)) => Err(fault),
        Some(other) => Err(unexpected(&other)),
        None => Err(Fault::retry("PeerGone", "the rows of a table were cut")),
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
