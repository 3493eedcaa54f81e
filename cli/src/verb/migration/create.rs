//! `migration create`.
use whimbrel_proto::{
    name,
    v1::{
        CreateMigrationRequest, GetTargetRequest, Migration, MigrationSpec, Secret,
        migration_status::SubState,
    },
};

use super::{
    draft::{Draft, Given, draft},
    full_name, hint_next, print_acted, print_whole,
    standing::{needs_person, not_succeeded},
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
        password::{Asked, resolve, seal_to},
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
        let agent = acting_agent(session, migration, [&spec.source_agent, &spec.agent]).await?;
        let asked = ("--source-password", "Password of the source");
        let secret = read(session, &mut reader, given, asked, agent).await?;
        spec.source.get_or_insert_default().password = Some(secret);
    }
    if let Some(given) = draft.target_password {
        let agent = acting_agent(session, migration, [&spec.agent, ""]).await?;
        let asked = ("--target-password", "Password of the target");
        let secret = read(session, &mut reader, given, asked, agent).await?;
        spec.target_override.get_or_insert_default().password = Some(secret);
    }
    Ok(spec)
}

async fn read(
    session: &Session,
    reader: &mut Reader,
    given: Given,
    (option, whose): (&'static str, &str),
    agent: String,
) -> Result<Secret, Failure> {
    match given {
        Given::Reference(secret) => Ok(secret),
        Given::Option(text) => {
            resolve(session, reader, &Asked { option, whose, text: &text }, &[agent]).await
        }
        Given::File(password) => {
            session.screen.warn(&format!(
                "warning: a password stands in the properties file; it was sealed to the agent, but {option} env:VAR, \
                 file:PATH or pgpass would keep it out of the file"
            ));
            seal_to(session, &password, &[agent]).await
        }
    }
}

/// The agent that is to open a password: the first that is named, else the target's.
pub(super) async fn acting_agent(
    session: &Session,
    migration: &MigrationRef,
    named: [&str; 2],
) -> Result<String, Failure> {
    if let Some(agent) = named.into_iter().find(|agent| !agent.is_empty()) {
        return Ok(agent.to_owned());
    }
    let request = call(GetTargetRequest { name: name::target(&migration.target) });
    Ok(session.client.targets().get_target(request).await?.into_inner().agent)
}

/// Until it is over or waits for its cutover. What stands still until somebody acts is a bad end.
async fn wait_for_end(session: &Session, migration: &MigrationRef) -> Result<(), Failure> {
    let mut follower = Follower::new(&session.client, full_name(migration)?, false);
    while let Some(response) = follower.next().await? {
        let Some(migration) = response.migration else { continue };
        let Some(end) = end_of(&migration) else { continue };
        let shown = render::migration::Migration::from(&migration);
        print_whole(session, &shown)?;
        if end.is_ok() && !is_over(&migration) {
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
