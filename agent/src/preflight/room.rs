//! Has the server room for our sessions? Asked of both sides.
use std::thread::available_parallelism;

use serde::Deserialize;

use super::{
    ask::ask_one,
    check::{At, Check, Level, Run},
    finding::Found,
};
use crate::{
    fault::Fault,
    postgres::{Client, identifier},
};

/// Sessions that a database's migration has on a server beside those that copy: the change stream's, the one that keeps
/// the snapshot, the dump's, and one to look.
const BESIDE_COPY: i64 = 4;

/// How many sessions copy: as many as the agent's machine has processors, within these bounds (`target::load`).
const COPY_MIN: i64 = 2;
const COPY_MAX: i64 = 8;

pub(super) const OF_SOURCE: Check = Check {
    type_name: "SessionsValidation",
    level: Level::Server,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source.client, source.input.databases))),
};

pub(super) const OF_TARGET: Check = Check {
    run: Run::Target(|target| Box::pin(look(target.client, target.input.databases))),
    ..OF_SOURCE
};

#[derive(Deserialize)]
struct Room {
    connections: i64,
    free: i64,
    role_limit: Option<i64>,
    database_limits: Vec<Limit>,
}

#[derive(Deserialize)]
struct Limit {
    name: String,
    limit: i64,
}

async fn look(client: &Client, databases: &[String]) -> Result<Vec<Found>, Fault> {
    let sql = include_str!("sql/sessions.sql");
    let room: Room = ask_one(client, "asking for free sessions", sql, &[&databases]).await?;
    let copying = available_parallelism()
        .ok()
        .and_then(|found| i64::try_from(found.get()).ok())
        .unwrap_or(COPY_MIN);
    let of_database = BESIDE_COPY + copying.clamp(COPY_MIN, COPY_MAX);
    let count = i64::try_from(databases.len()).unwrap_or(i64::MAX);
    let needed = count.saturating_mul(of_database);
    let mut found = Vec::new();
    if room.free < needed {
        found.push(few(&room, needed));
    }
    if let Some(limit) = room.role_limit.filter(|limit| *limit < needed) {
        let role = &client.endpoint().user;
        let message = format!(
            "role {role} may have {limit} sessions at once; this migration has up to {needed}"
        );
        let remedy = format!("alter role {} connection limit -1;", identifier(role));
        found.push(Found::warning("ConnectionLimitLow", message).object(role).remedy(remedy));
    }
    for Limit { name, limit } in &room.database_limits {
        if *limit < of_database {
            let message = format!(
                "database {name} takes {limit} sessions at once; its migration has up to {of_database}"
            );
            let remedy = format!("alter database {} connection limit -1;", identifier(name));
            found.push(Found::warning("ConnectionLimitLow", message).object(name).remedy(remedy));
        }
    }
    Ok(found)
}

fn few(room: &Room, needed: i64) -> Found {
    let Room { connections, free, .. } = room;
    let message = format!(
        "of max_connections = {connections}, {} are free for our role; this migration has up to {needed} sessions",
        (*free).max(0)
    );
    let wanted = connections.saturating_sub(*free).saturating_add(needed);
    Found::warning("ConnectionsFew", message).object("max_connections").remedy(format!(
        "alter system set max_connections = {wanted}; -- then restart the server, or end sessions that nobody needs"
    ))
}
