//! Extensions that somebody put into the system's schema. pg_dump carries them there; services refuse it.
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
    type_name: "ExtensionSchemasValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Extension {
    name: String,
    relocatable: bool,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing = format!("looking for extensions in pg_catalog of database {}", source.database);
    let sql = include_str!("../sql/extensions_in_system.sql");
    let extensions: Vec<Extension> = ask(source.client, &doing, sql, &[]).await?;
    Ok(extensions.iter().map(finding).collect())
}

fn finding(extension: &Extension) -> Found {
    let Extension { name, relocatable } = extension;
    let message = format!(
        "extension {name} is in schema pg_catalog: it is made there again, which managed services refuse, and its objects \
         can clash with a later version's own"
    );
    let quoted = identifier(name);
    let remedy = if *relocatable {
        format!("alter extension {quoted} set schema public;")
    } else {
        format!("-- it can't be moved: drop extension {quoted}, and create it in another schema")
    };
    Found::warning("ExtensionInSystemSchema", message).object(name).remedy(remedy)
}
