//! The checks of a source.
use bytes::Bytes;
use futures_util::{StreamExt as _, future::BoxFuture, stream};
use prost_types::Timestamp;
use whimbrel_proto::{
    agent::v1::{CheckLevel, Checked, Selection},
    v1::{DatabaseValidation, FindingState, Validation},
};

use super::{
    check::{At, Level, Run, Source},
    facts::{DatabaseFacts, SourceFacts},
    finding::{Found, details, judge, now, validation},
    gather,
    session::{CONNECTING, Role, open_database, open_server},
    table::CHECKS,
};
use crate::{
    fault::{Fault, Policy},
    postgres::{Client, Endpoint, MAINTENANCE_DATABASE, Programs},
    selection::Selected,
};

/// Databases that are looked into at once: enough to hide the network's latency, few enough for a busy server.
const DATABASES_AT_ONCE: usize = 4;

/// What a source is checked for.
#[derive(Debug)]
pub struct SourceInput<'a> {
    /// The server.
    pub endpoint: &'a Endpoint,
    /// Those that are to be migrated.
    pub databases: &'a [String],
    /// Which objects of them, as it was ordered.
    pub selection: &'a Selection,
    /// The same, for queries.
    pub selected: &'a Selected,
    /// How much is checked.
    pub level: CheckLevel,
    /// The migration has a change stream.
    pub online: bool,
    /// Roles are to be made on the target.
    pub migrate_roles: bool,
    /// The client programs at hand.
    pub programs: &'a Programs,
}

/// The name of the check that reading what the target's checks need is; it is told when it fails.
const FACTS: &str = "SourceFactsValidation";

/// One database's checks, with what the target's agent must know of it.
type OfDatabase = (DatabaseValidation, Option<DatabaseFacts>);

/// Checks a source. What goes wrong is a finding.
pub async fn check_source(input: &SourceInput<'_>) -> Checked {
    let start_time = now();
    let first = input.databases.first().map(String::as_str);
    let candidates: Vec<&str> = [MAINTENANCE_DATABASE].into_iter().chain(first).collect();
    let (client, role) = match open_server(input.endpoint, &candidates).await {
        Ok(session) => session,
        Err(found) => return only(start_time, validation(CONNECTING, vec![found])),
    };
    let on_server = Source { input, client: &client, role: &role, database: "" };
    let mut server = vec![validation(CONNECTING, Vec::new())];
    server.extend(make(&on_server, Level::Server).await);
    let looking: Vec<BoxFuture<'_, OfDatabase>> = input
        .databases
        .iter()
        .map(|database| Box::pin(look_at(input, &client, &role, database)) as BoxFuture<'_, _>)
        .collect();
    let looked: Vec<OfDatabase> = stream::iter(looking).buffered(DATABASES_AT_ONCE).collect().await;
    let (databases, facts): (Vec<_>, Vec<_>) = looked.into_iter().unzip();
    let facts = facts.into_iter().flatten().collect();
    let facts = gather::of_server(&client, facts, input.migrate_roles).await;
    server.extend(interrupted(&facts));
    Checked {
        findings: Some(details(start_time, server, databases)),
        facts: tell(facts),
        existing: Vec::new(),
    }
}

/// The server did not let us in: nothing else can be said.
pub(super) fn only(start_time: Timestamp, connecting: Validation) -> Checked {
    let findings = Some(details(start_time, vec![connecting], Vec::new()));
    Checked { findings, ..Checked::default() }
}

async fn make(source: &Source<'_>, level: Level) -> Vec<Validation> {
    let preflight = source.input.level == CheckLevel::Preflight;
    let mut made = Vec::new();
    for check in CHECKS.iter().filter(|check| check.is_made(level, preflight, source.input.online))
    {
        if let Run::Source(run) = check.run {
            made.push(judge(check, run(source).await));
        }
    }
    made
}

async fn look_at(
    input: &SourceInput<'_>,
    server: &Client,
    role: &Role,
    database: &str,
) -> OfDatabase {
    let start_time = Some(now());
    let outside = Source { input, client: server, role, database };
    let mut validations = make(&outside, Level::Database).await;
    let mut facts = None;
    let failed = FindingState::FindingFailed as i32;
    // A database that is not there, or lets nobody in, has said why already.
    if validations.iter().all(|validation| validation.state != failed) {
        match open_database(input.endpoint, database).await {
            Ok(client) => {
                validations.push(validation(CONNECTING, Vec::new()));
                let inside = Source { input, client: &client, role, database };
                validations.extend(make(&inside, Level::InDatabase).await);
                let gathered = gather::of_database(&client, input.selected).await;
                validations.extend(untold(&gathered));
                facts = note(database, gathered);
            }
            Err(found) => validations.push(validation(CONNECTING, vec![found])),
        }
    }
    let database = database.to_owned();
    (DatabaseValidation { database, start_time, end_time: Some(now()), validations }, facts)
}

/// The target can't be checked for a database that is not known: said once, here.
fn untold(facts: &Result<DatabaseFacts, Fault>) -> Option<Validation> {
    let fault = facts.as_ref().err()?;
    Some(validation(FACTS, vec![Found::impossible(fault.clone(), At::Preflight)]))
}

/// A server that went away while it was asked is not one whose answer is missing.
fn interrupted<T>(facts: &Result<T, Fault>) -> Option<Validation> {
    let fault = facts.as_ref().err().filter(|fault| fault.policy == Policy::Away)?;
    Some(validation(CONNECTING, vec![Found::impossible(fault.clone(), At::Prerequisites)]))
}

/// The target's checks say what they could not know; here is why.
fn note<T>(of: &str, facts: Result<T, Fault>) -> Option<T> {
    facts.inspect_err(|fault| tracing::warn!(of, %fault, "no facts for the target's checks")).ok()
}

fn tell(facts: Result<SourceFacts, Fault>) -> Bytes {
    note("server", facts).map(|facts| facts.to_bytes()).unwrap_or_default().into()
}
