//! `migration cutover`. With `--wait`: 0 when every database of it is switched, 1 when one stepped back, failed, or
//! stands still.
use whimbrel_proto::v1::{
    CutoverMigrationRequest, DatabaseStatus, Migration, WatchMigrationResponse,
    database_status::State,
};

use super::{
    full_name, print_acted, print_whole,
    standing::{ended, needs_person_for},
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
    let scope = scope(&request.databases, before.migration.as_ref());
    session.client.migrations().cutover_migration(call(request)).await?;
    while let Some(response) = follower.next().await? {
        let Some(migration) = &response.migration else { continue };
        let Some(end) = end_of(&scope, &response, migration) else { continue };
        print_whole(session, &render::migration::Migration::from(migration))?;
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

fn end_of(
    scope: &[String],
    response: &WatchMigrationResponse,
    migration: &Migration,
) -> Option<Result<(), Failure>> {
    let is_ours = |database: &str| scope.iter().any(|ours| ours == database);
    let back = response.events.iter().find(|event| {
        event.r#type == STEPPED_BACK && (is_ours(&event.database) || event.database.is_empty())
    });
    if let Some(event) = back {
        return Some(Err(Failure::BadEnd {
            message: format!("the cutover of {} stepped back: {}", event.database, event.message),
            code: event.code.clone(),
            remedy: "mend what it says, then ask for the cutover again".to_owned(),
        }));
    }
    let mut ours = databases(Some(migration)).filter(|database| is_ours(&database.database));
    if ours.clone().all(|database| database.state() == State::Succeeded) {
        return Some(Ok(()));
    }
    ours.find_map(|database| bad_end(migration, database))
        .or_else(|| is_over(migration).then(|| ended(migration)))
        .map(Err)
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
        let scope: Vec<_> = scope.iter().map(|name| (*name).to_owned()).collect();
        let response = WatchMigrationResponse { events, ..<_>::default() };
        let end = end_of(&scope, &response, migration)?;
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
    fn a_failure_or_a_hold_is_a_bad_end() {
        assert_eq!(exit(&["a"], &migration(&[("a", State::Failed)]), vec![]), Some(1));
        let mut held = migration(&[("a", State::InProgress)]);
        held.status.as_mut().unwrap().databases[0].hold =
            Some(Hold { kind: hold::Kind::Held.into(), ..<_>::default() });
        assert_eq!(exit(&["a"], &held, vec![]), Some(1));
    }
}
