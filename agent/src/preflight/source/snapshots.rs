//! Does the source let a snapshot live as long as a copy takes?
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
    type_name: "SnapshotValidation",
    level: Level::Server,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Threshold {
    setting: String,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    // In minutes; -1 is never. 17 has it no more.
    let sql =
        "select setting from pg_settings where name = 'old_snapshot_threshold' and setting <> '-1'";
    let found: Vec<Threshold> =
        ask(source.client, "asking how long a snapshot lives", sql, &[]).await?;
    Ok(found.iter().map(|threshold| finding(&threshold.setting)).collect())
}

fn finding(minutes: &str) -> Found {
    let message = format!(
        "old_snapshot_threshold is {minutes} min: a table that takes longer to copy fails with \"snapshot too old\""
    );
    Found::warning("OldSnapshotThreshold", message)
        .object("old_snapshot_threshold")
        .remedy("alter system set old_snapshot_threshold = -1; -- then restart the server")
}
