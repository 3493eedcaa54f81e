//! What comes from a dump at the cutover, made before it: the stream carries something that is made of it. A collation, an
//! operator, a cast, an aggregate: no message tells what such a one is, and a dump of now does.
//!
//! The ledger keeps what was made so, as it was made: to the cutover it is as if the first dump had had it.
use tokio_postgres::GenericClient;

use super::{
    documents,
    make_anew::Was,
    redump::{Older, entries, goes_with, key},
    schema::{Entry, Plan},
};
use crate::{
    fault::{Doing, Fault},
    postgres::Program,
    wire::{Caller, Catalog},
};

/// What something that the stream carries can be made of.
const KINDS: [&str; 16] = [
    "ACCESS METHOD",
    "AGGREGATE",
    "CAST",
    "COLLATION",
    "CONVERSION",
    "FOREIGN DATA WRAPPER",
    "FOREIGN TABLE",
    "OPERATOR",
    "OPERATOR CLASS",
    "OPERATOR FAMILY",
    "PROCEDURAL LANGUAGE",
    "SERVER",
    "TEXT SEARCH CONFIGURATION",
    "TEXT SEARCH DICTIONARY",
    "TEXT SEARCH PARSER",
    "TEXT SEARCH TEMPLATE",
];

/// Before an entry.
const BEFORE: &str = "whimbrel_early";

/// A ledger that an older agent has made is without it.
const TABLE: &str = "create table if not exists whimbrel.made \
    (class oid not null, oid oid not null, kind text not null, tag text not null, sql text not null, primary key (class, oid))";

/// What became of the entries that are not here.
#[derive(Debug, Default)]
pub(super) struct Early {
    /// They are here now.
    pub(super) made: Vec<Entry>,
    /// Why others are not: what they need may come later in the stream.
    pub(super) refused: Vec<Fault>,
}

/// Dumps the source's schema as it is now, and makes of it, in the caller's transaction, what can be made.
///
/// # Errors
/// No dump, or no connection. What the server refuses is none.
pub(super) async fn make_early(
    client: &impl GenericClient,
    caller: &Caller,
    restore: &Program,
    catalog: &Catalog,
    target_major: u32,
) -> Result<Early, Fault> {
    let old = documents::get(client, "dump").await?;
    let mut before = Plan::read(restore, &old, catalog, &[], target_major).await?;
    before.all_tables.extend(made(client).await?);
    let dump = documents::fetch_dump(caller, target_major, false).await?;
    let now = Plan::read(restore, &dump, catalog, &[], target_major).await?;
    let older = Older::of(&before);
    let new =
        entries(&now).filter(|e| KINDS.contains(&e.kind.as_str()) && older.was(e) != Was::Known);
    let early = make_in_rounds(client, new.collect()).await?;
    for entry in &early.made {
        for right in entries(&now).filter(|right| goes_with(entry, right)) {
            // The cutover compares rights.
            make(client, right).await?;
        }
    }
    keep(client, &early.made).await?;
    Ok(early)
}

/// As long as a round makes any: pg_dump does not know all that one needs of another.
async fn make_in_rounds(
    client: &impl GenericClient,
    mut left: Vec<&Entry>,
) -> Result<Early, Fault> {
    let mut early = Early::default();
    loop {
        early.refused.clear();
        let (count, mut stay) = (left.len(), Vec::new());
        for entry in left {
            match make(client, entry).await? {
                None => early.made.push(entry.clone()),
                Some(refused) => {
                    early.refused.push(refused);
                    stay.push(entry);
                }
            }
        }
        left = stay;
        if left.is_empty() || left.len() == count {
            return Ok(early);
        }
    }
}

/// Why the server refuses it, if it does.
async fn make(client: &impl GenericClient, entry: &Entry) -> Result<Option<Fault>, Fault> {
    let doing = entry.creating();
    client.batch_execute(&format!("savepoint {BEFORE}")).await.doing(&doing)?;
    // Without the settings in front: they would stay with the session, and these kinds do not ask for them.
    let (_, _, sql) = key(entry);
    let refused = client.batch_execute(sql).await.err();
    let end = if refused.is_none() { "release" } else { "rollback to" };
    client.batch_execute(&format!("{end} {BEFORE}")).await.doing(&doing)?;
    Ok(refused.map(|error| Fault::sql(&doing, &error)))
}

async fn keep(client: &impl GenericClient, made: &[Entry]) -> Result<(), Fault> {
    let doing = "recording in the ledger what was made before the cutover";
    if made.is_empty() {
        return Ok(());
    }
    client.batch_execute(TABLE).await.doing(doing)?;
    for entry in made {
        client
            .execute(
                "insert into whimbrel.made (class, oid, kind, tag, sql) values ($1, $2, $3, $4, $5) \
                 on conflict (class, oid) do update set kind = excluded.kind, tag = excluded.tag, sql = excluded.sql",
                &[&entry.class, &entry.oid, &entry.kind, &entry.tag, &entry.sql],
            )
            .await
            .doing(doing)?;
    }
    Ok(())
}

/// What was made so since the dump that the ledger keeps.
pub(super) async fn made(client: &impl GenericClient) -> Result<Vec<Entry>, Fault> {
    let doing = "reading from the ledger what was made before the cutover";
    let there = "select to_regclass('whimbrel.made') is not null";
    if !client.query_one(there, &[]).await.doing(doing)?.get::<_, bool>(0) {
        return Ok(Vec::new());
    }
    let rows = client
        .query("select class, oid, kind, tag, sql from whimbrel.made", &[])
        .await
        .doing(doing)?;
    let entries = rows.iter().map(|row| Entry {
        dump_id: 0,
        class: row.get(0),
        oid: row.get(1),
        kind: row.get(2),
        tag: row.get(3),
        sql: row.get(4),
    });
    Ok(entries.collect())
}

/// The ledger keeps a dump that has it.
pub(super) async fn forget(client: &impl GenericClient) -> Result<(), Fault> {
    client
        .batch_execute(&format!("{TABLE}; delete from whimbrel.made"))
        .await
        .doing("forgetting what was made before the cutover")
}
