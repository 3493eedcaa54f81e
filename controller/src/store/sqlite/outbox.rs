//! Commands that agents have not acknowledged.
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{
    super::{NewCommand, OutboxEntry, Result},
    failure, from_doc, sql_limit, to_doc,
};

const OF_AGENT: &str = "select position, id, migration_uid, doc from outbox \
                        where agent = ?1 and position > ?2 order by position limit ?3";
const OF_MIGRATION: &str = "select position, id, migration_uid, doc from outbox \
                            where migration_uid = ?1 order by position";
const BY_ID: &str = "select position, id, migration_uid, doc from outbox where id = ?1";
const TAKE: &str = "delete from outbox where id = ?1 returning position, id, migration_uid, doc";
const ADD: &str = "insert into outbox (id, migration_uid, agent, doc) values (?1, ?2, ?3, ?4)";

pub(super) fn add_all(tx: &Connection, uid: &str, commands: &[NewCommand]) -> Result<()> {
    let doing = "writing the outbox";
    let mut insert = tx.prepare_cached(ADD).map_err(|e| failure(doing, &e))?;
    for NewCommand { id, command } in commands {
        let doc = to_doc(doing, command)?;
        insert.execute(params![id, uid, command.agent, doc]).map_err(|e| failure(doing, &e))?;
    }
    Ok(())
}

/// The highest position that was ever given.
pub(super) fn last(c: &Connection) -> Result<u64> {
    let sql = "select coalesce((select seq from sqlite_sequence where name = 'outbox'), 0)";
    let last = c.query_row(sql, [], |row| row.get::<_, i64>(0));
    last.map(i64::cast_unsigned).map_err(|e| failure("reading the outbox", &e))
}

/// Leaves positions out. SQLite keeps the last one of a table in `sqlite_sequence`, once it has had a row (its manual, Autoincrement).
pub(super) fn skip(tx: &Connection, positions: u64) -> Result<()> {
    let doing = "leaving numbers of commands out";
    let next = last(tx)?.saturating_add(positions).cast_signed();
    tx.execute("delete from sqlite_sequence where name = 'outbox'", [])
        .map_err(|e| failure(doing, &e))?;
    tx.execute("insert into sqlite_sequence (name, seq) values ('outbox', ?1)", [next])
        .map_err(|e| failure(doing, &e))?;
    Ok(())
}

pub(super) fn drop_all(tx: &Connection, ids: &[String]) -> Result<()> {
    let doing = "dropping from the outbox";
    let sql = "delete from outbox where id = ?1";
    let mut delete = tx.prepare_cached(sql).map_err(|e| failure(doing, &e))?;
    for id in ids {
        delete.execute([id]).map_err(|e| failure(doing, &e))?;
    }
    Ok(())
}

pub(super) fn take(tx: &Connection, id: &str) -> Result<Option<OutboxEntry>> {
    let doing = "taking a command out of the outbox";
    let row = tx.query_row(TAKE, [id], columns).optional().map_err(|e| failure(doing, &e))?;
    row.map(|row| entry(doing, row)).transpose()
}

pub(super) fn by_id(connection: &Connection, id: &str) -> Result<Option<OutboxEntry>> {
    Ok(list(connection, BY_ID, params![id])?.pop())
}

pub(super) fn of_agent(
    connection: &Connection,
    agent: &str,
    after: u64,
    limit: usize,
) -> Result<Vec<OutboxEntry>> {
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    list(connection, OF_AGENT, params![agent, after, sql_limit(limit)])
}

pub(super) fn of_migration(connection: &Connection, uid: &str) -> Result<Vec<OutboxEntry>> {
    list(connection, OF_MIGRATION, params![uid])
}

type Columns = (i64, String, String, String);

fn columns(row: &Row<'_>) -> rusqlite::Result<Columns> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn entry(doing: &'static str, (position, id, uid, doc): Columns) -> Result<OutboxEntry> {
    let command = from_doc(doing, &doc)?;
    Ok(OutboxEntry { position: position.cast_unsigned(), id, migration_uid: uid, command })
}

fn list(
    connection: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
) -> Result<Vec<OutboxEntry>> {
    let doing = "reading the outbox";
    let mut statement = connection.prepare_cached(sql).map_err(|e| failure(doing, &e))?;
    let rows = statement
        .query_map(params, columns)
        .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
        .map_err(|e| failure(doing, &e))?;
    rows.into_iter().map(|row| entry(doing, row)).collect()
}
