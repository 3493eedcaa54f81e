//! Which tables and parts are still to come, under the snapshot that is held now.
use std::collections::HashMap;

use tokio_postgres::types::PgLsn;
use whimbrel_proto::Lsn;

use super::ranges::{joined, remaining};
use crate::{
    fault::{Doing, Fault},
    postgres::{Client, qualified},
    target::{
        in_runs::RUN,
        ledger::Ledger,
        receive::{Receiver, current, unsigned},
    },
    wire::{Answer, Ask, Catalog, PageRange, Relation, unexpected_answer},
};

/// What is left to do for one table.
#[derive(Debug)]
pub(super) struct TableWork {
    pub(super) relation: Relation,
    /// Its rows are there; only keys, indexes and statistics are not.
    pub(super) copied: bool,
    /// Parts to copy. None of a table that is not `copied`: all are there, and that is still to be recorded.
    pub(super) parts: Vec<Option<PageRange>>,
    /// Some parts of it were here before.
    pub(super) begun: bool,
}

/// `server_version_num` of the oldest server that reads only the pages that a condition on ctid names.
const RANGES_FROM: u32 = 140_000;

/// What the ledger has of a table.
#[derive(Debug, Default)]
pub(super) struct Here {
    copied: bool,
    done: bool,
    /// Not to be built on.
    anew: bool,
    /// Of the snapshot of its rows.
    pub(super) point: Option<Lsn>,
    file: Option<u32>,
    /// Pages that are there.
    pub(super) parts: Vec<PageRange>,
    /// How many parts those are.
    pub(super) count: usize,
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

impl Receiver {
    /// The tables that are not done. One that is half copied goes on where it was, once the rows that have changed since
    /// are as this snapshot has them ([`super::forward`]); where that can't be, it begins anew. In an offline migration
    /// all tables share one snapshot.
    pub(super) async fn pending(
        &self,
        client: &mut Client,
        ledger: Ledger,
        catalog: &Catalog,
        point: Lsn,
    ) -> Result<Vec<TableWork>, Fault> {
        let mut here = here(client).await?;
        if !self.spec.online && here.values().any(|table| !table.done) {
            here.clear();
        }
        let files = self.files_in_snapshot().await?;
        let slot_point = current(client).await?.slot_point;
        let copied = |oid: u32| here.get(&oid).is_some_and(|table| table.copied);
        let (half, mut anew): (Vec<&Relation>, Vec<&Relation>) =
            catalog.relations.iter().filter(|relation| !copied(relation.oid)).partition(
                |relation| {
                    here.get(&relation.oid).is_some_and(|table| {
                        let known = table.point >= slot_point && table.point <= Some(point);
                        let same =
                            table.file.is_some() && table.file == files.get(&relation.oid).copied();
                        let usable = !table.anew && !table.parts.is_empty();
                        self.spec.online && usable && known && same
                    })
                },
            );
        anew.extend(self.bring_forward(client, ledger, &half, &here, point).await?);
        self.empty(client, ledger, &anew, point, &files).await?;
        for relation in &anew {
            here.remove(&relation.oid);
        }
        Ok(self.work_of(catalog, &here))
    }

    fn work_of(&self, catalog: &Catalog, here: &HashMap<u32, Here>) -> Vec<TableWork> {
        let (whole, part) = (catalog.server_version < RANGES_FROM, self.limits.part_pages());
        let none = Here::default();
        let mut work = Vec::new();
        for relation in &catalog.relations {
            let table = here.get(&relation.oid).unwrap_or(&none);
            if table.done {
                continue;
            }
            work.push(TableWork {
                relation: relation.clone(),
                copied: table.copied,
                parts: remaining(relation.pages, part, whole, &table.parts),
                begun: !table.parts.is_empty(),
            });
        }
        work
    }

    async fn files_in_snapshot(&self) -> Result<HashMap<u32, u32>, Fault> {
        match self.caller.ask(Ask::Files { under_snapshot: true }).await? {
            Answer::Files(files) => Ok(files.into_iter().collect()),
            _ => Err(unexpected_answer()),
        }
    }

    /// Empties tables, and records the snapshot that they will be filled from: its point, and their files in it.
    pub(super) async fn empty(
        &self,
        client: &mut Client,
        ledger: Ledger,
        tables: &[&Relation],
        point: Lsn,
        files: &HashMap<u32, u32>,
    ) -> Result<(), Fault> {
        for run in tables.chunks(RUN) {
            self.empty_run(client, ledger, run, point, files).await?;
        }
        Ok(())
    }

    async fn empty_run(
        &self,
        client: &mut Client,
        ledger: Ledger,
        tables: &[&Relation],
        point: Lsn,
        files: &HashMap<u32, u32>,
    ) -> Result<(), Fault> {
        let doing = "emptying the tables that are copied anew";
        let oids: Vec<u32> = tables.iter().map(|relation| relation.oid).collect();
        let files: Vec<Option<u32>> = oids.iter().map(|oid| files.get(oid).copied()).collect();
        let tx = client.transaction().await.doing(doing)?;
        let begun = tx.query(include_str!("../sql/take_parts.sql"), &[&oids]).await.doing(doing)?;
        let begun: Vec<u32> = begun.iter().map(|row| row.get(0)).collect();
        let names: Vec<String> = tables
            .iter()
            .filter(|relation| begun.contains(&relation.oid))
            .map(|relation| format!("only {}", qualified(&relation.schema, &relation.name)))
            .collect();
        if !names.is_empty() {
            // There are no foreign keys while tables are copied.
            tx.batch_execute(&format!("truncate {}", names.join(", "))).await.doing(doing)?;
        }
        tx.execute(
            include_str!("../sql/begin_tables.sql"),
            &[&PgLsn::from(point.0), &oids, &files],
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

/// What the ledger has.
async fn here(client: &Client) -> Result<HashMap<u32, Here>, Fault> {
    let rows = client
        .query(include_str!("../sql/here.sql"), &[])
        .await
        .doing("finding out which tables are still to be copied")?;
    let mut here: HashMap<u32, Here> = HashMap::new();
    for row in &rows {
        let table = here.entry(row.get(0)).or_default();
        (table.copied, table.done, table.anew) = (row.get(1), row.get(2), row.get(9));
        table.point = row.get::<_, Option<PgLsn>>(3).map(|lsn| Lsn(lsn.into()));
        table.file = row.get(4);
        if let Some(from) = row.get::<_, Option<i64>>(5) {
            let page = |page: i64| u32::try_from(page).unwrap_or(u32::MAX);
            let to = row.get::<_, Option<i64>>(6).map(page);
            table.parts.push(PageRange { from: page(from), to });
            table.count += 1;
            table.rows += unsigned(row.get(7));
            table.bytes += unsigned(row.get(8));
        }
    }
    for table in here.values_mut() {
        table.parts = joined(&table.parts);
    }
    Ok(here)
}
