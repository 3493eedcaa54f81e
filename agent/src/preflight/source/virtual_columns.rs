//! Virtual generated columns: once their tables are published, the server refuses to set their expressions.
use serde::Deserialize;

use crate::{
    fault::Fault,
    preflight::{
        ask::ask,
        check::{At, Check, Level, Run, Source},
        finding::{Found, listed},
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "VirtualColumnsValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: true,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Table {
    name: String,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing = format!("looking for virtual generated columns in database {}", source.database);
    let sql = &source.chosen(include_str!("../sql/virtual_columns.sql"));
    let tables: Vec<Table> = ask(source.client, &doing, sql, &[]).await?;
    let names: Vec<String> = tables.into_iter().map(|table| table.name).collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let message = format!(
        "tables have virtual generated columns ({}): while the migration publishes them, the server refuses the \
         application's ALTER COLUMN … SET EXPRESSION of such a column",
        listed(&names)
    );
    Ok(vec![Found::warning("VirtualColumnsPublished", message).object(source.database).remedy(
        "-- set such expressions before the migration begins, or after it has ended; drop and add the column, where one can't wait",
    )])
}
