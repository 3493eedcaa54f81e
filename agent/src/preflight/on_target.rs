//! The checks of a target.
use whimbrel_proto::{
    agent::v1::{CheckLevel, Checked, ExistingDatabase},
    v1::{DatabaseValidation, Validation},
};

use super::{
    check::{Level, Run, Target},
    facts::{SOURCE_FACTS_MISSING, SourceFacts},
    finding::{details, judge, now, validation},
    gather::own_settings,
    on_source::only,
    session::{CONNECTING, open_server},
    table::CHECKS,
    target::{Existing, existing_databases},
};
use crate::{
    fault::Fault,
    postgres::{Endpoint, MAINTENANCE_DATABASE},
};

/// What a target is checked for.
#[derive(Debug)]
pub struct TargetInput<'a> {
    /// The server.
    pub endpoint: &'a Endpoint,
    /// Those that are to be migrated.
    pub databases: &'a [String],
    /// How much is checked.
    pub level: CheckLevel,
    /// The migration has a change stream.
    pub online: bool,
    /// Databases that are there may be overwritten.
    pub overwrite: bool,
    /// Roles are to be made here.
    pub migrate_roles: bool,
    /// `Checked.facts` of the source's checks; empty when the source was not reached.
    pub source_facts: &'a [u8],
}

/// Checks a target. What goes wrong is a finding.
pub async fn check_target(input: &TargetInput<'_>) -> Checked {
    let start_time = now();
    let (client, role) = match open_server(input.endpoint, &[MAINTENANCE_DATABASE]).await {
        Ok(session) => session,
        Err(found) => return only(start_time, validation(CONNECTING, vec![found])),
    };
    let existing = existing_databases(&client, input.databases).await;
    let own = own_settings(input.endpoint, MAINTENANCE_DATABASE).await;
    let facts = SourceFacts::from_bytes(input.source_facts);
    let mut target = Target {
        input,
        client: &client,
        role: &role,
        database: "",
        facts: &facts,
        existing: &existing,
        own: &own,
    };
    let mut server = vec![validation(CONNECTING, Vec::new())];
    server.extend(make(&target, Level::Server).await);
    let mut databases = Vec::with_capacity(input.databases.len());
    for database in input.databases {
        let start_time = Some(now());
        target.database = database;
        let validations = make(&target, Level::Database).await;
        databases.push(DatabaseValidation {
            database: database.clone(),
            start_time,
            end_time: Some(now()),
            validations,
        });
    }
    let findings = Some(details(start_time, server, databases));
    Checked { findings, existing: tell(existing), ..Checked::default() }
}

async fn make(target: &Target<'_>, level: Level) -> Vec<Validation> {
    let preflight = target.input.level == CheckLevel::Preflight;
    let alone = target.is_alone();
    let mut made = Vec::new();
    for check in CHECKS.iter().filter(|check| check.is_made(level, preflight, target.input.online))
    {
        if let Run::Target(run) = check.run {
            match run(target).await {
                // A source that was not reached has said so itself; the target is looked at alone.
                Err(fault) if fault.code == SOURCE_FACTS_MISSING && alone => {}
                looked => made.push(judge(check, looked)),
            }
        }
    }
    made
}

/// When it could not be asked, the check of each database has said so.
fn tell(existing: Result<Vec<Existing>, Fault>) -> Vec<ExistingDatabase> {
    let told = |found: Existing| ExistingDatabase { database: found.database, oid: found.oid };
    existing.unwrap_or_default().into_iter().map(told).collect()
}
