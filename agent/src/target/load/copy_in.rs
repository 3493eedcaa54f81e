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
    target::{Progress, ledger::Ledger, limits::Pace},
    wire::{
        Ask, Caller, CopyFormat, CopyOf, Frame, FrameReceiver, PageRange, Relation, unexpected,
    },
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

/// Whose bytes are counted while they come, and who says how fast they may.
#[derive(Clone, Copy)]
pub(super) struct Meter<'a> {
    pub(super) progress: &'a Progress,
    pub(super) table: u32,
    pub(super) pace: Option<&'a Pace>,
}

/// Rows and bytes of the part.
pub(crate) async fn copy_in(
    copy: &CopyIn<'_>,
    session: &mut Client,
    caller: &Caller,
    ledger: Ledger,
    progress: &Progress,
) -> Result<(u64, u64), Fault> {
    copy_at_pace(copy, session, caller, ledger, progress, None).await
}

/// As [`copy_in`], no faster than `pace` lets it.
pub(super) async fn copy_at_pace(
    copy: &CopyIn<'_>,
    session: &mut Client,
    caller: &Caller,
    ledger: Ledger,
    progress: &Progress,
    pace: Option<&Pace>,
) -> Result<(u64, u64), Fault> {
    let relation = copy.relation;
    let doing = format!("copying {}", relation.label());
    progress.table_state(relation.oid, State::Loading);
    let frames = caller.open(copy.ask()).await?;
    let tx = session.transaction().await.doing(&doing)?;
    let freeze = copy.make_room(&tx, &doing).await?;
    let unproven = take_unproven(&tx, &copy.table(), &doing).await?;
    let sink = tx.copy_in::<_, Bytes>(&copy.statement(freeze)).await.doing(&doing)?;
    pin_mut!(sink);
    let (rows, bytes) =
        pour(frames, sink, Some(Meter { progress, table: relation.oid, pace }), &doing).await?;
    bring_back(&tx, &unproven, &doing).await?;
    tx.execute(
        include_str!("../sql/record_part.sql"),
        &[&relation.oid, &copy.page_from(), &copy.page_to(), &signed(rows), &signed(bytes)],
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

/// Takes the table's constraints away that are not valid: the source's rows need not fit them, and rows that come here must. Gives
/// what brings them back.
async fn take_unproven(
    tx: &Transaction<'_>,
    table: &str,
    doing: &str,
) -> Result<Vec<String>, Fault> {
    let rows = tx.query(include_str!("../sql/unproven.sql"), &[&table]).await.doing(doing)?;
    for row in &rows {
        tx.batch_execute(row.get(0)).await.doing(doing)?;
    }
    Ok(rows.iter().map(|row| row.get(1)).collect())
}

async fn bring_back(tx: &Transaction<'_>, unproven: &[String], doing: &str) -> Result<(), Fault> {
    if !unproven.is_empty() {
        // No table is altered while checks of its rows wait.
        tx.batch_execute("set constraints all immediate").await.doing(doing)?;
    }
    for sql in unproven {
        tx.batch_execute(sql).await.doing(doing)?;
    }
    Ok(())
}

/// Writes the frames of a table into a COPY, counted if there is a meter; rows and bytes.
pub(super) async fn pour(
    mut frames: FrameReceiver,
    mut sink: Pin<&mut CopyInSink<Bytes>>,
    meter: Option<Meter<'_>>,
    doing: &str,
) -> Result<(u64, u64), Fault> {
    let mut bytes = 0;
    while let Some(piece) = next_piece(&mut frames).await? {
        if let Some(Meter { progress, table, pace }) = meter {
            if let Some(pace) = pace {
                pace.pass(piece.len()).await;
            }
            progress.copied_bytes(table, piece.len());
        }
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

    pub(super) fn table(&self) -> String {
        qualified(&self.relation.schema, &self.relation.name)
    }

    pub(super) fn ask(&self) -> Ask {
        Ask::Copy(self.of())
    }

    pub(super) fn of(&self) -> CopyOf {
        let relation = self.relation;
        CopyOf {
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

    fn page_to(&self) -> Option<i64> {
        self.pages.and_then(|range| range.to).map(i64::from)
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

pub(super) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
