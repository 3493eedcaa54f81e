//! Request ids that were taken in.
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    super::{Memo, Result, StoreError},
    breaks_constraint, failure,
};

/// A client that still repeats a request after a day has lost more than an answer.
const KEPT_MICROSECONDS: i64 = 24 * 60 * 60 * 1_000_000;

/// More than a day of one call a second; the oldest go first.
const KEPT_MAX: i64 = 100_000;

const PRUNE: &str = include_str!("prune_requests.sql");
const INSERT: &str =
    "insert into request (id, method, hash, subject, at) values (?1, ?2, ?3, ?4, ?5)";

pub(super) fn remember(tx: &Connection, memo: Option<&Memo>) -> Result<()> {
    let doing = "remembering a request";
    let Some(memo) = memo else { return Ok(()) };
    let at = memo.at.as_microsecond();
    tx.execute(PRUNE, params![at - KEPT_MICROSECONDS, KEPT_MAX]).map_err(|e| failure(doing, &e))?;
    tx.execute(INSERT, params![memo.id, memo.method, memo.request_hash, memo.subject, at])
        .map_err(|e| match breaks_constraint(&e) {
            true => StoreError::RequestRepeated { id: memo.id.clone() },
            false => failure(doing, &e),
        })?;
    Ok(())
}

pub(super) fn by_id(connection: &Connection, id: &str) -> Result<Option<Memo>> {
    let sql = "select method, hash, subject, at from request where id = ?1";
    connection
        .query_row(sql, [id], |row| {
            Ok(Memo {
                id: id.to_owned(),
                method: row.get(0)?,
                request_hash: row.get(1)?,
                subject: row.get(2)?,
                at: Timestamp::from_microsecond(row.get(3)?).unwrap_or_default(),
            })
        })
        .optional()
        .map_err(|e| failure("reading a request", &e))
}
