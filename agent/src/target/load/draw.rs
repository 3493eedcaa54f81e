//! What the source's database is under a snapshot, read and written into the ledger.
use tokio_postgres::{Transaction, types::PgLsn};

use super::others::Others;
use crate::{
    fault::{Doing, Fault},
    postgres::{Client, MAINTENANCE_DATABASE, connect},
    target::{documents, ledger::Ledger, receive::Receiver, schema::Plan, structure},
    wire::{
        Answer, Ask, Catalog, ShapeItem, SnapshotKind, SnapshotTaken, Structure, unexpected_answer,
    },
};

/// The source's database under a snapshot, and how busy the source is.
pub(in crate::target) struct Drawing {
    pub(super) snapshot: SnapshotTaken,
    catalog: Catalog,
    plan: Plan,
    shape: Vec<ShapeItem>,
    rights: Vec<String>,
    structures: Vec<Structure>,
    /// pg_dump's archive.
    dump: Vec<u8>,
    /// Of the database, as statements.
    settings: Vec<String>,
    pub(super) others: Others,
}

impl Receiver {
    /// Before there is a database to keep it in: an offline migration's snapshot binds nothing on the source, so that it is taken,
    /// and the schema read, while the database is made.
    pub(in crate::target) async fn draw_ahead(&self) -> Result<Drawing, Fault> {
        let target = connect(&self.spec.endpoint, MAINTENANCE_DATABASE, "prepare").await?;
        let target_major = target.server_major();
        drop(target);
        let snapshot = self.take_snapshot(SnapshotKind::Offline).await?;
        self.draw(snapshot, target_major).await
    }

    /// Reads it under `snapshot`, which is held.
    pub(super) async fn draw(
        &self,
        snapshot: SnapshotTaken,
        target_major: u32,
    ) -> Result<Drawing, Fault> {
        // Beside each other: each is a query of the source's catalogs that takes a second where there are thousands of tables.
        // The settings are those of now, not of the switch: writes are often stopped by one, or by taking a right away.
        let reading = async {
            tokio::try_join!(
                self.fetch_catalog(),
                self.shape(true),
                self.fetch_rights(),
                self.fetch_structures(),
                self.fetch_dump(target_major),
                self.fetch_settings(),
            )
        };
        let (read, others) = tokio::join!(reading, self.first_look_at_others());
        let (catalog, shape, rights, structures, dump, settings) = read?;
        let plan = self.read_dump(target_major, &catalog, &dump).await?;
        Ok(Drawing { snapshot, catalog, plan, shape, rights, structures, dump, settings, others })
    }

    /// Writes it into the ledger; how busy the source was. From here on that is what is copied.
    pub(super) async fn keep_drawing(
        &self,
        client: &mut Client,
        ledger: Ledger,
        drawing: Drawing,
    ) -> Result<Others, Fault> {
        let Drawing { snapshot, catalog, plan, shape, rights, structures, dump, settings, others } =
            drawing;
        let doing = "storing the source's schema in the ledger";
        let tx = client.transaction().await.doing(doing)?;
        documents::put(&tx, "catalog", &documents::to_json("catalog", &catalog)?).await?;
        documents::put(&tx, "shape", &documents::to_json("shape", &shape)?).await?;
        documents::put(&tx, "rights", &documents::to_json("rights", &rights)?).await?;
        documents::put(&tx, "dump", &dump).await?;
        documents::put(&tx, "settings", &documents::to_json("settings", &settings)?).await?;
        record_snapshot(&tx, &snapshot, self.spec.online).await?;
        structure::save(&tx, &structures).await?;
        ledger.commit(tx, doing).await?;
        self.keep_plan(plan);
        Ok(others)
    }

    /// The source's, under the snapshot that is held.
    pub(in crate::target) async fn fetch_catalog(&self) -> Result<Catalog, Fault> {
        match self.caller.ask(Ask::Catalog).await? {
            Answer::Catalog(catalog) => Ok(catalog),
            _ => Err(unexpected_answer()),
        }
    }

    /// What tells a right that the source takes away later from one that a person grants here.
    async fn fetch_rights(&self) -> Result<Vec<String>, Fault> {
        match self.caller.ask(Ask::Rights { under_snapshot: true }).await? {
            Answer::Statements(rights) => Ok(rights),
            _ => Err(unexpected_answer()),
        }
    }

    async fn fetch_settings(&self) -> Result<Vec<String>, Fault> {
        match self.caller.ask(Ask::DatabaseSettings).await? {
            Answer::Statements(settings) => Ok(settings),
            _ => Err(unexpected_answer()),
        }
    }

    /// What the stream's tidings of changed objects are compared with.
    async fn fetch_structures(&self) -> Result<Vec<Structure>, Fault> {
        if !self.spec.online {
            return Ok(Vec::new());
        }
        structure::fetch(&self.caller, Vec::new(), true).await
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
