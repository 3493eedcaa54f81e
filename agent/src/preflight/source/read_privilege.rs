//! May our role read every table and sequence?
use serde::Deserialize;

use crate::{
    fault::Fault,
    postgres::identifier,
    preflight::{
        ask::ask,
        check::{At, Check, Level, Run, Source},
        finding::{Found, listed},
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "ReadPrivilegeValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source))),
};

/// A schema with what can't be read in it.
#[derive(Deserialize)]
struct Unreadable {
    schema: String,
    /// The schema itself can be entered.
    usage: bool,
    tables: Vec<String>,
    sequences: Vec<String>,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing = format!("asking what may be read in database {}", source.database);
    let schemas: Vec<Unreadable> =
        ask(source.client, &doing, &source.chosen(include_str!("../sql/unreadable.sql")), &[])
            .await?;
    Ok(schemas.iter().map(|schema| finding(schema, source)).collect())
}

fn finding(unreadable: &Unreadable, source: &Source<'_>) -> Found {
    let Unreadable { schema, usage, tables, sequences } = unreadable;
    let role = source.role.quoted();
    let quoted = identifier(schema);
    let mut grants = Vec::new();
    if !usage {
        grants.push(format!("grant usage on schema {quoted} to {role};"));
    }
    if !tables.is_empty() {
        grants.push(format!("grant select on all tables in schema {quoted} to {role};"));
    }
    if !sequences.is_empty() {
        grants.push(format!("grant select on all sequences in schema {quoted} to {role};"));
    }
    let names: Vec<String> =
        tables.iter().chain(sequences).map(|name| format!("{schema}.{name}")).collect();
    let names = if names.is_empty() { schema.clone() } else { listed(&names) };
    let message = format!("role {} may not read {names}", source.role.name);
    Found::failed("ReadPrivilegeMissing", message).object(names).remedy(grants.join(" "))
}
