//! A database of the wanted name that is there already: may our role take it away? Whether it shall is not asked here.
use std::future::ready;

use serde::Deserialize;

use crate::{
    fault::Fault,
    postgres::{Client, MAINTENANCE_DATABASE, identifier, literal},
    preflight::{
        ask::ask,
        check::{At, Check, Level, Run, Target},
        facts::DatabaseFacts,
        finding::Found,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "OverwriteValidation",
    level: Level::Database,
    at: At::Prerequisites,
    online_only: false,
    run: Run::Target(|target| Box::pin(ready(look(target)))),
};

/// A wanted database that is there.
#[derive(Debug, Deserialize)]
pub(in crate::preflight) struct Existing {
    pub(in crate::preflight) database: String,
    pub(in crate::preflight) oid: u32,
    template: bool,
    /// Our role has its owner's rights.
    owned: bool,
    owner: String,
    /// Connected to it now.
    sessions: u64,
    /// Roles of sessions that our role can't end.
    strangers: Vec<String>,
    /// Prepared transactions in it.
    prepared: Vec<String>,
    /// Logical slots of it that somebody reads.
    slots: Vec<String>,
    /// Its subscriptions.
    subscriptions: Vec<String>,
    encoding: String,
    collate: String,
    ctype: String,
    provider: String,
    icu_locale: Option<String>,
}

/// Those of `databases` that are there.
pub(in crate::preflight) async fn existing_databases(
    client: &Client,
    databases: &[String],
) -> Result<Vec<Existing>, Fault> {
    let doing = "looking for the databases that are on the target already";
    ask(client, doing, include_str!("../sql/existing_databases.sql"), &[&databases]).await
}

fn look(target: &Target<'_>) -> Result<Vec<Found>, Fault> {
    let existing = target.existing.as_ref().map_err(Clone::clone)?;
    let Some(found) = existing.iter().find(|found| found.database == target.database) else {
        return Ok(Vec::new());
    };
    let mut told = if target.input.overwrite { refusals(found, target) } else { Vec::new() };
    // Its contents are replaced, never the database itself.
    if found.database == MAINTENANCE_DATABASE {
        told.extend(not_alike(found, target.source_database()?));
    }
    Ok(told)
}

/// Encoding and locale are a database's for its life.
fn not_alike(here: &Existing, there: &DatabaseFacts) -> Option<Found> {
    let here_is =
        locale([&here.encoding, &here.collate, &here.ctype, &here.provider], &here.icu_locale);
    let there_is =
        locale([&there.encoding, &there.collate, &there.ctype, &there.provider], &there.icu_locale);
    if here_is == there_is {
        return None;
    }
    let database = &here.database;
    let message = format!(
        "database {database} is of encoding, collation, character classes and locale provider {here_is} on the target, of {there_is} on the \
         source: its contents are replaced, the database itself stays, and can't be changed in that"
    );
    Some(Found::failed("DatabaseNotAlike", message).object(database).remedy(
        "-- make the target's server with the source's encoding and locale (initdb), or leave this database out",
    ))
}

fn locale(parts: [&str; 4], of_provider: &Option<String>) -> String {
    let parts = parts.into_iter().chain(of_provider.as_deref());
    parts.collect::<Vec<_>>().join(", ")
}

fn refusals(existing: &Existing, target: &Target<'_>) -> Vec<Found> {
    let Existing { database, owner, .. } = existing;
    let role = target.role;
    let mut found = Vec::new();
    if !existing.owned {
        let message = format!(
            "database {database} is to be overwritten; its owner is {owner}, and role {} may not drop it",
            role.name
        );
        let remedy = format!("grant {} to {};", identifier(owner), role.quoted());
        found.push(Found::failed("OverwriteNotPermitted", message).remedy(remedy));
    }
    if existing.template {
        let message = format!("database {database} is to be overwritten, and is a template");
        let remedy = format!("alter database {} with is_template false;", identifier(database));
        found.push(Found::failed("OverwriteNotPermitted", message).remedy(remedy));
    }
    found.extend(blockers(existing));
    // Nobody is thrown out of the database that stays.
    if database != MAINTENANCE_DATABASE {
        found.extend(sessions(existing, target));
    }
    found.into_iter().map(|found| found.object(database)).collect()
}

/// What no force drops a database over.
fn blockers(existing: &Existing) -> Vec<Found> {
    let database = &existing.database;
    let blocked = |what: String, remedy: String| {
        let message = format!("database {database} is to be overwritten, and {what}");
        Found::failed("OverwriteBlocked", message).remedy(remedy)
    };
    let mut found = Vec::new();
    for gid in &existing.prepared {
        let gid = literal(gid);
        found.push(blocked(
            format!("has the prepared transaction {}", gid.trim_start()),
            format!("rollback prepared {}; -- in that database", gid.trim_start()),
        ));
    }
    for slot in &existing.slots {
        let named = literal(slot);
        let named = named.trim_start();
        found.push(blocked(
            format!("somebody reads its logical slot {slot}"),
            format!(
                "select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = {named}; select \
                 pg_drop_replication_slot({named}); -- once its reader stays away"
            ),
        ));
    }
    for subscription in &existing.subscriptions {
        let quoted = identifier(subscription);
        found.push(blocked(
            format!("has the subscription {subscription}"),
            format!(
                "alter subscription {quoted} disable; alter subscription {quoted} set (slot_name = none); drop subscription \
                 {quoted}; -- in that database, whereas the slot on the publisher stays"
            ),
        ));
    }
    found
}

/// They are ended when it is replaced.
fn sessions(existing: &Existing, target: &Target<'_>) -> Option<Found> {
    let Existing { database, sessions, strangers, .. } = existing;
    if *sessions == 0 {
        return None;
    }
    let message = format!(
        "database {database} is to be overwritten, and has {sessions} sessions, which are ended then; those that come back \
         at once keep it from being replaced"
    );
    if strangers.is_empty() {
        let named = literal(database);
        return Some(Found::warning("OverwriteDatabaseInUse", message).remedy(format!(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = {}; -- once the application is stopped",
            named.trim_start()
        )));
    }
    let role = target.role;
    let message =
        format!("{message}; role {} may not end those of {}", role.name, strangers.join(", "));
    let remedy = format!(
        "grant pg_signal_backend to {}; -- a superuser's sessions must be ended by a superuser",
        role.quoted()
    );
    Some(Found::failed("OverwriteDatabaseInUse", message).remedy(remedy))
}
