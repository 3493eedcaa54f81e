//! `migration create`.
use whimbrel_proto::{
    name,
    v1::{CreateMigrationRequest, Migration, MigrationSpec, migration_status::SubState},
};

use super::{
    draft::{Draft, Given, draft},
    full_name, hint_next,
    passwords::{PasswordOf, SOURCE, TARGET, seal},
    print_acted, print_whole,
    standing::{needs_person, not_succeeded},
    watch::Lines,
};
use crate::{
    args::migration::{Create, MigrationRef},
    client::{call, request_id},
    failure::Failure,
    follow::{Follower, is_over},
    properties, render,
    secret::Reader,
    verb::{
        Session,
        password::{Found, find},
    },
};

pub(super) async fn run(session: &Session, args: Create) -> Result<(), Failure> {
    let (migration, wait) = (args.migration.clone(), args.wait);
    let file = match &args.properties {
        Some(path) => properties::read(path)?,
        None => properties::Properties::default(),
    };
    let spec = with_passwords(session, &migration, draft(args, file)?).await?;
    let request = CreateMigrationRequest {
        parent: name::target(&migration.target),
        migration_id: migration.name.clone(),
        spec: Some(spec),
        validate_only: false,
        request_id: request_id(),
    };
    let created = session.client.migrations().create_migration(call(request)).await?.into_inner();
    if wait {
        return wait_for_end(session, &migration).await;
    }
    print_acted(session, &created, "created")
}

async fn with_passwords(
    session: &Session,
    migration: &MigrationRef,
    draft: Draft,
) -> Result<MigrationSpec, Failure> {
    let mut spec = draft.spec;
    let mut reader = Reader::default();
    if let Some(given) = draft.source_password {
        let named = [spec.source_agent.as_str(), &spec.agent];
        let secret = match look(session, &mut reader, &SOURCE, given)? {
            Found::Reference(secret) => secret,
            Found::Password(password) => seal(session, &password, migration, named).await?,
        };
        spec.source.get_or_insert_default().password = Some(secret);
    }
    if let Some(given) = draft.target_password {
        let secret = match look(session, &mut reader, &TARGET, given)? {
            Found::Reference(secret) => secret,
            Found::Password(password) => {
                seal(session, &password, migration, [&spec.agent, ""]).await?
            }
        };
        spec.target_override.get_or_insert_default().password = Some(secret);
    }
    Ok(spec)
}

fn look(
    session: &Session,
    reader: &mut Reader,
    of: &PasswordOf,
    given: Given,
) -> Result<Found, Failure> {
    match given {
        Given::Reference(secret) => Ok(Found::Reference(secret)),
        Given::Option(text) => find(reader, &of.asked(&text)),
        Given::File(password) => {
            session.screen.warn(&format!(
                "warning: a password stands in the properties file; it is sealed to the agent, but {} env:VAR, \
                 file:PATH or pgpass would keep it out of the file",
                of.option
            ));
            Ok(Found::Password(password))
        }
    }
}

/// Until it is over or waits for its cutover. What stands still until somebody acts is a bad end.
async fn wait_for_end(session: &Session, migration: &MigrationRef) -> Result<(), Failure> {
    let mut follower = Follower::new(&session.client, full_name(migration)?, false);
    let mut lines = Lines::default();
    while let Some(response) = follower.next().await? {
        let Some(migration) = &response.migration else { continue };
        let shown = render::migration::Migration::from(migration);
        let Some(end) = end_of(migration) else {
            lines.changes(&response, &shown).iter().for_each(|line| session.screen.hint(line));
            continue;
        };
        print_whole(session, &shown)?;
        if end.is_ok() && !is_over(migration) {
            hint_next(session, &shown);
        }
        return end;
    }
    Ok(())
}

fn end_of(migration: &Migration) -> Option<Result<(), Failure>> {
    if is_over(migration) {
        return Some(not_succeeded(migration).map_or(Ok(()), Err));
    }
    if let Some(held) = needs_person(migration) {
        return Some(Err(held));
    }
    match migration.status.as_ref()?.sub_state() {
        SubState::WaitingForCutoverTrigger => Some(Ok(())),
        SubState::WaitingForTargetDbOverwriteConfirmation => {
            let shown = render::migration::Migration::from(migration);
            Some(Err(Failure::BadEnd {
                message: format!(
                    "{} waits: databases of the same name are on the target",
                    shown.name
                ),
                code: String::new(),
                remedy: render::next::next(&shown).unwrap_or_default(),
            }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use whimbrel_proto::v1::{Hold, MigrationStatus, hold, migration_status::State};

    use super::*;

    fn at(state: State, sub_state: SubState) -> Migration {
        let status =
            MigrationStatus { state: state.into(), sub_state: sub_state.into(), ..<_>::default() };
        Migration { status: Some(status), ..<_>::default() }
    }

    #[test]
    fn it_ends_where_the_contract_says() {
        let going = at(State::InProgress, SubState::MigratingData);
        assert!(end_of(&going).is_none());
        let waiting = at(State::WaitingForUserAction, SubState::WaitingForCutoverTrigger);
        assert!(end_of(&waiting).unwrap().is_ok());
        assert!(end_of(&at(State::Succeeded, SubState::Completed)).unwrap().is_ok());
        for state in [State::Failed, State::ValidationFailed, State::Canceled] {
            let end = end_of(&at(state, SubState::Failed)).unwrap();
            assert_eq!(end.unwrap_err().exit(), 1, "{state:?}");
        }
        let asks =
            at(State::WaitingForUserAction, SubState::WaitingForTargetDbOverwriteConfirmation);
        assert_eq!(end_of(&asks).unwrap().unwrap_err().exit(), 1);
        let mut held = going;
        held.status.as_mut().unwrap().hold =
            Some(Hold { kind: hold::Kind::NeedsCredentials.into(), ..<_>::default() });
        assert_eq!(end_of(&held).unwrap().unwrap_err().exit(), 1);
    }
}
