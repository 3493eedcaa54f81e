//! Will the columns of inheriting tables be in another order on the target? pg_dump has no way to keep it.
use serde::Deserialize;

use crate::{
    fault::Fault,
    preflight::{
        ask::ask,
        check::{At, Check, Level, Run, Source},
        finding::Found,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "InheritedColumnsValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Table {
    name: String,
    columns: String,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing = format!("looking at inheriting tables in database {}", source.database);
    let sql = &source.chosen(include_str!("../sql/inherited_columns.sql"));
    let tables: Vec<Table> = ask(source.client, &doing, sql, &[]).await?;
    Ok(tables.iter().map(finding).collect())
}

fn finding(table: &Table) -> Found {
    let Table { name, columns } = table;
    let message = format!(
        "{name} inherits, and its columns were made in another order than pg_dump makes them again: on the target they are \
         in the order {columns}"
    );
    Found::warning("ColumnOrderChanges", message).object(name).remedy(
        "-- nothing, where statements name the columns: only INSERT without a list of columns, SELECT * and COPY see the order",
    )
}
