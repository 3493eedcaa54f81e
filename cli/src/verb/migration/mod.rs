//! `migration …`.
mod check_name;
mod compare;
mod confirm_overwrite;
mod create;
mod cutover;
mod delete;
mod draft;
mod events;
mod list;
mod passwords;
mod report;
mod show;
mod standing;
mod steer;
mod update;
mod wait;
mod watch;

use whimbrel_proto::{name, v1};

use super::Session;
use crate::{
    args::migration::{MigrationCommand, MigrationRef},
    failure::Failure,
    render::{migration::Migration, next::next, page::page},
};

pub(super) async fn run(session: &Session, command: MigrationCommand) -> Result<(), Failure> {
    use steer::Act;
    match command {
        MigrationCommand::CheckName(args) => check_name::run(session, args).await,
        MigrationCommand::Create(args) => create::run(session, args).await,
        MigrationCommand::ConfirmOverwrite(args) => confirm_overwrite::run(session, &args).await,
        MigrationCommand::Update(args) => update::run(session, args).await,
        MigrationCommand::List(args) => list::run(session, args).await,
        MigrationCommand::Show(args) => show::run(session, args).await,
        MigrationCommand::Watch(args) => watch::run(session, &args).await,
        MigrationCommand::Wait(args) => wait::run(session, &args).await,
        MigrationCommand::Events(args) => events::run(session, args).await,
        MigrationCommand::Compare(args) => compare::run(session, args).await,
        MigrationCommand::Report(args) => report::run(session, &args).await,
        MigrationCommand::Cutover(args) => cutover::run(session, args).await,
        MigrationCommand::Cancel(args) => steer::run(session, Act::Cancel, args, Vec::new()).await,
        MigrationCommand::LeaveSource(args) => {
            steer::run(session, Act::LeaveSource, args, Vec::new()).await
        }
        MigrationCommand::Pause(args) => steer::run(session, Act::Pause, args, Vec::new()).await,
        MigrationCommand::Resume(args) => steer::run(session, Act::Resume, args, Vec::new()).await,
        MigrationCommand::Retry(args) => {
            steer::run(session, Act::Retry, args.steer, args.tables).await
        }
        MigrationCommand::Delete(args) => delete::run(session, &args).await,
    }
}

/// `targets/{target}/migrations/{migration}`. What can't be a part of it is refused here: a slash in it would ask for
/// something else.
fn full_name(migration: &MigrationRef) -> Result<String, Failure> {
    let usage = |error: name::InvalidName| Failure::Usage(error.to_string());
    name::check_id("--target", &migration.target).map_err(usage)?;
    name::check_id("NAME", &migration.name).map_err(usage)?;
    Ok(name::migration(&migration.target, &migration.name))
}

/// After an act: one line for people, the whole for programs, and what to do next.
fn print_acted(session: &Session, migration: &v1::Migration, done: &str) -> Result<(), Failure> {
    let migration = Migration::from(migration);
    let line = || format!("{} {done}: {}", migration.name, migration.where_it_is());
    session.screen.print(&migration, line)?;
    hint_next(session, &migration);
    Ok(())
}

/// The whole state.
fn print_whole(session: &Session, migration: &Migration) -> Result<(), Failure> {
    session.screen.print(migration, || page(migration, &session.screen))
}

fn hint_next(session: &Session, migration: &Migration) {
    if let Some(next) = next(migration) {
        session.screen.hint(&format!("next: {next}"));
    }
}
