//! Has the database large objects? They are in no change stream, and each has rights of its own.
use serde::Deserialize;

use super::size_estimate::{minutes, readable};
use crate::{
    fault::Fault,
    postgres::identifier,
    preflight::{
        ask::{ask, ask_one},
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

/// The cutover reads every content twice: to find what was changed, and to be sure in the end.
const READS: u64 = 2;

#[derive(Deserialize)]
struct All {
    count: u64,
    bytes: u64,
}

#[derive(Deserialize)]
struct Unreadable {
    owner: String,
    count: u64,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    if !source.input.selected.has_large_objects() {
        return Ok(Vec::new());
    }
    let doing = format!("counting large objects in database {}", source.database);
    let sql = "select count(*), pg_total_relation_size('pg_largeobject') as bytes from pg_largeobject_metadata";
    let all: All = ask_one(source.client, &doing, sql, &[]).await?;
    let sql = include_str!("../sql/large_objects_unreadable.sql");
    let unreadable: Vec<Unreadable> = ask(source.client, &doing, sql, &[]).await?;
    let mut found: Vec<Found> = unreadable.iter().map(|some| hidden(some, source)).collect();
    if all.count > 0 && source.input.online {
        found.push(compared(&all));
    }
    Ok(found)
}

fn hidden(unreadable: &Unreadable, source: &Source<'_>) -> Found {
    let Unreadable { owner, count } = unreadable;
    let message =
        format!("role {} may not read {count} large objects of {owner}", source.role.name);
    Found::failed("LargeObjectsUnreadable", message).object(owner).remedy(format!(
        "grant {} to {};",
        identifier(owner),
        source.role.quoted()
    ))
}

fn compared(all: &All) -> Found {
    let message = format!(
        "the database has {} large objects, {}: no change stream has them, so the cutover compares them all and carries \
         those that were changed; that takes about {} min more, at an assumed 100 MB/s",
        all.count,
        readable(all.bytes),
        minutes(all.bytes.saturating_mul(READS))
    );
    Found::warning("LargeObjectsAtCutover", message).object("pg_largeobject").remedy(
        "-- nothing, if the application may stop for so long; the program vacuumlo removes those that no row speaks of",
    )
}
