//! Prepared transactions: making a slot waits for every one on the server, and the cutover for those of its database.
use serde::Deserialize;

use crate::{
    fault::Fault,
    postgres::literal,
    preflight::{
        ask::ask,
        check::{At, Check, Level, Run, Source},
        finding::Found,
    },
};

const CHECK: Check = Check {
    type_name: "PreparedTransactionsValidation",
    level: Level::Server,
    at: At::Preflight,
    online_only: true,
    run: Run::Source(|source| Box::pin(look(source))),
};

/// In databases that are not migrated.
pub(in crate::preflight) const ELSEWHERE: Check = CHECK;

/// In a database that is.
pub(in crate::preflight) const HERE: Check = Check { level: Level::InDatabase, ..CHECK };

#[derive(Deserialize)]
struct Prepared {
    gid: String,
    owner: String,
    database: String,
    /// Since it was prepared.
    seconds: u64,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let sql = include_str!("../sql/prepared_transactions.sql");
    let params = (source.database, source.input.databases);
    let prepared: Vec<Prepared> =
        ask(source.client, "asking for prepared transactions", sql, &[&params.0, &params.1])
            .await?;
    Ok(prepared.iter().map(finding).collect())
}

fn finding(prepared: &Prepared) -> Found {
    let Prepared { gid, owner, database, seconds } = prepared;
    let message = format!(
        "transaction {gid:?} of role {owner}, prepared {seconds} s ago in database {database}, is open: the migration \
         waits for its end"
    );
    let quoted = literal(gid);
    Found::warning("PreparedTransactionOpen", message).object(gid).remedy(format!(
        "rollback prepared {quoted}; -- or commit prepared {quoted}, in database {database}, as {owner}"
    ))
}
