//! Makes what pg_dump wrote, in its order, and where that order fails in another.
//!
//! pg_dump sorts by the dependencies that the catalog knows, and there are some that it does not know (of a cast upon
//! another one, of what a function's body names). What fails in that order is tried again behind the rest; what fails
//! then too is an error.
use std::sync::Arc;

use tokio_postgres::{Transaction, types::PgLsn};

use super::start::identity_by_default;
use crate::{
    fault::{Doing, Fault, Policy},
    postgres::Client,
    target::{
        documents,
        fact::Fact,
        ledger::Ledger,
        receive::Receiver,
        schema::{Entry, Plan, RESTORE_SETTINGS},
        structure,
    },
    wire::{Answer, Ask, Catalog, SnapshotTaken, Structure, unexpected_answer},
};

/// What the source's database is, under one snapshot.
struct Blueprint {
    snapshot: SnapshotTaken,
    online: bool,
    catalog: Catalog,
    structures: Vec<Structure>,
    plan: Arc<Plan>,
    /// For the ledger.
    documents: Vec<(&'static str, Vec<u8>)>,
}

impl Receiver {
    /// Everything before the rows, in one transaction with the snapshot's point: it is all there, or nothing is.
    pub(super) async fn make_schema(
        &self,
        client: &mut Client,
        ledger: Ledger,
        snapshot: SnapshotTaken,
    ) -> Result<(), Fault> {
        self.progress.operation("creating the schema");
        let blueprint = self.draw(client, snapshot).await?;
        match blueprint.make(client, ledger, Way::InOrder).await {
            Err(fault) if may_be_order(&fault) => {
                blueprint.make(client, ledger, Way::Again).await?;
            }
            made => made?,
        }
        let (objects, tables) = (blueprint.plan.before.len(), blueprint.catalog.relations.len());
        let text = format!("{objects} objects, {tables} tables");
        self.tell(Fact::Milestone("SchemaCreated", text)).await;
        Ok(())
    }

    async fn draw(&self, client: &Client, snapshot: SnapshotTaken) -> Result<Blueprint, Fault> {
        let Answer::Catalog(catalog) = self.caller.ask(Ask::Catalog).await? else {
            return Err(unexpected_answer());
        };
        let shape = self.shape(true).await?;
        let structures = if self.spec.online {
            structure::fetch(&self.caller, Vec::new(), true).await?
        } else {
            Vec::new()
        };
        let dump = self.fetch_dump(client.server_major()).await?;
        let plan = self.read_plan(client, &catalog, &dump).await?;
        // As they are now, not at the switch: writes are often stopped by a setting, or by taking a right away.
        let Answer::Statements(settings) = self.caller.ask(Ask::DatabaseSettings).await? else {
            return Err(unexpected_answer());
        };
        let documents = vec![
            ("catalog", documents::to_json("catalog", &catalog)?),
            ("shape", documents::to_json("shape", &shape)?),
            ("dump", dump),
            ("settings", documents::to_json("settings", &settings)?),
        ];
        Ok(Blueprint { snapshot, online: self.spec.online, catalog, structures, plan, documents })
    }
}

impl Blueprint {
    async fn make(&self, client: &mut Client, ledger: Ledger, way: Way) -> Result<(), Fault> {
        let doing = "creating the schema on the target";
        let mut tx = client.transaction().await.doing(doing)?;
        for (kind, document) in &self.documents {
            documents::put(&tx, kind, document).await?;
        }
        record_snapshot(&tx, &self.snapshot, self.online).await?;
        structure::save(&tx, &self.structures).await?;
        make(&mut tx, &self.plan.before, way).await?;
        tx.batch_execute(&identity_by_default(&self.catalog)).await.doing(doing)?;
        let oids: Vec<u32> = self.catalog.relations.iter().map(|relation| relation.oid).collect();
        tx.execute("insert into whimbrel.relation (source_oid) select unnest($1::oid[])", &[&oids])
            .await
            .doing(doing)?;
        ledger.commit(tx, doing).await
    }
}

/// The server that positions are of from here on, and the slot's point.
pub(super) async fn record_snapshot(
    tx: &Transaction<'_>,
    snapshot: &SnapshotTaken,
    online: bool,
) -> Result<(), Fault> {
    let slot_point = online.then_some(PgLsn::from(snapshot.point.0));
    let timeline = i32::try_from(snapshot.timeline).ok().filter(|_| online);
    tx.execute(
        "update whimbrel.ledger set source_system = $1::text::numeric, slot_point = $2, timeline = $3",
        &[&snapshot.system.to_string(), &slot_point, &timeline],
    )
    .await
    .doing("recording the source's snapshot in the ledger")?;
    Ok(())
}

/// How an entry is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// In the dump's order: the first that fails ends it.
    InOrder,
    /// Each in a subtransaction: what fails comes again behind the rest, as long as that makes any more of them.
    Again,
}

/// Whether the other way may do what this one could not.
fn may_be_order(fault: &Fault) -> bool {
    fault.policy == Policy::Hold
}

/// Makes the entries, in the transaction of `tx`.
///
/// # Errors
/// The first entry's that could not be made, whichever way.
async fn make(tx: &mut Transaction<'_>, entries: &[Entry], way: Way) -> Result<(), Fault> {
    tx.batch_execute(RESTORE_SETTINGS).await.doing("creating the schema on the target")?;
    match way {
        Way::InOrder => {
            for entry in entries {
                tx.batch_execute(&entry.sql).await.doing(entry.creating())?;
            }
            Ok(())
        }
        Way::Again => make_again(tx, entries).await,
    }
}

async fn make_again(tx: &mut Transaction<'_>, entries: &[Entry]) -> Result<(), Fault> {
    let mut left: Vec<&Entry> = entries.iter().collect();
    loop {
        let mut first = None;
        let mut failed = Vec::new();
        for entry in &left {
            match try_one(tx, entry).await {
                Ok(()) => {}
                Err(fault) if may_be_order(&fault) => {
                    first.get_or_insert(fault);
                    failed.push(*entry);
                }
                Err(fault) => return Err(fault),
            }
        }
        // Each round but the last makes at least one, so there are at most as many rounds as entries.
        match first {
            None => return Ok(()),
            Some(fault) if failed.len() == left.len() => return Err(fault),
            Some(_) => left = failed,
        }
    }
}

async fn try_one(tx: &mut Transaction<'_>, entry: &Entry) -> Result<(), Fault> {
    let doing = entry.creating();
    let one = tx.transaction().await.doing(&doing)?;
    match one.batch_execute(&entry.sql).await {
        Ok(()) => one.commit().await.doing(&doing),
        Err(error) => {
            one.rollback().await.doing(&doing)?;
            Err(Fault::sql(&doing, &error))
        }
    }
}
