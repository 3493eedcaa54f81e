//! `migration cutover`. With `--wait`: 0 when every database of it is switched, 1 when one stepped back, failed, or
//! stands still.
use std::collections::BTreeSet;

use whimbrel_proto::v1::{
    CutoverMigrationRequest, DatabaseStatus, Migration, WatchMigrationResponse,
    database_status::State,
};

use super::{
    full_name, print_acted, print_whole,
    standing::{ended, needs_person_for},
    watch::Lines,
};
use crate::{
    args::migration::Cutover,
    client::{call, request_id},
    failure::Failure,
    follow::{Follower, is_over},
    render,
    verb::{Session, duration},
};

/// The event of a cutover that went back.
const STEPPED_BACK: &str = "CutoverSteppedBack";

pub(super) async fn run(session: &Session, args: Cutover) -> Result<(), Failure> {
    let name = full_name(&args.migration)?;
    let max_latency = args.max_latency.map(|time| duration("--max-latency", time)).transpose()?;
    let wait = args.wait;
    let request = CutoverMigrationRequest {
        name: name.clone(),
        databases: args.databases,
        max_latency,
        fence: args.fence,
        allow_source_writes: args.allow_source_writes,
        etag: String::new(),
        request_id: request_id(),
    };
    if wait { run_and_wait(session, request).await } else { ask(session, request).await }
}

async fn ask(session: &Session, request: CutoverMigrationRequest) -> Result<(), Failure> {
    let answer = session.client.migrations().cutover_migration(call(request)).await?;
    print_acted(session, &answer.into_inner(), "is being cut over")
}

/// The watch is opened first, so that a step back that is over in a moment is still seen, as an event.
async fn run_and_wait(session: &Session, request: CutoverMigrationRequest) -> Result<(), Failure> {
    let mut follower = Follower::new(&session.client, request.name.clone(), false);
    let Some(before) = follower.next().await? else {
        return ask(session, request).await;
    };
    let mut watched = Watched::new(scope(&request.databases, before.migration.as_ref()));
    session.client.migrations().cutover_migration(call(request)).await?;
    let mut lines = Lines::default();
    while let Some(response) = follower.next().await? {
        let Some(migration) = &response.migration else { continue };
        let shown = render::migration::Migration::from(migration);
        let Some(end) = watched.end_of(&response, migration) else {
            lines.changes(&response, &shown).iter().for_each(|line| session.screen.hint(line));
            continue;
        };
        print_whole(session, &shown)?;
        return end;
    }
    Ok(())
}

/// The databases that this cutover is of: the named ones, else all that waited for it.
fn scope(named: &[String], before: Option<&Migration>) -> Vec<String> {
    if !named.is_empty() {
        return named.to_vec();
    }
    databases(before)
        .filter(|database| database.state() == State::WaitingForCutoverTrigger)
        .map(|database| database.database.clone())
        .collect()
}

fn databases(migration: Option<&Migration>) -> impl Iterator<Item = &DatabaseStatus> + Clone {
    migration.and_then(|migration| migration.status.as_ref()).into_iter().flat_map(|s| &s.databases)
}

/// The databases of one cutover, and what was seen of them since it was asked for.
struct Watched {
    scope: Vec<String>,
    /// Those that were seen to be on their way; the watch may still tell what was before.
    left: BTreeSet<String>,
}

impl Watched {
    fn new(scope: Vec<String>) -> Self {
        Self { scope, left: BTreeSet::new() }
    }

    fn end_of(
        &mut self,
        response: &WatchMigrationResponse,
        migration: &Migration,
    ) -> Option<Result<(), Failure>> {
        let ours: Vec<_> = databases(Some(migration))
            .filter(|database| self.scope.contains(&database.database))
            .collect();
        if let Some(back) = ours.iter().find_map(|database| self.back(response, database)) {
            return Some(Err(back));
        }
        if ours.iter().all(|database| database.state() == State::Succeeded) {
            return Some(Ok(()));
        }
        ours.iter()
            .find_map(|database| bad_end(migration, database))
            .or_else(|| is_over(migration).then(|| ended(migration)))
            .map(Err)
    }

    /// A step back is an event; or the database waits again after it was on its way.
    fn back(
        &mut self,
        response: &WatchMigrationResponse,
        database: &DatabaseStatus,
    ) -> Option<Failure> {
        let name = &database.database;
        let event =
            response.events.iter().find(|e| e.r#type == STEPPED_BACK && e.database == *name);
        let waits = database.state() == State::WaitingForCutoverTrigger;
        if !waits {
            self.left.insert(name.clone());
        }
        if event.is_none() && !(waits && self.left.contains(name)) {
            return None;
        }
        let message = event.map_or(&database.message, |event| &event.message);
        let code = event.map(|event| &event.code).filter(|code| !code.is_empty());
        Some(Failure::BadEnd {
            message: format!("the cutover of {name} stepped back: {message}"),
            code: code.unwrap_or(&database.message_code).clone(),
            remedy: "mend what it says, then ask for the cutover again".to_owned(),
        })
    }
}

fn bad_end(migration: &Migration, database: &DatabaseStatus) -> Option<Failure> {
    match database.state() {
        State::Failed | State::Canceled => Some(Failure::BadEnd {
            message: format!("{} was not switched: {}", database.database, database.message),
            code: database.message_code.clone(),
            remedy: String::new(),
        }),
        _ => needs_person_for(migration, database),
    }
}

#[cfg(test)]
mod tests {
    use whimbrel_proto::v1::{Hold, MigrationEvent, MigrationStatus, hold};

    use super::*;

    fn migration(databases: &[(&str, State)]) -> Migration {
        let database = |(name, state): &(&str, State)| DatabaseStatus {
            database: (*name).to_owned(),
            state: (*state).into(),
            ..<_>::default()
        };
        let databases = databases.iter().map(database).collect();
        let status = MigrationStatus { databases, ..<_>::default() };
        Migration { status: Some(status), ..<_>::default() }
    }

    fn exit(scope: &[&str], migration: &Migration, events: Vec<MigrationEvent>) -> Option<u8> {
        let mut watched = Watched::new(scope.iter().map(|name| (*name).to_owned()).collect());
        let response = WatchMigrationResponse { events, ..<_>::default() };
        let end = watched.end_of(&response, migration)?;
        Some(end.err().map_or(0, |failure| failure.exit()))
    }

    #[test]
    fn all_that_waited_are_meant_when_none_is_named() {
        let before = migration(&[("a", State::WaitingForCutoverTrigger), ("b", State::InProgress)]);
        assert_eq!(scope(&[], Some(&before)), ["a"]);
        assert_eq!(scope(&["b".into()], Some(&before)), ["b"]);
    }

    #[test]
    fn it_is_done_when_its_own_databases_are() {
        let half = migration(&[("a", State::Succeeded), ("b", State::InProgress)]);
        assert_eq!(exit(&["a"], &half, vec![]), Some(0));
        assert_eq!(exit(&["a", "b"], &half, vec![]), None);
    }

    #[test]
    fn a_step_back_is_a_bad_end() {
        let back = MigrationEvent {
            r#type: STEPPED_BACK.into(),
            database: "a".into(),
            code: "SourceStillWritten".into(),
            ..<_>::default()
        };
        let again = migration(&[("a", State::WaitingForCutoverTrigger)]);
        assert_eq!(exit(&["a"], &again, vec![back.clone()]), Some(1));
        assert_eq!(exit(&["b"], &migration(&[("b", State::InProgress)]), vec![back]), None);
    }

    #[test]
    fn waiting_again_is_a_step_back_but_waiting_still_is_not() {
        let mut watched = Watched::new(vec!["a".into()]);
        let waits = migration(&[("a", State::WaitingForCutoverTrigger)]);
        let none = WatchMigrationResponse::default();
        assert!(watched.end_of(&none, &waits).is_none(), "told by the watch from before");
        let going = migration(&[("a", State::InProgress)]);
        assert!(watched.end_of(&none, &going).is_none());
        assert_eq!(watched.end_of(&none, &waits).unwrap().unwrap_err().exit(), 1);
    }

    #[test]
    fn a_failure_or_a_hold_is_a_bad_end() {
        assert_eq!(exit(&["a"], &migration(&[("a", State::Failed)]), vec![]), Some(1));
        let mut held = migration(&[("a", State::InProgress)]);
        held.status.as_mut().unwrap().databases[0].hold =
            Some(Hold { kind: hold::Kind::Held.into(), ..<_>::default() });
        assert_eq!(exit(&["a"], &held, vec![]), Some(1));
    }
}
