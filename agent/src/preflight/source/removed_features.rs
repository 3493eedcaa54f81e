//! Has the database something that every target's version has taken away?
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

/// Before every migration: a table's hidden OIDs would stay behind without a word.
pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "RemovedFeaturesValidation",
    level: Level::InDatabase,
    at: At::Prerequisites,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Removed {
    schema: String,
    table: String,
    /// None: the table itself, which has OIDs.
    column: Option<String>,
    #[serde(rename = "type")]
    type_name: Option<String>,
    /// A type that holds the column's values.
    instead: Option<String>,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing =
        format!("looking for what later versions have not, in database {}", source.database);
    let sql = &source.chosen(include_str!("../sql/removed_features.sql"));
    let removed: Vec<Removed> = ask(source.client, &doing, sql, &[]).await?;
    Ok(removed.iter().map(finding).collect())
}

fn finding(removed: &Removed) -> Found {
    let Removed { schema, table, column, type_name, instead } = removed;
    let alter = format!("alter table {}", qualified(schema, table));
    let (Some(column), Some(type_name), Some(instead)) = (column, type_name, instead) else {
        let message = format!(
            "table {schema}.{table} is WITH OIDS, which no version from 12 on has: the rows' OIDs can't be carried"
        );
        return Found::failed("TableWithOids", message)
            .object(format!("{schema}.{table}"))
            .remedy(format!("{alter} set without oids; -- keep them in a column of their own first, if they are used"));
    };
    let message = format!(
        "{schema}.{table}.{column} is of type {type_name}, which no version of a target has"
    );
    let quoted = identifier(column);
    let through = if instead == "text" { "::text" } else { "" };
    Found::failed("TypeRemoved", message).object(format!("{schema}.{table}.{column}")).remedy(
        format!("{alter} alter column {quoted} type {instead} using {quoted}{through}::{instead};"),
    )
}
