//! Does the source use the name that the target's ledger has?
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
    type_name: "ReservedNamesValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Schema {
    relations: u64,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing = format!("looking for a schema named whimbrel in database {}", source.database);
    let sql = source.chosen(include_str!("../sql/reserved_names.sql"));
    let schemas: Vec<Schema> = ask(source.client, &doing, &sql, &[]).await?;
    let finding = |schema: &Schema| {
        let message = format!(
            "schema whimbrel, with {} relations, is left behind: the migration keeps its own ledger under that name",
            schema.relations
        );
        Found::warning("SchemaNameReserved", message).object("whimbrel").remedy(
            "alter schema whimbrel rename to whimbrel_data; -- or drop it, if an earlier migration left it",
        )
    };
    Ok(schemas.iter().map(finding).collect())
}
