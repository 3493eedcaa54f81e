//! Indexes that are not valid: pg_dump leaves them out, and what their constraint promised was never checked.
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
    type_name: "InvalidIndexesValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Index {
    schema: String,
    name: String,
    table: String,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing = format!("looking for invalid indexes in database {}", source.database);
    let indexes: Vec<Index> =
        ask(source.client, &doing, &source.chosen(include_str!("../sql/invalid_indexes.sql")), &[])
            .await?;
    Ok(indexes.iter().map(finding).collect())
}

fn finding(index: &Index) -> Found {
    let Index { schema, name, table } = index;
    let label = format!("{schema}.{name}");
    let message = format!(
        "index {label} of table {table} is invalid (an earlier build of it failed): pg_dump leaves it out"
    );
    let quoted = qualified(schema, name);
    Found::warning("IndexInvalid", message)
        .object(label)
        .remedy(format!("reindex index {quoted}; -- or drop index {quoted}"))
}
