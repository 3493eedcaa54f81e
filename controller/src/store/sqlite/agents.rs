//! Agents, and the tokens that they join with.
use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    super::{Agent, JoinToken, Result, StoreError, TokenError},
    failure, from_doc, sql_limit, to_doc, versioned, versioned_all,
};

/// A token is forgotten a week after it expired: until then "expired" or "used" is said, which tells more than
/// "unknown".
const FORGET_MICROSECONDS: i64 = 7 * 24 * 60 * 60 * 1_000_000;

pub(super) fn add_token(tx: &Connection, token: &JoinToken) -> Result<()> {
    let doing = "recording a join token";
    let labels = to_doc(doing, &token.labels)?;
    let expires = token.expires_at.as_microsecond();
    tx.execute("delete from join_token where expires_at < ?1", [expires - FORGET_MICROSECONDS])
        .map_err(|e| failure(doing, &e))?;
    let sql = "insert into join_token (hash, labels, expires_at) values (?1, ?2, ?3)";
    tx.execute(sql, params![token.hash, labels, expires]).map_err(|e| failure(doing, &e))?;
    Ok(())
}

pub(super) fn enrol(
    tx: &Connection,
    hash: &[u8],
    mut agent: Agent,
    now: Timestamp,
) -> Result<Agent> {
    let doing = "enrolling an agent";
    let mut labels = match look_up(tx, hash, now)? {
        Token::Fresh(labels) => labels,
        Token::SpentBy(id) => return joined_before(tx, &id, &agent),
    };
    let known = by_id(tx, &agent.id)?;
    if known.as_ref().is_some_and(|known| !is_same(known, &agent)) {
        return Err(StoreError::NameTaken { what: whimbrel_proto::name::agent(&agent.id) });
    }
    let sql = "update join_token set spent_by = ?1 where hash = ?2";
    tx.execute(sql, params![agent.id, hash]).map_err(|e| failure(doing, &e))?;
    if let Some(known) = known {
        // Its certificate has expired while it was away: it stays who it was.
        return Ok(known);
    }
    labels.append(&mut agent.labels);
    agent.labels = labels;
    agent.version = 1;
    let doc = to_doc(doing, &agent)?;
    let sql = "insert into agent (id, version, doc) values (?1, 1, ?2)";
    tx.execute(sql, params![agent.id, doc]).map_err(|e| failure(doing, &e))?;
    Ok(agent)
}

/// The agent that spent the token asks once more: it did not hear the answer.
fn joined_before(tx: &Connection, id: &str, agent: &Agent) -> Result<Agent> {
    let known = by_id(tx, id)?;
    known.filter(|known| is_same(known, agent)).ok_or_else(|| TokenError::Used.into())
}

/// By name and keys: its request is signed with its key, and another key is another agent. One that was revoked is nobody.
fn is_same(known: &Agent, agent: &Agent) -> bool {
    let keys = |agent: &Agent| (agent.key_hash.clone(), agent.sealing_key.clone());
    known.id == agent.id
        && !known.key_hash.is_empty()
        && keys(known) == keys(agent)
        && !known.revoked
}

enum Token {
    /// With its labels.
    Fresh(BTreeMap<String, String>),
    /// By the agent of that id.
    SpentBy(String),
}

/// A token that has not expired.
fn look_up(tx: &Connection, hash: &[u8], now: Timestamp) -> Result<Token> {
    let doing = "enrolling an agent";
    let sql = "select labels, expires_at, spent_by from join_token where hash = ?1";
    let row = tx
        .query_row(sql, [hash], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, Option<String>>(2)?))
        })
        .optional()
        .map_err(|e| failure(doing, &e))?;
    let Some((labels, expires_at, spent_by)) = row else { return Err(TokenError::Unknown.into()) };
    match (spent_by, expires_at <= now.as_microsecond()) {
        (Some(_), true) => Err(TokenError::Used.into()),
        (None, true) => Err(TokenError::Expired.into()),
        (Some(id), false) => Ok(Token::SpentBy(id)),
        (None, false) => Ok(Token::Fresh(from_doc(doing, &labels)?)),
    }
}

pub(super) fn update(tx: &Connection, agent: &Agent) -> Result<()> {
    let doing = "changing an agent";
    let doc = to_doc(doing, agent)?;
    let sql = "update agent set version = ?1, doc = ?2 where id = ?3 and version = ?1 - 1";
    let rows = tx
        .execute(sql, params![agent.version.cast_signed(), doc, agent.id])
        .map_err(|e| failure(doing, &e))?;
    if rows == 1 {
        Ok(())
    } else {
        Err(StoreError::Conflict { what: whimbrel_proto::name::agent(&agent.id) })
    }
}

pub(super) fn by_id(connection: &Connection, id: &str) -> Result<Option<Agent>> {
    let sql = "select version, doc from agent where id = ?1";
    Ok(versioned(connection, "reading an agent", sql, [id])?.map(agent))
}

pub(super) fn list(connection: &Connection, after: &str, limit: usize) -> Result<Vec<Agent>> {
    let sql = "select version, doc from agent where id > ?1 order by id limit ?2";
    let found = versioned_all(connection, "listing agents", sql, params![after, sql_limit(limit)])?;
    Ok(found.into_iter().map(agent).collect())
}

fn agent((version, agent): (u64, Agent)) -> Agent {
    Agent { version, ..agent }
}
