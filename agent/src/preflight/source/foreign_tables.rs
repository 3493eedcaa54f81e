//! Foreign tables: the definition goes, the rows stay where they are. And user mappings, whose options only a superuser, the
//! server's owner and the user see.
use serde::Deserialize;

use crate::{
    fault::Fault,
    postgres::identifier,
    preflight::{
        ask::ask,
        check::{At, Check, Level, Run, Source},
        finding::Found,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "ForeignTablesValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Table {
    name: String,
    server: String,
}

#[derive(Deserialize)]
struct Mapping {
    role: String,
    server: String,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing = format!("looking for foreign tables in database {}", source.database);
    let tables: Vec<Table> =
        ask(source.client, &doing, &source.chosen(include_str!("../sql/foreign_tables.sql")), &[])
            .await?;
    let mut found: Vec<Found> = tables.iter().map(foreign).collect();
    if !source.role.superuser {
        let sql = include_str!("../sql/user_mappings.sql");
        let mappings: Vec<Mapping> = ask(source.client, &doing, sql, &[]).await?;
        found.extend(mappings.iter().map(hidden));
    }
    Ok(found)
}

fn foreign(table: &Table) -> Found {
    let Table { name, server } = table;
    let message = format!(
        "{name} is a foreign table: its definition is carried, its rows stay on server {server}, which the target must \
         reach too"
    );
    Found::warning("ForeignTable", message).object(name).remedy(format!(
        "-- make sure that the target reaches what server {} names",
        identifier(server)
    ))
}

fn hidden(mapping: &Mapping) -> Found {
    let Mapping { role, server } = mapping;
    let message = format!(
        "the options of the user mapping of {role} for server {server} are not shown to our role: the mapping is carried \
         without user and password, if it has them"
    );
    let remedy = format!(
        "-- on the target, after the cutover: alter user mapping for {} server {} options (add password '...')",
        identifier(role),
        identifier(server)
    );
    Found::warning("UserMappingHidden", message).object(format!("{role}@{server}")).remedy(remedy)
}
