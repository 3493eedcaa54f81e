//! Are the tablespaces there that the source's relations name?
use serde::Deserialize;

use crate::{
    fault::Fault,
    postgres::{identifier, literal},
    preflight::{
        ask::ask,
        check::{At, Check, Level, Run, Target},
        facts::TablespaceFacts,
        finding::Found,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "TablespacesValidation",
    level: Level::Database,
    at: At::Preflight,
    online_only: false,
    run: Run::Target(|target| Box::pin(look(target))),
};

#[derive(Deserialize)]
struct Here {
    name: String,
    /// Our role may make relations in it.
    permitted: bool,
}

async fn look(target: &Target<'_>) -> Result<Vec<Found>, Fault> {
    let wanted = &target.source_database()?.tablespaces;
    let sql = "select spcname as name, has_tablespace_privilege(oid, 'CREATE') as permitted from pg_tablespace";
    let here: Vec<Here> = ask(target.client, "listing the target's tablespaces", sql, &[]).await?;
    let mut found = Vec::new();
    for tablespace in wanted {
        let name = &tablespace.name;
        let there = here.iter().find(|here| here.name == *name);
        if tablespace.of_database {
            found.push(of_database(tablespace, target, there.is_some()));
        }
        if tablespace.relations == 0 {
            continue;
        }
        match there {
            None => found.push(missing(tablespace)),
            Some(here) if !here.permitted => {
                let role = target.role;
                let message =
                    format!("role {} may not make tables in tablespace {name}", role.name);
                let remedy = format!(
                    "grant create on tablespace {} to {};",
                    identifier(name),
                    role.quoted()
                );
                found.push(
                    Found::failed("TablespaceNotPermitted", message).object(name).remedy(remedy),
                );
            }
            Some(_) => {}
        }
    }
    Ok(found)
}

fn missing(tablespace: &TablespaceFacts) -> Found {
    let TablespaceFacts { name, location, relations, .. } = tablespace;
    let message =
        format!("{relations} relations are in tablespace {name}, which the target does not have");
    Found::failed("TablespaceMissing", message).object(name).remedy(format!(
        "create tablespace {} location {}; -- an empty folder of the server's user on the target's machine, or, on the \
         source: alter table ... set tablespace pg_default",
        identifier(name),
        literal(location).trim_start()
    ))
}

fn of_database(tablespace: &TablespaceFacts, target: &Target<'_>, there: bool) -> Found {
    let (name, database) = (&tablespace.name, target.database);
    let message = format!(
        "database {database} lies in tablespace {name}; on the target it is made in pg_default"
    );
    let after = if there { "" } else { ", once that is there" };
    Found::warning("DatabaseTablespaceNotCarried", message).object(name).remedy(format!(
        "-- after the cutover{after}: alter database {} set tablespace {}",
        identifier(database),
        identifier(name)
    ))
}
