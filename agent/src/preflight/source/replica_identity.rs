//! Can the change stream say which row was updated or deleted?
use serde::Deserialize;

use crate::{
    fault::Fault,
    postgres::{identifier, qualified},
    preflight::{
        ask::ask,
        check::{At, Check, Level, Run, Source},
        finding::Found,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "ReplicaIdentityValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: true,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Table {
    schema: String,
    name: String,
    /// The partitioned table that it is a partition of.
    root: Option<String>,
    /// It has a primary key that could be the identity.
    primary_key: bool,
    /// A unique index that could be.
    index: Option<String>,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing = format!("asking for replica identities in database {}", source.database);
    let tables: Vec<Table> =
        ask(source.client, &doing, &source.chosen(include_str!("../sql/keyless_tables.sql")), &[])
            .await?;
    Ok(tables.iter().map(finding).collect())
}

fn finding(table: &Table) -> Found {
    let label = format!("{}.{}", table.schema, table.name);
    let part = match &table.root {
        Some(root) => format!(" (a partition of {root}, whose own identity does not count for it)"),
        None => String::new(),
    };
    let message = format!(
        "{label}{part} has no usable replica identity: its inserts flow; updates and deletes are found by comparison at the \
         cutover, and the table is then copied again"
    );
    let alter = format!("alter table {} replica identity", qualified(&table.schema, &table.name));
    let remedy = match &table.index {
        _ if table.primary_key => format!("{alter} default;"),
        Some(index) => format!("{alter} using index {};", identifier(index)),
        None => format!("{alter} full; -- or give it a primary key"),
    };
    Found::warning("TableWithoutReplicaIdentity", message).object(label).remedy(remedy)
}
