//! Targets.
use rusqlite::{Connection, params};

use super::{
    super::{Result, StoreError, Target},
    breaks_constraint, failure, sql_limit, to_doc, versioned, versioned_all,
};

pub(super) fn create(tx: &Connection, target: &Target) -> Result<()> {
    let doing = "recording a target";
    let doc = to_doc(doing, target)?;
    let sql = "insert into target (id, version, doc) values (?1, 1, ?2)";
    tx.execute(sql, params![target.id, doc]).map_err(|e| match breaks_constraint(&e) {
        true => StoreError::NameTaken { what: whimbrel_proto::name::target(&target.id) },
        false => failure(doing, &e),
    })?;
    Ok(())
}

pub(super) fn update(tx: &Connection, target: &Target) -> Result<()> {
    let doing = "changing a target";
    let doc = to_doc(doing, target)?;
    let sql = "update target set version = ?1, doc = ?2 where id = ?3 and version = ?1 - 1";
    let rows = tx
        .execute(sql, params![target.version.cast_signed(), doc, target.id])
        .map_err(|e| failure(doing, &e))?;
    if rows == 1 { Ok(()) } else { Err(conflict(&target.id)) }
}

pub(super) fn delete(tx: &Connection, id: &str, version: u64) -> Result<()> {
    let sql = "delete from target where id = ?1 and version = ?2 and not exists \
               (select 1 from migration where target_id = ?1 and over = 0)";
    let rows = tx
        .execute(sql, params![id, version.cast_signed()])
        .map_err(|e| failure("deleting a target", &e))?;
    if rows == 1 { Ok(()) } else { Err(conflict(id)) }
}

pub(super) fn by_id(connection: &Connection, id: &str) -> Result<Option<Target>> {
    let sql = "select version, doc from target where id = ?1";
    Ok(versioned(connection, "reading a target", sql, [id])?.map(target))
}

pub(super) fn list(connection: &Connection, after: &str, limit: usize) -> Result<Vec<Target>> {
    let sql = "select version, doc from target where id > ?1 order by id limit ?2";
    let found =
        versioned_all(connection, "listing targets", sql, params![after, sql_limit(limit)])?;
    Ok(found.into_iter().map(target).collect())
}

fn target((version, target): (u64, Target)) -> Target {
    Target { version, ..target }
}

fn conflict(id: &str) -> StoreError {
    StoreError::Conflict { what: whimbrel_proto::name::target(id) }
}
