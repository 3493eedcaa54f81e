//! Would the source throw away WAL that our slot still needs, or our session?
use serde::Deserialize;

use super::size_estimate::minutes;
use crate::{
    fault::Fault,
    preflight::{
        ask::ask_one,
        check::{At, Check, Level, Run, Source},
        finding::Found,
    },
};

/// A network that loses packets, or an agent that is flushing a large transaction, is silent for some seconds.
const SENDER_TIMEOUT_MIN_MS: i64 = 10_000;

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "WalRetentionValidation",
    level: Level::Server,
    at: At::Preflight,
    online_only: true,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Retention {
    /// `max_slot_wal_keep_size`, MB; -1 is without limit.
    keep: Option<i64>,
    /// `wal_sender_timeout`, ms; 0 is never.
    sender_timeout: i64,
    /// `idle_replication_slot_timeout`, s; 0 is never.
    slot_timeout: Option<i64>,
    /// Of the databases that are migrated, MB.
    size: i64,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let sql = include_str!("../sql/wal_retention.sql");
    let databases = source.input.databases;
    let doing = "asking how long the source keeps WAL";
    let retention: Retention = ask_one(source.client, doing, sql, &[&databases]).await?;
    let found = [keep(&retention), sender_timeout(&retention, source), slot_timeout(&retention)];
    Ok(found.into_iter().flatten().collect())
}

fn keep(retention: &Retention) -> Option<Found> {
    let keep = retention.keep.filter(|keep| *keep >= 0)?;
    let message = format!(
        "max_slot_wal_keep_size is {keep} MB: what is written while {} MB are copied (about {} min at an assumed 100 MB/s) must be less, or \
         the server invalidates the slot and the migration has to start again",
        retention.size,
        minutes(retention.size.unsigned_abs() << 20)
    );
    Some(Found::warning("WalKeepSizeLimited", message).object("max_slot_wal_keep_size").remedy(
        "alter system set max_slot_wal_keep_size = -1; select pg_reload_conf(); -- for the migration's time",
    ))
}

fn sender_timeout(retention: &Retention, source: &Source<'_>) -> Option<Found> {
    let timeout = retention.sender_timeout;
    if timeout == 0 || timeout >= SENDER_TIMEOUT_MIN_MS {
        return None;
    }
    let message = format!(
        "wal_sender_timeout is {timeout} ms: a change stream that is silent for a moment is broken off, again and again"
    );
    let remedy = format!("alter role {} set wal_sender_timeout = '60s';", source.role.quoted());
    Some(
        Found::warning("WalSenderTimeoutShort", message)
            .object("wal_sender_timeout")
            .remedy(remedy),
    )
}

fn slot_timeout(retention: &Retention) -> Option<Found> {
    let timeout = retention.slot_timeout.filter(|timeout| *timeout > 0)?;
    let message = format!(
        "idle_replication_slot_timeout is {timeout} s: a migration that is paused or held for longer loses its slot, and \
         has to start again"
    );
    Some(Found::warning("IdleSlotTimeout", message).object("idle_replication_slot_timeout").remedy(
        "alter system set idle_replication_slot_timeout = 0; select pg_reload_conf(); -- for the migration's time",
    ))
}
