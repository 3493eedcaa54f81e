//! From a prepared database to a complete base copy.
use tokio_postgres::GenericClient;
use whimbrel_points::point;

use super::{
    again::{Rows, bring_defaults, not_as_here},
    draw::{Drawing, record_snapshot},
    others::Others,
};
use crate::{
    fault::{Doing, Fault},
    postgres::{Client, identifier, qualified},
    target::{
        documents, drop_foreign_keys,
        fact::Fact,
        ledger::Ledger,
        receive::{Receiver, current},
    },
    verify::{large_objects, schema_changed, shape_difference},
    wire::{
        Answer, Ask, Catalog, Relation, ShapeItem, SnapshotKind, SnapshotTaken, unexpected_answer,
    },
};

const BY_DEFAULT: &str = "by default";
const ALWAYS: &str = "always";

/// What a later snapshot has otherwise than the dump.
pub(super) struct Changed {
    /// In words.
    pub(super) difference: String,
    /// Tables that are not as they are here.
    pub(super) tables: Vec<u32>,
}

impl Receiver {
    /// Makes the base copy, or what is missing of it; with what was drawn of an offline migration's source while its database was
    /// made.
    pub(in crate::target) async fn load(
        &self,
        client: &mut Client,
        ledger: Ledger,
        drawn: Option<Drawing>,
    ) -> Result<(), Fault> {
        let state = current(client).await?;
        let begun = state.source_system.is_some();
        // Without a slot yet, or with one that has lost what was needed of it.
        let kind = match (self.spec.online, state.slot_point) {
            (false, _) => SnapshotKind::Offline,
            (true, None) => SnapshotKind::NewSlot,
            (true, Some(_)) => SnapshotKind::Renewed,
        };
        self.progress.operation("taking a snapshot of the source");
        // A new slot takes the place of one of that name: an agent that was asleep must not drop its successor's.
        self.lease.require()?;
        let snapshot = match &drawn {
            Some(drawn) => drawn.snapshot,
            None => self.snapshot_for(client, ledger, kind).await?,
        };
        let (mut changed, mut others) = (None, Others::default());
        if begun {
            check_server(&snapshot, state.source_system)?;
            // A slot that is there has every change since the dump. What a new one has not is taken over below.
            if kind != SnapshotKind::NewSlot {
                changed = self.schema_change(client, ledger).await?;
            }
            if let Some(changed) = changed.as_ref().filter(|_| kind == SnapshotKind::Offline) {
                return Err(schema_changed(&changed.difference).remedy(
                    "undo the change on the source, then `whimbrel migration retry`; or cancel and start a new migration",
                ));
            }
        } else {
            self.progress.operation("reading the schema");
            let drawn = match drawn {
                Some(drawn) => drawn,
                None => self.draw(snapshot, client.server_major()).await?,
            };
            others = self.keep_drawing(client, ledger, drawn).await?;
        }
        let mut catalog = self.catalog(client).await?;
        let plan = self.plan(client, &catalog).await?;
        self.progress.tables(&catalog);
        self.make_schema(client, ledger, &catalog, &plan).await?;
        if begun {
            drop_foreign_keys(client, ledger, &plan).await?;
            if kind == SnapshotKind::NewSlot {
                self.bring_what_was_missed(client, ledger, &plan).await?;
                // Last: a slot that the ledger knows has told of every change since it was made.
                self.record_slot(client, ledger, &snapshot).await?;
                catalog = self.catalog(client).await?;
                self.progress.tables(&catalog);
            }
            if let Some(changed) = &changed {
                self.leave_to_stream(client, ledger, &catalog, &changed.tables).await?;
            }
            self.keep_what_is_same(client, ledger, &catalog, snapshot.point).await?;
        }
        self.progress.operation("copying tables");
        self.fill(client, ledger, &catalog, &plan, snapshot.point, others).await?;
        self.load_extension_rows(client, ledger).await?;
        self.load_large_objects(client, ledger).await?;
        self.caller.ask(Ask::Release).await?;
        let is_behind_stream = begun && kind == SnapshotKind::NewSlot;
        self.finish_load(client, ledger, &plan, is_behind_stream).await?;
        let from = current(client).await?.slot_point;
        point!("stream.recording");
        ledger.begin_stream(client, from).await
    }

    async fn snapshot_for(
        &self,
        client: &mut Client,
        ledger: Ledger,
        kind: SnapshotKind,
    ) -> Result<SnapshotTaken, Fault> {
        let snapshot = match kind {
            SnapshotKind::Renewed => self.renew_snapshot(client, ledger).await?,
            _ => self.take_snapshot(kind).await?,
        };
        point!("snapshot.taken");
        if kind == SnapshotKind::NewSlot {
            self.publish_anew(client, ledger).await?;
        }
        Ok(snapshot)
    }

    async fn load_extension_rows(&self, client: &mut Client, ledger: Ledger) -> Result<(), Fault> {
        self.progress.operation("copying rows of extensions");
        let carried = self.carry_extension_rows(client, ledger).await?;
        if !carried.is_empty() {
            self.tell(Fact::Milestone("ExtensionRowsCopied", carried.join(", "))).await;
        }
        Ok(())
    }

    /// An offline migration's are all of one snapshot; an online one's are compared again in the cutover.
    async fn load_large_objects(&self, client: &mut Client, ledger: Ledger) -> Result<(), Fault> {
        self.progress.operation("copying large objects");
        // What an earlier try has copied offline is of another snapshot.
        let begun = !large_objects(client, 0, u32::MAX, false).await?.is_empty();
        let compared = !self.spec.online && begun;
        let carried = self.carry_large_objects(client, ledger, compared).await?;
        if carried.made > 0 {
            let text = format!("{} large objects, {} bytes", carried.made, carried.bytes);
            self.tell(Fact::Milestone("LargeObjectsCopied", text)).await;
        }
        Ok(())
    }

    /// How the held snapshot's schema differs from what was dumped; not at all where every table and type is there as it is
    /// here, for the changes were carried.
    pub(super) async fn schema_change(
        &self,
        client: &Client,
        ledger: Ledger,
    ) -> Result<Option<Changed>, Fault> {
        let then = self.dumped_shape(client).await?;
        let now = self.shape(true).await?;
        let difference = shape_difference(&then, &now);
        let all: Vec<u32> =
            self.catalog(client).await?.relations.iter().map(|table| table.oid).collect();
        if !self.spec.online {
            return Ok(difference.map(|difference| Changed { difference, tables: all }));
        }
        // Whatever the shapes say: a column that was dropped and made again in its place has the same, and no value of before.
        let tables = not_as_here(self, client, &all).await?;
        if tables.is_empty() {
            if difference.is_some() {
                bring_defaults(self, ledger, client, (&all, Rows::Kept)).await?;
            }
            return Ok(None);
        }
        let difference = difference.unwrap_or_else(|| "a column was made anew".to_owned());
        Ok(Some(Changed { difference, tables }))
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

    /// The source's rights when its schema was dumped; none in a ledger of an older agent.
    pub(crate) async fn dumped_rights(
        &self,
        client: &Client,
    ) -> Result<Option<Vec<String>>, Fault> {
        if documents::get(&**client, "rights").await?.is_empty() {
            return Ok(None);
        }
        documents::get_json(&**client, "rights").await.map(Some)
    }

    /// What was set on the source's database when its schema was dumped, as statements.
    pub(crate) async fn database_settings(&self, client: &Client) -> Result<Vec<String>, Fault> {
        documents::get_json(&**client, "settings").await
    }

    /// Others in their place.
    pub(crate) async fn keep_database_settings(
        &self,
        client: &mut Client,
        ledger: Ledger,
        settings: &[String],
    ) -> Result<(), Fault> {
        let doing = "storing in the ledger what is set on the source's database";
        let tx = client.transaction().await.doing(doing)?;
        documents::put(&tx, "settings", &documents::to_json("settings", &settings)?).await?;
        ledger.commit(tx, doing).await
    }

    async fn record_slot(
        &self,
        client: &mut Client,
        ledger: Ledger,
        snapshot: &SnapshotTaken,
    ) -> Result<(), Fault> {
        let doing = "recording the source's new slot in the ledger";
        let tx = client.transaction().await.doing(doing)?;
        record_snapshot(&tx, snapshot, self.spec.online).await?;
        ledger.commit(tx, doing).await
    }
}

/// What goes on under another snapshot must still be the same server.
pub(in crate::target) fn check_server(
    snapshot: &SnapshotTaken,
    known: Option<u64>,
) -> Result<(), Fault> {
    if known == Some(snapshot.system) {
        return Ok(());
    }
    Err(Fault::hold(
        "SourceIsAnother",
        format!("the source is server {}, the copy was begun from another", snapshot.system),
    )
    .remedy("let the source's address lead to the server that the migration was begun with"))
}

/// An UPDATE may not set a column that is GENERATED ALWAYS AS IDENTITY, so they are BY DEFAULT until the switch.
pub(super) fn identity_by_default(relations: &[Relation]) -> String {
    alter_identity(relations, BY_DEFAULT)
}

/// As [`identity_by_default`], of partitioned tables. An offline migration keeps no forms of them, and updates nothing.
pub(super) async fn partitioned_by_default(
    client: &impl GenericClient,
) -> Result<Vec<String>, Fault> {
    partitioned_identities(client, BY_DEFAULT).await
}

/// An offline migration keeps no forms of sequences, and compares none.
pub(super) async fn identity_types(client: &impl GenericClient) -> Result<Vec<String>, Fault> {
    let rows = client
        .query(include_str!("../sql/identity_types.sql"), &[])
        .await
        .doing("looking at the types of identity columns' sequences")?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// As they were on the source.
pub(crate) async fn identity_always(
    client: &impl GenericClient,
    catalog: &Catalog,
) -> Result<String, Fault> {
    let partitioned = partitioned_identities(client, ALWAYS).await?;
    Ok(alter_identity(&catalog.relations, ALWAYS) + &partitioned.join(";\n"))
}

async fn partitioned_identities(
    client: &impl GenericClient,
    how: &str,
) -> Result<Vec<String>, Fault> {
    let rows = client
        .query(include_str!("../sql/partitioned_identities.sql"), &[&how])
        .await
        .doing("looking for identity columns of partitioned tables")?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

fn alter_identity(relations: &[Relation], how: &str) -> String {
    let mut sql = String::new();
    for relation in relations {
        for column in relation.columns.iter().filter(|column| column.identity_always) {
            sql.push_str(&format!(
                "alter table only {} alter column {} set generated {how};\n",
                qualified(&relation.schema, &relation.name),
                identifier(&column.name)
            ));
        }
    }
    sql
}
