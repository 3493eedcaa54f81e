//! Is the database there, and one that can be moved?
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
    type_name: "DatabaseExistsValidation",
    level: Level::Database,
    at: At::Prerequisites,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Database {
    template: bool,
    connections: bool,
    /// Since the minor releases of August 2023: DROP DATABASE was cut short.
    invalid: bool,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let name = source.database;
    let doing = format!("looking for database {name:?} on the source");
    let sql = include_str!("../sql/database_exists.sql");
    let databases: Vec<Database> = ask(source.client, &doing, sql, &[&name]).await?;
    let found = match databases.first() {
        None => vec![missing(name)],
        Some(database) => refusals(name, database),
    };
    Ok(found.into_iter().map(|found| found.object(name)).collect())
}

fn missing(name: &str) -> Found {
    Found::failed("DatabaseDoesNotExist", format!("there is no database {name:?} on the source"))
        .remedy("-- name one of these: select datname from pg_database where not datistemplate;")
}

fn refusals(name: &str, database: &Database) -> Vec<Found> {
    let quoted = identifier(name);
    let mut found = Vec::new();
    if database.invalid {
        let message = format!("database {name:?} is invalid: a DROP DATABASE of it was cut short");
        found.push(
            Found::failed("DatabaseInvalid", message).remedy(format!("drop database {quoted};")),
        );
    }
    if database.template {
        let message = format!("database {name:?} is a template");
        found.push(
            Found::failed("TemplateDatabase", message)
                .remedy(format!("alter database {quoted} with is_template false;")),
        );
    }
    if !database.connections {
        let message = format!("database {name:?} does not allow connections");
        found.push(
            Found::failed("DatabaseNotAllowingConnections", message)
                .remedy(format!("alter database {quoted} with allow_connections true;")),
        );
    }
    found
}
