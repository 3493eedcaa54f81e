//! Has the database large objects? They are in no table's rows and in no change stream.
use serde::Deserialize;

use crate::{
    fault::Fault,
    preflight::{
        ask::ask_one,
        check::{At, Check, Level, Run, Source},
        finding::Found,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "LargeObjectsValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Count {
    count: u64,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing = format!("counting large objects in database {}", source.database);
    let sql = "select count(*) from pg_largeobject_metadata";
    let Count { count }: Count = ask_one(source.client, &doing, sql, &[]).await?;
    if count == 0 {
        return Ok(Vec::new());
    }
    let message = format!("the database has {count} large objects; carrying them is not built yet");
    Ok(vec![
        Found::failed("LargeObjectsNotCarried", message).object("pg_largeobject").remedy(
            "-- the program vacuumlo removes those that no table speaks of; those that are needed can't be moved yet: \
             store them as bytea, or leave this database out",
        ),
    ])
}
