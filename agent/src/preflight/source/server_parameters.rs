//! Does the source write what logical decoding needs, and has it room for our slots and senders?
use serde::Deserialize;

use crate::{
    fault::Fault,
    preflight::{
        ask::ask_one,
        check::{At, Check, Level, Run, Source},
        finding::{Found, listed},
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "ServerParametersValidation",
    level: Level::Server,
    at: At::Prerequisites,
    online_only: true,
    run: Run::Source(|source| Box::pin(look(source))),
};

/// Slots that a database's migration can have at once: its own, and a temporary one while a snapshot is renewed.
const SLOTS_A_DATABASE: i64 = 2;

/// Senders that it can have at once: the change stream's, and the one that keeps a snapshot.
const SENDERS_A_DATABASE: i64 = 2;

#[derive(Deserialize)]
struct Room {
    wal_level: String,
    slots: i64,
    slots_taken: i64,
    idle_slots: Vec<String>,
    senders: i64,
    senders_taken: i64,
    /// Minor releases since 2026 only; None: any plugin may be used.
    plugins: Option<String>,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let sql = include_str!("../sql/replication_room.sql");
    let room: Room =
        ask_one(source.client, "reading the source's replication parameters", sql, &[]).await?;
    let databases = i64::try_from(source.input.databases.len()).unwrap_or(i64::MAX);
    let mut found = Vec::new();
    if room.wal_level != "logical" {
        found.push(
            Found::failed(
                "WalLevelNotLogical",
                format!("wal_level is {}; an online migration needs logical", room.wal_level),
            )
            .object("wal_level")
            .remedy("alter system set wal_level = 'logical'; -- then restart the server"),
        );
    }
    if let Some(plugins) = room.plugins.as_deref().filter(|plugins| !allows_ours(plugins)) {
        let message =
            format!("output_plugin_libraries is {plugins}, without pgoutput, which we use");
        let and = if plugins.trim().is_empty() { "" } else { ", " };
        found.push(Found::failed("OutputPluginNotAllowed", message).object("output_plugin_libraries").remedy(
            format!("alter system set output_plugin_libraries = {plugins}{and}pgoutput; select pg_reload_conf();"),
        ));
    }
    found.extend(slots(&room, databases.saturating_mul(SLOTS_A_DATABASE)));
    found.extend(senders(&room, databases.saturating_mul(SENDERS_A_DATABASE)));
    Ok(found)
}

fn allows_ours(plugins: &str) -> bool {
    plugins.split(',').any(|plugin| plugin.trim().trim_matches('"') == "pgoutput")
}

fn slots(room: &Room, needed: i64) -> Option<Found> {
    let Room { slots, slots_taken, idle_slots, .. } = room;
    if slots - slots_taken >= needed {
        return None;
    }
    let mut message = format!(
        "max_replication_slots is {slots}, {slots_taken} are taken, and this migration needs {needed}"
    );
    if !idle_slots.is_empty() {
        message.push_str(&format!("; nobody uses {}", listed(idle_slots)));
    }
    let wanted = slots_taken.saturating_add(needed);
    Some(
        Found::failed("ReplicationSlotsExhausted", message).object("max_replication_slots").remedy(
            format!(
                "alter system set max_replication_slots = {wanted}; -- then restart the server"
            ),
        ),
    )
}

fn senders(room: &Room, needed: i64) -> Option<Found> {
    let Room { senders, senders_taken, .. } = room;
    if senders - senders_taken >= needed {
        return None;
    }
    let message = format!(
        "max_wal_senders is {senders}, {senders_taken} are taken, and this migration needs {needed}"
    );
    let wanted = senders_taken.saturating_add(needed);
    Some(
        Found::failed("WalSendersExhausted", message).object("max_wal_senders").remedy(format!(
            "alter system set max_wal_senders = {wanted}; -- then restart the server"
        )),
    )
}
