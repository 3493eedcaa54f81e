//! Has the source found damaged pages in the database?
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
    type_name: "ChecksumsValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Failures {
    /// None: pages have no checksums, or the server is older than 12.
    failures: Option<i64>,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let database = source.database;
    let doing = format!("asking for damaged pages of database {database}");
    let sql = "select (to_jsonb(d) ->> 'checksum_failures')::int8 as failures from pg_stat_database d \
               where d.datname = current_database()";
    let Failures { failures } = ask_one(source.client, &doing, sql, &[]).await?;
    let Some(failures) = failures.filter(|failures| *failures > 0) else { return Ok(Vec::new()) };
    let message = format!(
        "{failures} pages of database {database} did not match their checksum when they were read: a table with such a page \
         can't be copied"
    );
    Ok(vec![Found::warning("ChecksumFailures", message).object(database).remedy(
        "select pg_stat_reset(); -- after the damage is mended: the server's log names the file of each page",
    )])
}
