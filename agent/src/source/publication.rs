//! The publications: leaf tables by name, never FOR ALL TABLES (law 5: a publication of updates makes the application's
//! UPDATE of a table without a replica identity fail).
use tokio_postgres::types::ToSql;

use super::{
    catalog::{parse, read},
    sender::{Sender, SenderSpec},
};
use crate::{
    fault::{Doing, Fault},
    postgres::{Client, identifier, qualified},
    wire::{Publish, Published, Relation},
};

const PUBLICATIONS: &str =
    "select coalesce(string_agg(format('%s %s %s', pubname, oid, xmin), ', ' order by pubname), '')
    from pg_publication where pubname in ($1::text, $2::text)";

const MEMBERS: &str = "select r.prrelid, string_agg(r.oid::text, ' ' order by r.oid)
    from pg_publication_rel r join pg_publication p on p.oid = r.prpubid
    where p.pubname in ($1::text, $2::text) group by r.prrelid";

/// CREATE PUBLICATION takes a lock that vacuum and ALTER TABLE also want; it gives up rather than queue in front of the
/// application, and the task tries again.
pub(super) const LOCK_TIMEOUT: &str = "set lock_timeout = '5s'";

impl Sender {
    /// Makes both publications anew, of the tables that are there now. Before the slot, so that the slot's history has
    /// them from its start.
    pub(super) async fn make_publications(&self) -> Result<(), Fault> {
        let doing = "reading which tables to publish";
        let mut client = self.session("publication").await?;
        let rows = client.query(&*client.sql(&self.published_sql()), &[]).await.doing(doing)?;
        let relations: Vec<Relation> =
            rows.iter().map(|row| parse(read(row, 0, doing)?)).collect::<Result<_, _>>()?;
        let objects = &self.spec.objects;
        let version = client.server_version_num();
        let tx = client.transaction().await.doing("making the publications")?;
        tx.batch_execute(LOCK_TIMEOUT).await.doing("making the publications")?;
        // 10 publishes no truncate: what is truncated there has another file at the cutover, and is compared.
        let truncate = if version >= 110_000 { ", truncate" } else { "" };
        for (name, wanted, publish) in [
            (&objects.publication, Publish::All, "insert, update, delete"),
            (&objects.keyless_publication, Publish::InsertTruncate, "insert"),
        ] {
            let tables: Vec<String> = relations
                .iter()
                .filter(|relation| relation.publish == wanted)
                .map(|relation| format!("only {}", qualified(&relation.schema, &relation.name)))
                .collect();
            let of = if tables.is_empty() {
                String::new()
            } else {
                format!(" for table {}", tables.join(", "))
            };
            let name = identifier(name);
            tx.batch_execute(&format!(
                "drop publication if exists {name}; create publication {name}{of} with (publish = '{publish}{truncate}')"
            ))
            .await
            .doing(format!("making publication {name}"))
            .map_err(Fault::again_if_gone)?;
        }
        tx.commit().await.doing("making the publications")
    }
}

impl Sender {
    /// What is published, by what tells whether somebody has been at it.
    pub(super) async fn published(&self) -> Result<Published, Fault> {
        let doing = "looking at our publications on the source";
        let objects = &self.spec.objects;
        let names: [&(dyn ToSql + Sync); 2] = [&objects.publication, &objects.keyless_publication];
        let client = self.control().await?;
        let row = client.query_one(PUBLICATIONS, &names).await.doing(doing)?;
        let rows = client.query(MEMBERS, &names).await.doing(doing)?;
        let tables = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        Ok(Published { publications: row.get(0), tables })
    }
}

/// Refuses when a table's changes would not come: it was made between the publications and the snapshot, or somebody
/// altered a publication. Its rows would be copied, and silently stay as they were then.
pub(super) async fn check_published(client: &Client, spec: &SenderSpec) -> Result<(), Fault> {
    let objects = &spec.objects;
    let sql = spec.selected.sql(include_str!("sql/unpublished.sql"));
    let rows = client
        .query(&*client.sql(&sql), &[&objects.publication, &objects.keyless_publication])
        .await
        .doing("looking for tables that are not published")?;
    let names: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(Fault::retry(
        "TableNotPublished",
        format!("changes of these tables are not in the change stream: {}", names.join(", ")),
    )
    .remedy("before the base copy the publications are made again; in a cutover: find out who takes tables out of our publications, and order it again, which copies them again"))
}

/// Takes both publications away.
pub(super) async fn drop_publications(client: &Client, names: [&str; 2]) -> Result<(), Fault> {
    // Before 10 there are none, nor the statement.
    if client.server_version_num() < 100_000 {
        return Ok(());
    }
    for name in names.map(identifier) {
        client
            .batch_execute(&format!("drop publication if exists {name}"))
            .await
            .doing(format!("dropping publication {name}"))?;
    }
    Ok(())
}
