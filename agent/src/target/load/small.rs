//! Small tables, many in one transaction: rows, keys, indexes, statistics, and the ledger's word of all of it. A database
//! of thousands of small tables is as fast as its commits, and a table by itself takes five of them.
use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use futures_util::pin_mut;
use tokio_postgres::Transaction;
use whimbrel_proto::v1::table_progress::State;

use super::{
    copy_in::{CopyIn, pour},
    fill::Shop,
    parts::TableWork,
    statistics,
};
use crate::{
    fault::{Doing, Fault},
    postgres::Client,
    target::schema::{Entry, RESTORE_SETTINGS, TableEntries},
    wire::{FrameReceiver, Relation},
};

/// A table of at most so many pages (1 MB) is small.
pub(super) const SMALL_PAGES: u32 = 128;

/// Tables of one batch at most. Each takes a handful of locks until the batch commits (the table, what is built on it,
/// its TOAST table), and the server's lock table has room for 64 a session by default.
pub(super) const BATCH_TABLES: usize = 32;

/// Pages of one batch at most (8 MB): what a crash costs.
const BATCH_PAGES: u32 = 1024;

/// A small table, and what is built on it.
#[derive(Debug, Clone)]
pub(super) struct Small {
    pub(super) relation: Arc<Relation>,
    pub(super) entries: TableEntries,
}

/// What arrived of one table.
struct Arrived {
    oid: u32,
    rows: i64,
    bytes: i64,
}

/// Cuts small tables into batches, in their order.
pub(super) fn batches(small: Vec<Small>) -> Vec<Vec<Small>> {
    let mut batches: Vec<Vec<Small>> = Vec::new();
    let mut pages = 0;
    for table in small {
        let more = table.relation.pages;
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH_TABLES && pages + more <= BATCH_PAGES => {
                pages += more;
                batch.push(table);
            }
            _ => {
                pages = more;
                batches.push(vec![table]);
            }
        }
    }
    batches
}

impl TableWork {
    /// Whether it goes into a batch.
    pub(super) fn is_small(&self) -> bool {
        !self.copied && !self.begun && self.relation.pages <= SMALL_PAGES
    }
}

impl Shop {
    /// A batch, from its rows to its statistics.
    pub(super) async fn run_small(
        &self,
        session: &mut Client,
        tables: &[Small],
    ) -> Result<(), Fault> {
        let doing = format!("copying {} small tables", tables.len());
        let major = session.server_major();
        let tx = session.transaction().await.doing(&doing)?;
        tx.batch_execute(RESTORE_SETTINGS).await.doing(&doing)?;
        let new = note_entries(&tx, tables, &doing).await?;
        let mut arrived = Vec::with_capacity(tables.len());
        let mut asked: VecDeque<FrameReceiver> = VecDeque::new();
        for (at, table) in tables.iter().enumerate() {
            // One ahead: the source reads the next table while this one is written.
            for next in tables.iter().skip(at + asked.len()).take(2 - asked.len()) {
                asked.push_back(self.caller.open(copy_of(&next.relation).ask()).await?);
            }
            let Some(frames) = asked.pop_front() else { break };
            arrived.push(self.one(&tx, table, &new, frames).await?);
        }
        let relations: Vec<&Relation> = tables.iter().map(|table| &*table.relation).collect();
        statistics::gather(&tx, major, &relations, &doing).await?;
        record(&tx, &arrived, &doing).await?;
        self.ledger.commit(tx, &doing).await?;
        for (table, arrived) in tables.iter().zip(&arrived) {
            let rows = u64::try_from(arrived.rows).unwrap_or_default();
            self.progress.copied_rows(table.relation.oid, rows);
            self.progress.table_state(table.relation.oid, State::Completed);
        }
        Ok(())
    }

    async fn one(
        &self,
        tx: &Transaction<'_>,
        table: &Small,
        new: &HashSet<i32>,
        frames: FrameReceiver,
    ) -> Result<Arrived, Fault> {
        let relation = &table.relation;
        let doing = format!("copying {}", relation.label());
        self.progress.table_state(relation.oid, State::Loading);
        let sink =
            tx.copy_in::<_, Bytes>(&copy_of(relation).statement(false)).await.doing(&doing)?;
        pin_mut!(sink);
        let (rows, bytes) = pour(frames, sink, Some(self.meter(relation.oid)), &doing).await?;
        self.progress.table_state(relation.oid, State::Indexing);
        build(tx, entries(table).filter(|entry| new.contains(&entry.dump_id)).collect()).await?;
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        Ok(Arrived { oid: relation.oid, rows: signed(rows), bytes: signed(bytes) })
    }
}

fn copy_of(relation: &Relation) -> CopyIn<'_> {
    CopyIn { relation, pages: None, replace: false, point: None }
}

fn entries(table: &Small) -> impl Iterator<Item = &Entry> {
    table.entries.keys.iter().chain(&table.entries.indexes)
}

/// Notes what this transaction makes, and gives it; a table that is copied again has what is built on it.
async fn note_entries(
    tx: &Transaction<'_>,
    tables: &[Small],
    doing: &str,
) -> Result<HashSet<i32>, Fault> {
    let ids: Vec<i32> = tables.iter().flat_map(entries).map(|entry| entry.dump_id).collect();
    let sql = "insert into whimbrel.entry (dump_id) select unnest($1::int4[]) \
               on conflict do nothing returning dump_id";
    let rows = tx.query(sql, &[&ids]).await.doing(doing)?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// All that is built on one table, in one message: a round trip costs as much as an index on a small table.
async fn build(tx: &Transaction<'_>, entries: Vec<&Entry>) -> Result<(), Fault> {
    let Some(first) = entries.first() else { return Ok(()) };
    let doing = match entries.len() {
        1 => first.creating(),
        more => format!("{} (and {} more)", first.creating(), more - 1),
    };
    let sql: Vec<&str> = entries.iter().map(|entry| entry.sql.as_str()).collect();
    tx.batch_execute(&sql.join("\n;\n")).await.doing(&doing)
}

async fn record(tx: &Transaction<'_>, arrived: &[Arrived], doing: &str) -> Result<(), Fault> {
    let oids: Vec<u32> = arrived.iter().map(|table| table.oid).collect();
    let rows: Vec<i64> = arrived.iter().map(|table| table.rows).collect();
    let bytes: Vec<i64> = arrived.iter().map(|table| table.bytes).collect();
    tx.execute(include_str!("../sql/record_parts.sql"), &[&oids, &rows, &bytes])
        .await
        .doing(doing)?;
    tx.execute(include_str!("../sql/record_tables.sql"), &[&oids, &rows, &bytes])
        .await
        .doing(doing)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Publish, TableIdentity};

    fn small(pages: u32) -> Small {
        let relation = Relation {
            oid: pages,
            schema: "public".into(),
            name: "t".into(),
            pages,
            bytes: 0,
            columns: vec![],
            identity: TableIdentity::Key,
            publish: Publish::All,
            binary: true,
            file: None,
            conflicts: false,
        };
        Small { relation: Arc::new(relation), entries: TableEntries::default() }
    }

    #[test]
    fn batches_are_bounded_by_tables_and_by_pages() {
        let lengths = |pages: Vec<u32>| -> Vec<usize> {
            batches(pages.into_iter().map(small).collect()).iter().map(Vec::len).collect()
        };
        assert!(lengths(vec![]).is_empty());
        assert_eq!(lengths(vec![0; 70]), [32, 32, 6]);
        assert_eq!(lengths(vec![128; 10]), [8, 2]);
        assert_eq!(lengths(vec![SMALL_PAGES, 1, 0]), [3]);
    }
}
