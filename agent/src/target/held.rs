//! Tables that are left out of the stream, and what waits until all tables are of one moment.
use tokio_postgres::types::PgLsn;
use whimbrel_proto::Lsn;

use super::{
    ddl::relation_of,
    fact::Fact,
    foreign_keys::{Unmade, still_there},
    receive::{Copied, Receiver},
    structure,
};
use crate::{
    fault::{Doing, Fault},
    postgres::Client,
    wire::{Catalog, Structure},
};

impl Receiver {
    /// When one table alone is at fault it is left out from here on: its changes are dropped until it is copied again.
    pub(super) async fn hold_table_or_all(
        &self,
        copied: &Copied,
        fault: Fault,
    ) -> Result<(), Fault> {
        let Some(table) = fault.table.clone() else { return Err(fault) };
        let doing = format!("recording in the ledger that {table} is held");
        let mut client = self.session("hold").await?;
        let Some(oid) = self.blamed(&client, &table).await? else { return Err(fault) };
        let tx = client.transaction().await.doing(&doing)?;
        let held = tx
            .execute(
                "update whimbrel.relation set held = $1 where source_oid = $2 and held is null",
                &[&&*fault.code, &oid],
            )
            .await
            .doing(&doing)?;
        // Without its changes it can't be at fault once more: the stream would stand at the same change for ever.
        if held == 0 {
            return Err(fault);
        }
        copied.ledger.commit(tx, &doing).await?;
        self.progress.table_held(oid, &fault.to_string());
        self.tell(Fact::TableHeld { table, fault }).await;
        Ok(())
    }

    /// The table that a change's fault names: as the ledger knows it, or as the source does, where its new name came in the group that
    /// the fault has undone.
    pub(super) async fn blamed(&self, client: &Client, table: &str) -> Result<Option<u32>, Fault> {
        let catalog = self.catalog(client).await?;
        if let Some(oid) = oid_of(&catalog, table) {
            return Ok(Some(oid));
        }
        let now = structure::fetch(&self.caller, Vec::new(), false).await?;
        let named = now.iter().find_map(|form| match form {
            Structure::Relation(of) => relation_of(of).filter(|it| it.label() == table),
            _ => None,
        });
        Ok(named.map(|table| table.oid))
    }

    /// Foreign keys that could not be built under snapshots of different moments: once the stream is past all points.
    /// Gives the position that is still to be passed, if something waits for it.
    pub(super) async fn build_what_waited(
        &self,
        copied: &Copied,
        from: Lsn,
    ) -> Result<Option<Lsn>, Fault> {
        let doing = "looking for foreign keys that are still to be made";
        let mut client = self.session("finish").await?;
        let row = client.query_one(include_str!("sql/waiting.sql"), &[]).await.doing(doing)?;
        let (made, point, held): (Vec<i32>, Option<PgLsn>, bool) =
            (row.get(0), row.get(1), row.get(2));
        let keys = still_there(&client, &copied.plan.foreign_keys).await?;
        let point = Lsn(point.map_or(0, Into::into));
        // A table that is held has not the rows that others refer to. Once the schema was dumped again, keys come with the
        // cutover, from what the source has then.
        if held
            || self.has_changed(&client).await?
            || keys.iter().all(|entry| made.contains(&entry.dump_id))
        {
            return Ok(None);
        }
        if from < point {
            return Ok(Some(point));
        }
        self.progress.operation("building foreign keys");
        self.make_foreign_keys(&mut client, copied.ledger, &keys, Unmade::Waits).await?;
        self.progress.operation("applying changes");
        Ok(None)
    }
}

fn oid_of(catalog: &Catalog, table: &str) -> Option<u32> {
    catalog.relations.iter().find(|known| known.label() == table).map(|known| known.oid)
}

/// Tables that are held, by name.
///
/// # Errors
/// The server's.
pub(crate) async fn held_tables(client: &Client, catalog: &Catalog) -> Result<Vec<String>, Fault> {
    let rows = client
        .query("select source_oid from whimbrel.relation where held is not null", &[])
        .await
        .doing("looking for tables that are held")?;
    let held: Vec<u32> = rows.iter().map(|row| row.get(0)).collect();
    let names = catalog.relations.iter().filter(|relation| held.contains(&relation.oid));
    Ok(names.map(crate::wire::Relation::label).collect())
}
