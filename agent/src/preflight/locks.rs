//! Can the server hold the locks of one transaction over many tables? Asked of both sides: of the source for the dump of the
//! schema, of the target for the switch, which brings everything that acts on writes at once.
use serde::Deserialize;

use super::{
    ask::ask_one,
    check::{At, Check, Level, Run, Source, Target},
    finding::Found,
};
use crate::{fault::Fault, postgres::Client};

/// Locks that others hold meanwhile, and ours on the catalogs.
const OTHERS: u64 = 100;

pub(super) const OF_SOURCE: Check = Check {
    type_name: "LockTableValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look_at_source(source))),
};

pub(super) const OF_TARGET: Check = Check {
    level: Level::Database,
    run: Run::Target(|target| Box::pin(look_at_target(target))),
    ..OF_SOURCE
};

#[derive(Deserialize)]
struct Wanted {
    dump: u64,
}

#[derive(Deserialize)]
struct Room {
    per_transaction: u64,
    transactions: u64,
}

async fn look_at_source(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing = format!("counting the tables of database {}", source.database);
    let wanted: Wanted =
        ask_one(source.client, &doing, &source.chosen(include_str!("sql/locks.sql")), &[]).await?;
    look(source.client, wanted.dump, "pg_dump locks every table").await
}

async fn look_at_target(target: &Target<'_>) -> Result<Vec<Found>, Fault> {
    let locks = target.source_database()?.locks;
    look(
        target.client,
        locks,
        "triggers, rules, policies, publications and identities come in one transaction",
    )
    .await
}

async fn look(client: &Client, locks: u64, why: &str) -> Result<Vec<Found>, Fault> {
    let sql = include_str!("sql/lock_room.sql");
    let Room { per_transaction, transactions } =
        ask_one(client, "asking how many locks the server can hold", sql, &[]).await?;
    if locks <= per_transaction.saturating_mul(transactions) {
        return Ok(Vec::new());
    }
    let message = format!(
        "{why}, which takes {locks} locks; max_locks_per_transaction = {per_transaction} has room for {} \
         (times max_connections + max_prepared_transactions)",
        per_transaction.saturating_mul(transactions)
    );
    let enough = locks.saturating_add(OTHERS).div_ceil(transactions.max(1));
    Ok(vec![Found::failed("MaxLocksTooLow", message).object("max_locks_per_transaction").remedy(
        format!(
            "alter system set max_locks_per_transaction = {enough}; -- then restart the server"
        ),
    )])
}
