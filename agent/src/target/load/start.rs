//! From a prepared database to a complete base copy.
use tokio_postgres::{Transaction, types::PgLsn};

use crate::{
    fault::{Doing, Fault},
    postgres::{Client, identifier, qualified},
    target::{
        documents,
        fact::Fact,
        ledger::Ledger,
        receive::{Receiver, current},
        schema::{Plan, RESTORE_SETTINGS},
    },
    wire::{Answer, Ask, Catalog, ShapeItem, SnapshotKind, SnapshotTaken, unexpected_answer},
};

impl Receiver {
    /// Makes the base copy, or what is missing of it.
    pub(in crate::target) async fn load(
        &self,
        client: &mut Client,
        ledger: Ledger,
    ) -> Result<(), Fault> {
        let state = current(client).await?;
        let begun = state.source_system.is_some();
        let kind = match (self.spec.online, begun) {
            (false, _) => SnapshotKind::Offline,
            (true, false) => SnapshotKind::NewSlot,
            (true, true) => SnapshotKind::Renewed,
        };
        self.progress.operation("taking a snapshot of the source");
        // A new slot takes the place of one of that name: an agent that was asleep must not drop its successor's.
        self.lease.require()?;
        let snapshot = self.take_snapshot(kind).await?;
        if begun {
            self.check_source(&snapshot, state.source_system, client).await?;
        } else {
            self.make_schema(client, ledger, &snapshot).await?;
        }
        let catalog = self.catalog(client).await?;
        let plan = self.plan(client, &catalog).await?;
        self.progress.tables(&catalog);
        self.progress.operation("copying tables");
        self.fill(client, ledger, &catalog, &plan, snapshot.point).await?;
        self.caller.ask(Ask::Release).await?;
        self.finish_load(client, ledger, &plan).await?;
        let from = current(client).await?.slot_point;
        ledger.begin_stream(client, from).await
    }

    pub(crate) async fn take_snapshot(&self, kind: SnapshotKind) -> Result<SnapshotTaken, Fault> {
        match self.caller.ask(Ask::Snapshot(kind)).await? {
            Answer::Snapshot(taken) => Ok(taken),
            _ => Err(unexpected_answer()),
        }
    }

    /// What goes on under another snapshot must still be the same server with the same schema.
    async fn check_source(
        &self,
        snapshot: &SnapshotTaken,
        known: Option<u64>,
        client: &Client,
    ) -> Result<(), Fault> {
        if known != Some(snapshot.system) {
            return Err(Fault::hold(
                "SourceIsAnother",
                format!(
                    "the source is server {}, the copy was begun from another",
                    snapshot.system
                ),
            )
            .remedy(
                "let the source's address lead to the server that the migration was begun with",
            ));
        }
        let then = self.dumped_shape(client).await?;
        let now = self.shape(true).await?;
        match crate::verify::shape_difference(&then, &now) {
            None => Ok(()),
            Some(difference) => Err(crate::verify::schema_changed(&difference)),
        }
    }

    pub(crate) async fn shape(&self, under_snapshot: bool) -> Result<Vec<ShapeItem>, Fault> {
        match self.caller.ask(Ask::Shape { under_snapshot }).await? {
            Answer::Shape(items) => Ok(items),
            _ => Err(unexpected_answer()),
        }
    }

    /// The source's shape when its schema was dumped.
    pub(crate) async fn dumped_shape(&self, client: &Client) -> Result<Vec<ShapeItem>, Fault> {
        documents::get_json(&**client, "shape").await
    }

    /// What was set on the source's database when its schema was dumped, as statements.
    pub(crate) async fn database_settings(&self, client: &Client) -> Result<Vec<String>, Fault> {
        documents::get_json(&**client, "settings").await
    }

    /// Everything before the rows, in one transaction with the snapshot's point: it is all there, or nothing is.
    async fn make_schema(
        &self,
        client: &mut Client,
        ledger: Ledger,
        snapshot: &SnapshotTaken,
    ) -> Result<(), Fault> {
        self.progress.operation("creating the schema");
        let Answer::Catalog(catalog) = self.caller.ask(Ask::Catalog).await? else {
            return Err(unexpected_answer());
        };
        let shape = self.shape(true).await?;
        let dump = self.fetch_dump(client.server_major()).await?;
        let plan = self.read_plan(client, &catalog, &dump).await?;
        // As they are now, not at the switch: writes are often stopped by a setting, or by taking a right away.
        let Answer::Statements(settings) = self.caller.ask(Ask::DatabaseSettings).await? else {
            return Err(unexpected_answer());
        };
        let doing = "creating the schema on the target";
        let tx = client.transaction().await.doing(doing)?;
        documents::put(&tx, "catalog", &documents::to_json("catalog", &catalog)?).await?;
        documents::put(&tx, "shape", &documents::to_json("shape", &shape)?).await?;
        documents::put(&tx, "dump", &dump).await?;
        documents::put(&tx, "settings", &documents::to_json("settings", &settings)?).await?;
        self.record_snapshot(&tx, snapshot).await?;
        create_objects(&tx, &plan, &catalog).await?;
        ledger.commit(tx, doing).await?;
        let text = format!("{} objects, {} tables", plan.before.len(), catalog.relations.len());
        self.tell(Fact::Milestone("SchemaCreated", text)).await;
        Ok(())
    }

    async fn record_snapshot(
        &self,
        tx: &Transaction<'_>,
        snapshot: &SnapshotTaken,
    ) -> Result<(), Fault> {
        let slot_point = self.spec.online.then_some(PgLsn::from(snapshot.point.0));
        tx.execute(
            "update whimbrel.ledger set source_system = $1::text::numeric, slot_point = $2",
            &[&snapshot.system.to_string(), &slot_point],
        )
        .await
        .doing("recording the source's snapshot in the ledger")?;
        Ok(())
    }
}

async fn create_objects(tx: &Transaction<'_>, plan: &Plan, catalog: &Catalog) -> Result<(), Fault> {
    let doing = "creating the schema on the target";
    tx.batch_execute(RESTORE_SETTINGS).await.doing(doing)?;
    for entry in &plan.before {
        tx.batch_execute(&entry.sql).await.doing(format!(
            "creating {} {}",
            entry.kind.to_lowercase(),
            entry.tag
        ))?;
    }
    tx.batch_execute(&identity_by_default(catalog)).await.doing(doing)?;
    let oids: Vec<u32> = catalog.relations.iter().map(|relation| relation.oid).collect();
    tx.execute("insert into whimbrel.relation (source_oid) select unnest($1::oid[])", &[&oids])
        .await
        .doing(doing)?;
    Ok(())
}

/// An UPDATE may not set a column that is GENERATED ALWAYS AS IDENTITY, so they are BY DEFAULT until the switch.
fn identity_by_default(catalog: &Catalog) -> String {
    alter_identity(catalog, "set generated by default")
}

/// As they were on the source.
pub(crate) fn identity_always(catalog: &Catalog) -> String {
    alter_identity(catalog, "set generated always")
}

fn alter_identity(catalog: &Catalog, how: &str) -> String {
    let mut sql = String::new();
    for relation in &catalog.relations {
        for column in relation.columns.iter().filter(|column| column.identity_always) {
            sql.push_str(&format!(
                "alter table only {} alter column {} {how};\n",
                qualified(&relation.schema, &relation.name),
                identifier(&column.name)
            ));
        }
    }
    sql
}
