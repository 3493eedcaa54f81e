//! Migrations and their events.
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    super::{Change, EventRecord, MigrationQuery, Record, Result, StoreError},
    breaks_constraint, failure, outbox, sql_limit, to_doc, versioned, versioned_all,
};
use crate::migration::{Actor, Migration, Note};

const LIST: &str = include_str!("list_migrations.sql");
const EVENTS: &str = include_str!("events.sql");
const INSERT: &str = include_str!("insert_migration.sql");
const INSERT_EVENT: &str = include_str!("insert_event.sql");
const UPDATE: &str = include_str!("update_migration.sql");

pub(super) fn create(tx: &Connection, change: &Change) -> Result<()> {
    let doing = "recording a migration";
    check_term(tx, change)?;
    let m = &change.migration;
    let name = whimbrel_proto::name::migration(&m.target_id, &m.name);
    let taken = by_name(tx, &m.target_id, &m.name)?.is_some();
    if taken {
        return Err(StoreError::NameTaken { what: name });
    }
    let doc = to_doc(doing, m)?;
    let created = m.created_at.as_microsecond();
    tx.execute(INSERT, params![m.uid, m.target_id, m.name, m.is_over(), created, doc]).map_err(
        |e| match breaks_constraint(&e) {
            true => StoreError::NotFound { what: whimbrel_proto::name::target(&m.target_id) },
            false => failure(doing, &e),
        },
    )?;
    append(tx, change)
}

pub(super) fn commit(tx: &Connection, change: &Change) -> Result<()> {
    let doing = "committing a migration's change";
    check_term(tx, change)?;
    let m = &change.migration;
    let doc = to_doc(doing, m)?;
    let expected = change.expected_version.cast_signed();
    let rows = tx
        .execute(UPDATE, params![doc, m.is_over(), m.uid, expected])
        .map_err(|e| failure(doing, &e))?;
    if rows != 1 {
        return Err(conflict(&m.uid));
    }
    append(tx, change)
}

/// Events and commands.
fn append(tx: &Connection, change: &Change) -> Result<()> {
    let doing = "writing events";
    let uid = &change.migration.uid;
    let mut sequence = last_event(tx, uid)?.cast_signed();
    let at = change.at.as_microsecond();
    let mut insert = tx.prepare_cached(INSERT_EVENT).map_err(|e| failure(doing, &e))?;
    for Note { database, kind, code, message, actor } in &change.notes {
        sequence += 1;
        let actor = actor_name(actor);
        insert
            .execute(params![uid, sequence, at, database, kind, code, message, actor])
            .map_err(|e| failure(doing, &e))?;
    }
    outbox::drop_all(tx, &change.dropped)?;
    outbox::add_all(tx, uid, &change.commands)
}

fn actor_name(actor: &Actor) -> String {
    match actor {
        Actor::Operator => "operator".to_owned(),
        Actor::Controller => "controller".to_owned(),
        Actor::Agent(id) => whimbrel_proto::name::agent(id),
    }
}

fn check_term(tx: &Connection, change: &Change) -> Result<()> {
    let term: i64 = tx
        .query_row("select value from meta where key = 'term'", [], |row| row.get(0))
        .map_err(|e| failure("reading the term", &e))?;
    if term.cast_unsigned() == change.term { Ok(()) } else { Err(conflict(&change.migration.uid)) }
}

fn conflict(uid: &str) -> StoreError {
    StoreError::Conflict { what: format!("migration {uid}") }
}

fn record((version, migration): (u64, Migration)) -> Record {
    Record { version, migration }
}

pub(super) fn by_uid(connection: &Connection, uid: &str) -> Result<Option<Record>> {
    let sql = "select version, doc from migration where uid = ?1";
    Ok(versioned(connection, "reading a migration", sql, [uid])?.map(record))
}

pub(super) fn by_name(connection: &Connection, target: &str, name: &str) -> Result<Option<Record>> {
    let sql = "select version, doc from migration where target_id = ?1 and name = ?2";
    Ok(versioned(connection, "reading a migration", sql, [target, name])?.map(record))
}

pub(super) fn list(connection: &Connection, query: &MigrationQuery) -> Result<Vec<Record>> {
    let (at, uid) = match &query.before {
        Some((at, uid)) => (*at, uid.as_str()),
        None => (i64::MAX, ""),
    };
    let params = params![query.target_id, at, uid, sql_limit(query.limit)];
    let found = versioned_all(connection, "listing migrations", &list_sql(query), params)?;
    Ok(found.into_iter().map(record).collect())
}

/// A text for each way of asking: a condition that is only sometimes there can't be looked up in an index.
fn list_sql(query: &MigrationQuery) -> String {
    let of_target = if query.target_id.is_some() { "target_id = ?1 and" } else { "" };
    let active = if query.active { "over = 0 and" } else { "" };
    LIST.replace("{chosen}", &format!("{of_target} {active}"))
}

pub(super) fn delete(tx: &Connection, uid: &str, version: u64) -> Result<()> {
    let sql = "delete from migration where uid = ?1 and version = ?2 and over = 1";
    let rows = tx
        .execute(sql, params![uid, version.cast_signed()])
        .map_err(|e| failure("deleting a migration", &e))?;
    if rows == 1 { Ok(()) } else { Err(conflict(uid)) }
}

pub(super) fn last_event(connection: &Connection, uid: &str) -> Result<u64> {
    let sql = "select max(sequence) from migration_event where migration_uid = ?1";
    connection
        .query_row(sql, [uid], |row| row.get::<_, Option<i64>>(0))
        .optional()
        .map(|found| found.flatten().unwrap_or(0).cast_unsigned())
        .map_err(|e| failure("reading events", &e))
}

pub(super) fn events(
    connection: &Connection,
    uid: &str,
    after: u64,
    limit: usize,
) -> Result<Vec<EventRecord>> {
    let doing = "reading events";
    // Sequences fit: SQLite gave them out.
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(EVENTS).map_err(|e| failure(doing, &e))?;
    statement
        .query_map(params![uid, after, sql_limit(limit)], |row| {
            Ok(EventRecord {
                sequence: row.get::<_, i64>(0)?.cast_unsigned(),
                at: Timestamp::from_microsecond(row.get(1)?).unwrap_or_default(),
                database: row.get(2)?,
                kind: row.get(3)?,
                code: row.get(4)?,
                message: row.get(5)?,
                actor: row.get(6)?,
            })
        })
        .and_then(Iterator::collect)
        .map_err(|e| failure(doing, &e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SqliteStore;

    /// Millions of migrations can be past: no list may look at more of them than it gives, nor sort them.
    #[test]
    fn every_list_reads_its_own_index_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        drop(SqliteStore::open(&path).unwrap());
        let connection = Connection::open(&path).unwrap();
        for (target_id, active, index) in [
            (None, false, "migration_by_age"),
            (None, true, "migration_active"),
            (Some("t".to_owned()), false, "migration_by_target"),
            (Some("t".to_owned()), true, "migration_active_by_target"),
        ] {
            let query = MigrationQuery { target_id, active, before: None, limit: 10 };
            let sql = format!("explain query plan {}", list_sql(&query));
            let mut statement = connection.prepare(&sql).unwrap();
            let rows =
                statement.query_map(params![query.target_id, i64::MAX, "", 10], |row| row.get(3));
            let plan: Vec<String> = rows.unwrap().map(|row| row.unwrap()).collect();
            assert_eq!(plan.len(), 1, "{plan:?}");
            assert!(plan[0].contains(&format!("USING INDEX {index} ")), "{plan:?}");
        }
    }
}
