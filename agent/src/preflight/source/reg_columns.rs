//! Columns whose values are OIDs written as names: those objects must be there when the row comes.
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
    type_name: "RegColumnsValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Column {
    schema: String,
    table: String,
    column: String,
    #[serde(rename = "type")]
    type_name: String,
    is_array: bool,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing = format!("looking for columns of OID types in database {}", source.database);
    let columns: Vec<Column> =
        ask(source.client, &doing, &source.chosen(include_str!("../sql/reg_columns.sql")), &[])
            .await?;
    Ok(columns.iter().map(finding).collect())
}

fn finding(column: &Column) -> Found {
    let Column { schema, table, column, type_name, is_array } = column;
    let label = format!("{schema}.{table}.{column}");
    let message = format!(
        "{label} is of type {type_name}: its values are carried by name, and what they name must exist on the target \
         when the row comes; a value that names nothing any more does not arrive as it is"
    );
    let text = if *is_array { "text[]" } else { "text" };
    let quoted = identifier(column);
    let remedy = format!(
        "alter table {} alter column {quoted} type {text} using {quoted}::{text}; -- or make sure of it",
        qualified(schema, table)
    );
    Found::warning("RegColumns", message).object(label).remedy(remedy)
}
