//! May our role publish every table? It must own each (or be a member of its owner) and may make objects in the database.
use serde::Deserialize;

use crate::{
    fault::Fault,
    postgres::identifier,
    preflight::{
        ask::{ask, ask_one},
        check::{At, Check, Level, Run, Source},
        finding::{Found, listed},
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "PublicationPrivilegeValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: true,
    run: Run::Source(|source| Box::pin(look(source))),
};

/// An owner that we don't act for, with its tables.
#[derive(Deserialize)]
struct Owner {
    owner: String,
    tables: Vec<String>,
    /// We are a member of it and don't inherit its rights.
    member: bool,
}

#[derive(Deserialize)]
struct Create {
    create: bool,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing = format!("asking what may be published in database {}", source.database);
    let sql = "select has_database_privilege(current_database(), 'CREATE') as create";
    let Create { create } = ask_one(source.client, &doing, sql, &[]).await?;
    let sql = &source.chosen(include_str!("../sql/others_tables.sql"));
    let owners: Vec<Owner> = ask(source.client, &doing, sql, &[]).await?;
    let mut found: Vec<Found> = owners.iter().map(|owner| not_owner(owner, source)).collect();
    if !create {
        found.push(no_create(source));
    }
    Ok(found)
}

fn not_owner(owner: &Owner, source: &Source<'_>) -> Found {
    let tables = listed(&owner.tables);
    let role = source.role;
    let message = format!(
        "role {} can't publish tables of {}, which it does not act for: {tables}",
        role.name, owner.owner
    );
    let (granted, to) = (identifier(&owner.owner), role.quoted());
    let remedy = match (owner.member, source.client.server_major()) {
        (false, _) => format!("grant {granted} to {to};"),
        (true, ..16) => format!("alter role {to} inherit;"),
        (true, 16..) => format!("grant {granted} to {to} with inherit true;"),
    };
    Found::failed("NotTableOwner", message).object(tables).remedy(remedy)
}

fn no_create(source: &Source<'_>) -> Found {
    let (role, database) = (source.role, source.database);
    let message = format!("role {} may not make publications in database {database}", role.name);
    Found::failed("CreatePrivilegeMissing", message).object(database).remedy(format!(
        "grant create on database {} to {};",
        identifier(database),
        role.quoted()
    ))
}
