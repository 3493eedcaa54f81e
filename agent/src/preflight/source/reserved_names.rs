//! Does the source use the name that the target's ledger has? And what have other migrations left there?
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

#[derive(Deserialize)]
struct LeftBehind {
    slot: String,
    drops: String,
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
    let doing =
        format!("looking for what other migrations have left in database {}", source.database);
    let left: Vec<LeftBehind> =
        ask(source.client, &doing, include_str!("../sql/left_behind.sql"), &[]).await?;
    Ok(schemas.iter().map(finding).chain(left.iter().map(left_behind)).collect())
}

fn left_behind(LeftBehind { slot, drops }: &LeftBehind) -> Found {
    let message = format!(
        "publications or event triggers of the migration with slot {slot}, which nobody reads now, are still there: the triggers run with every \
         change of the schema, and a published table without a key refuses updates"
    );
    let remedy = format!("{drops} -- if none of `whimbrel migration list` has them any more");
    Found::warning("MigrationLeftBehind", message).object(slot).remedy(remedy)
}
