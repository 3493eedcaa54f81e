//! Roles are to be migrated: can their passwords be read?
use serde::Deserialize;

use crate::{
    fault::Fault,
    postgres::SYSTEM_ROLES,
    preflight::{
        ask::{ask, ask_one},
        check::{At, Check, Level, Run, Source},
        finding::{Found, listed},
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "RolePasswordsValidation",
    level: Level::Server,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Readable {
    readable: bool,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    if !source.input.migrate_roles {
        return Ok(Vec::new());
    }
    let doing = "asking whether the passwords of roles can be read";
    let sql = "select has_column_privilege('pg_catalog.pg_authid', 'rolpassword', 'SELECT') \
               and has_column_privilege('pg_catalog.pg_authid', 'rolname', 'SELECT') as readable";
    let Readable { readable } = ask_one(source.client, doing, sql, &[]).await?;
    if readable {
        return Ok(Vec::new());
    }
    let sql = "select rolname as name from pg_roles where rolcanlogin and rolname !~ $1 order by 1";
    let names: Vec<Named> = ask(source.client, doing, sql, &[&SYSTEM_ROLES]).await?;
    let names: Vec<String> = names.into_iter().map(|role| role.name).collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let role = &source.role.name;
    let message = format!(
        "role {role} may not read passwords (pg_authid): these roles are made without theirs, and can't log in by \
         password: {}",
        listed(&names)
    );
    Ok(vec![
        Found::warning("RolePasswordsHidden", message).object("pg_authid").remedy(format!(
            "grant select on pg_catalog.pg_authid to {}; -- as a superuser, until the migration is over, or give each its \
             password on the target: alter role ... password '...'",
            source.role.quoted()
        )),
    ])
}
