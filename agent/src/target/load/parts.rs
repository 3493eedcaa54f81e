//! How tables are cut into parts, and which of them are still to come.
use std::collections::HashSet;

use tokio_postgres::types::PgLsn;
use whimbrel_proto::Lsn;

use crate::{
    fault::{Doing, Fault},
    postgres::{Client, qualified},
    target::{ledger::Ledger, receive::Receiver},
    wire::{Catalog, PageRange, Relation},
};

/// Pages of a part: 128 MB. A crash costs at most the parts in flight, and eight workers find enough of them in a
/// table of 1 GB.
const PART_PAGES: u32 = 16_384;

/// What is left to do for one table.
#[derive(Debug)]
pub(super) struct TableWork {
    pub(super) relation: Relation,
    /// Its rows are there; only keys, indexes and statistics are not.
    pub(super) copied: bool,
    /// It must not be cut: the source would read all of it for each part.
    pub(super) whole: bool,
}

/// `server_version_num` of the oldest server that reads only the pages that a condition on ctid names.
const RANGES_FROM: u32 = 140_000;

/// The ranges of a table's parts; one open part for a table that is hardly larger than one, or must not be cut.
pub(super) fn ranges(pages: u32, whole: bool) -> Vec<Option<PageRange>> {
    if whole || pages < PART_PAGES + PART_PAGES / 2 {
        return vec![None];
    }
    let count = pages.div_ceil(PART_PAGES);
    (0..count)
        .map(|part| {
            // Pages that the table has grown since are the last part's.
            let to = (part + 1 < count).then(|| (part + 1) * PART_PAGES);
            Some(PageRange { from: part * PART_PAGES, to })
        })
        .collect()
}

impl Receiver {
    /// The tables that are not done. Those that are not wholly copied begin anew, under this snapshot: parts of one
    /// table share one snapshot. In an offline migration all tables do.
    pub(super) async fn pending(
        &self,
        client: &mut Client,
        ledger: Ledger,
        catalog: &Catalog,
        point: Lsn,
    ) -> Result<Vec<TableWork>, Fault> {
        let doing = "finding out which tables are still to be copied";
        let rows = client
            .query("select source_oid, copied, done from whimbrel.relation", &[])
            .await
            .doing(doing)?;
        let mut copied: HashSet<u32> =
            rows.iter().filter(|row| row.get(1)).map(|row| row.get(0)).collect();
        let mut done: HashSet<u32> =
            rows.iter().filter(|row| row.get(2)).map(|row| row.get(0)).collect();
        if !self.spec.online && done.len() < rows.len() {
            copied.clear();
            done.clear();
        }
        let anew: Vec<&Relation> =
            catalog.relations.iter().filter(|relation| !copied.contains(&relation.oid)).collect();
        self.empty(client, ledger, &anew, point).await?;
        Ok(catalog
            .relations
            .iter()
            .filter(|relation| !done.contains(&relation.oid))
            .map(|relation| TableWork {
                relation: relation.clone(),
                copied: copied.contains(&relation.oid),
                whole: catalog.server_version < RANGES_FROM,
            })
            .collect())
    }

    /// Empties tables, and records the point of the snapshot that they will be filled from.
    async fn empty(
        &self,
        client: &mut Client,
        ledger: Ledger,
        tables: &[&Relation],
        point: Lsn,
    ) -> Result<(), Fault> {
        if tables.is_empty() {
            return Ok(());
        }
        let doing = "emptying the tables that are copied anew";
        let oids: Vec<u32> = tables.iter().map(|relation| relation.oid).collect();
        let tx = client.transaction().await.doing(doing)?;
        let begun = tx
            .query(
                "select distinct source_oid from whimbrel.part where source_oid = any($1)",
                &[&oids],
            )
            .await
            .doing(doing)?;
        let begun: HashSet<u32> = begun.iter().map(|row| row.get(0)).collect();
        let names: Vec<String> = tables
            .iter()
            .filter(|relation| begun.contains(&relation.oid))
            .map(|relation| format!("only {}", qualified(&relation.schema, &relation.name)))
            .collect();
        if !names.is_empty() {
            // All in one statement: foreign keys among them do not mind then.
            tx.batch_execute(&format!("truncate {}", names.join(", "))).await.doing(doing)?;
            tx.execute("delete from whimbrel.part where source_oid = any($1)", &[&oids])
                .await
                .doing(doing)?;
        }
        tx.execute(
            "update whimbrel.relation set point = $1, copied = false, done = false, rows = 0, bytes = 0 \
             where source_oid = any($2)",
            &[&PgLsn::from(point.0), &oids],
        )
        .await
        .doing(doing)?;
        ledger.commit(tx, doing).await?;
        for oid in oids {
            self.progress.table_restarted(oid);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_every_page_once_and_the_last_is_open() {
        assert_eq!(ranges(0, false), [None]);
        assert_eq!(ranges(PART_PAGES * 9, true), [None]);
        assert_eq!(ranges(PART_PAGES, false), [None]);
        for pages in [PART_PAGES * 2, PART_PAGES * 2 + 1, PART_PAGES * 7 - 1, u32::MAX] {
            let ranges: Vec<PageRange> = ranges(pages, false).into_iter().flatten().collect();
            assert_eq!(ranges[0].from, 0);
            assert!(ranges.windows(2).all(|pair| pair[0].to == Some(pair[1].from)));
            assert_eq!(ranges.last().and_then(|range| range.to), None);
        }
    }
}
