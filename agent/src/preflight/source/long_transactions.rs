//! Transactions that are open for long: making a slot waits for every one on the server that has written, and the cutover
//! for each of its database.
use serde::Deserialize;

use crate::{
    fault::Fault,
    preflight::{
        ask::ask,
        check::{At, Check, Level, Run, Source},
        finding::Found,
    },
};

/// A transaction that is open for longer than this will be in the way; an application's takes seconds.
const LONG_SECONDS: i32 = 300;

const CHECK: Check = Check {
    type_name: "LongTransactionsValidation",
    level: Level::Server,
    at: At::Preflight,
    online_only: true,
    run: Run::Source(|source| Box::pin(look(source))),
};

/// In databases that are not migrated; only those that have written count.
pub(in crate::preflight) const ELSEWHERE: Check = CHECK;

/// In a database that is.
pub(in crate::preflight) const HERE: Check = Check { level: Level::InDatabase, ..CHECK };

#[derive(Deserialize)]
struct Open {
    pid: i32,
    user: String,
    application: String,
    database: String,
    state: String,
    seconds: u64,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let sql = include_str!("../sql/long_transactions.sql");
    let (database, databases) = (source.database, source.input.databases);
    let open: Vec<Open> = ask(
        source.client,
        "asking for long transactions",
        sql,
        &[&database, &databases, &LONG_SECONDS],
    )
    .await?;
    Ok(open.iter().map(finding).collect())
}

fn finding(open: &Open) -> Found {
    let Open { pid, user, application, database, state, seconds } = open;
    let message = format!(
        "a transaction of process {pid} (role {user}, application {application:?}, {state}) is open for {seconds} s in \
         database {database}: the migration waits for its end"
    );
    Found::warning("LongTransactionOpen", message)
        .object(format!("pid {pid}"))
        .remedy(format!("select pg_terminate_backend({pid}); -- or end it where it was begun"))
}
