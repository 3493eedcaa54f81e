//! Makes what pg_dump wrote, in its order, and where that order fails in another.
//!
//! pg_dump sorts by the dependencies that the catalog knows, and there are some that it does not know (of a cast upon
//! another one, of what a function's body names). What fails in that order is tried again behind the rest; what fails
//! then too is an error.
//!
//! Each run of entries is committed with the ledger's word of them: a database of many tables needs no room for all of
//! their locks at once, and what is interrupted goes on behind the last run.
use std::collections::HashSet;

use tokio_postgres::{Transaction, types::PgLsn};

use super::{finish::run_entry, start::identity_by_default};
use crate::{
    fault::{Doing, Fault, Policy},
    postgres::{Client, identifier},
    target::{
        documents,
        fact::Fact,
        ledger::Ledger,
        receive::Receiver,
        schema::{Entry, Plan, RESTORE_SETTINGS},
        structure,
    },
    wire::{Answer, Ask, Catalog, Relation, SnapshotTaken, unexpected_answer},
};

/// Entries that go to the server in one message, and are committed together: a round trip costs as much as a small
/// object, and a hundred objects' locks have room in any server.
const RUN_ENTRIES: usize = 100;

/// Bytes of such a message, unless one entry has more.
const RUN_BYTES: usize = 256 << 10;

impl Receiver {
    /// What the source's database is under `snapshot`, written into the ledger. From here on that is what is copied.
    pub(super) async fn draw_schema(
        &self,
        client: &mut Client,
        ledger: Ledger,
        snapshot: SnapshotTaken,
    ) -> Result<(), Fault> {
        self.progress.operation("reading the schema");
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
        self.read_plan(client, &catalog, &dump).await?;
        // As they are now, not at the switch: writes are often stopped by a setting, or by taking a right away.
        let Answer::Statements(settings) = self.caller.ask(Ask::DatabaseSettings).await? else {
            return Err(unexpected_answer());
        };
        let doing = "storing the source's schema in the ledger";
        let tx = client.transaction().await.doing(doing)?;
        documents::put(&tx, "catalog", &documents::to_json("catalog", &catalog)?).await?;
        documents::put(&tx, "shape", &documents::to_json("shape", &shape)?).await?;
        documents::put(&tx, "dump", &dump).await?;
        documents::put(&tx, "settings", &documents::to_json("settings", &settings)?).await?;
        record_snapshot(&tx, &snapshot, self.spec.online).await?;
        structure::save(&tx, &structures).await?;
        ledger.commit(tx, doing).await
    }

    /// Everything before the rows, or what is missing of it.
    pub(super) async fn make_schema(
        &self,
        client: &mut Client,
        ledger: Ledger,
        catalog: &Catalog,
        plan: &Plan,
    ) -> Result<(), Fault> {
        let doing = "looking for what is made of the schema";
        let row = client
            .query_one("select exists (select from whimbrel.relation), array(select dump_id from whimbrel.entry)", &[])
            .await
            .doing(doing)?;
        if row.get(0) {
            return Ok(());
        }
        self.progress.operation("creating the schema");
        let made: HashSet<i32> = row.get::<_, Vec<i32>>(1).into_iter().collect();
        let missing: Vec<&Entry> =
            plan.before.iter().filter(|entry| !made.contains(&entry.dump_id)).collect();
        make_extension_schemas(client, ledger, catalog).await?;
        make(client, ledger, &missing).await?;
        begin_tables(client, ledger, &catalog.relations).await?;
        let text = format!("{} objects, {} tables", plan.before.len(), catalog.relations.len());
        self.tell(Fact::Milestone("SchemaCreated", text)).await;
        Ok(())
    }
}

/// Schemas that are left out, for the extensions in them.
async fn make_extension_schemas(
    client: &mut Client,
    ledger: Ledger,
    catalog: &Catalog,
) -> Result<(), Fault> {
    if catalog.extension_schemas.is_empty() {
        return Ok(());
    }
    let doing = "creating the schemas of extensions on the target";
    let tx = client.transaction().await.doing(doing)?;
    for (name, owner) in &catalog.extension_schemas {
        let (name, owner) = (identifier(name), identifier(owner));
        tx.batch_execute(&format!(
            "create schema if not exists {name}; alter schema {name} owner to {owner}"
        ))
        .await
        .doing(doing)?;
    }
    ledger.commit(tx, doing).await
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

/// The tables are there, and wait for their rows. The ledger says so last: it is how one knows that all is made.
async fn begin_tables(
    client: &mut Client,
    ledger: Ledger,
    relations: &[Relation],
) -> Result<(), Fault> {
    let doing = "preparing the tables for their rows";
    for run in relations.chunks(RUN_ENTRIES) {
        let sql = identity_by_default(run);
        if !sql.is_empty() {
            let tx = client.transaction().await.doing(doing)?;
            tx.batch_execute(&sql).await.doing(doing)?;
            ledger.commit(tx, doing).await?;
        }
    }
    let oids: Vec<u32> = relations.iter().map(|relation| relation.oid).collect();
    let tx = client.transaction().await.doing(doing)?;
    tx.execute("insert into whimbrel.relation (source_oid) select unnest($1::oid[])", &[&oids])
        .await
        .doing(doing)?;
    ledger.commit(tx, doing).await
}

/// Makes the entries: in runs, and what stands in the way of a run behind all others, as long as that makes any more.
///
/// # Errors
/// The first entry's that could not be made, wherever it stood.
async fn make(client: &mut Client, ledger: Ledger, entries: &[&Entry]) -> Result<(), Fault> {
    let mut left = Vec::new();
    for run in runs(entries) {
        match make_run(client, ledger, run).await {
            Err(fault) if may_be_order(&fault) => {
                left.extend(make_each(client, ledger, run).await?);
            }
            made => made?,
        }
    }
    while let Some((_, first)) = left.first() {
        let first = first.clone();
        let entries: Vec<&Entry> = left.iter().map(|(entry, _)| *entry).collect();
        left = make_each(client, ledger, &entries).await?;
        // Each round but the last makes at least one, so there are at most as many rounds as entries.
        if left.len() == entries.len() {
            return Err(first);
        }
    }
    Ok(())
}

/// Whether another order may do what this one could not.
fn may_be_order(fault: &Fault) -> bool {
    fault.policy == Policy::Hold
}

/// All of them in one transaction, in one message.
async fn make_run(client: &mut Client, ledger: Ledger, run: &[&Entry]) -> Result<(), Fault> {
    let [first, ..] = run else { return Ok(()) };
    let doing = format!("{} (and {} more)", first.creating(), run.len() - 1);
    let tx = client.transaction().await.doing(&doing)?;
    let ids: Vec<i32> = run.iter().map(|entry| entry.dump_id).collect();
    tx.execute("insert into whimbrel.entry (dump_id) select unnest($1::int4[])", &[&ids])
        .await
        .doing(&doing)?;
    tx.batch_execute(RESTORE_SETTINGS).await.doing(&doing)?;
    let sql: Vec<&str> = run.iter().map(|entry| entry.sql.as_str()).collect();
    tx.batch_execute(&sql.join("\n;\n")).await.doing(&doing)?;
    ledger.commit(tx, &doing).await
}

/// Each by itself; those that could not be made, and why.
async fn make_each<'a>(
    client: &mut Client,
    ledger: Ledger,
    entries: &[&'a Entry],
) -> Result<Vec<(&'a Entry, Fault)>, Fault> {
    let mut failed = Vec::new();
    for entry in entries {
        match run_entry(client, ledger, entry).await {
            Err(fault) if may_be_order(&fault) => failed.push((*entry, fault)),
            made => made?,
        }
    }
    Ok(failed)
}

/// Entries that are made together, in their order.
fn runs<'r, 'a>(entries: &'r [&'a Entry]) -> Vec<&'r [&'a Entry]> {
    let mut runs = Vec::new();
    let (mut from, mut bytes) = (0, 0);
    for (at, entry) in entries.iter().enumerate() {
        if at > from && (at - from >= RUN_ENTRIES || bytes + entry.sql.len() > RUN_BYTES) {
            runs.push(&entries[from..at]);
            (from, bytes) = (at, 0);
        }
        bytes += entry.sql.len();
    }
    runs.push(&entries[from..]);
    runs
}
