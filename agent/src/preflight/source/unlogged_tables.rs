//! Tables whose changes are not in the WAL, so in no change stream.
use serde::Deserialize;

use crate::{
    fault::Fault,
    postgres::qualified,
    preflight::{
        ask::ask,
        check::{At, Check, Level, Run, Source},
        finding::Found,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "UnloggedTablesValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: true,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Table {
    schema: String,
    name: String,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing = format!("asking for unlogged tables in database {}", source.database);
    let tables: Vec<Table> =
        ask(source.client, &doing, &source.chosen(include_str!("../sql/unlogged_tables.sql")), &[])
            .await?;
    Ok(tables.iter().map(finding).collect())
}

fn finding(table: &Table) -> Found {
    let label = format!("{}.{}", table.schema, table.name);
    let message = format!(
        "{label} is unlogged: its changes are found by comparison at the cutover, and the table is then copied again"
    );
    let quoted = qualified(&table.schema, &table.name);
    Found::warning("TableUnlogged", message).object(label).remedy(format!(
        "alter table {quoted} set logged; -- rewrites the table under an exclusive lock"
    ))
}
