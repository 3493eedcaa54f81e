//! Has somebody made something in the system's own schemas? pg_dump leaves it out.
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
    type_name: "SystemSchemasValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Made {
    kind: String,
    schema: String,
    name: String,
    remedy: String,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing = format!("looking into the system's schemas of database {}", source.database);
    let sql = include_str!("../sql/system_schema_objects.sql");
    let made: Vec<Made> = ask(source.client, &doing, sql, &[]).await?;
    Ok(made.iter().map(finding).collect())
}

fn finding(made: &Made) -> Found {
    let label = format!("{}.{}", made.schema, made.name);
    let message = format!(
        "{} {label} was made in one of the system's own schemas: pg_dump leaves it out, so it is not carried",
        made.kind
    );
    Found::failed("ObjectInSystemSchema", message).object(label).remedy(&made.remedy)
}
