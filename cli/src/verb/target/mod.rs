//! `target …`.
mod change;
mod create;
mod delete;
mod list;
mod show;
mod test;

use super::Session;
use crate::{args::target::TargetCommand, failure::Failure};

pub(super) async fn run(session: &Session, command: TargetCommand) -> Result<(), Failure> {
    match command {
        TargetCommand::Create(args) => create::run(session, args).await,
        TargetCommand::List => list::run(session).await,
        TargetCommand::Show(target) => show::run(session, &target.name).await,
        TargetCommand::Update(args) => change::run(session, args).await,
        TargetCommand::Delete(target) => delete::run(session, &target.name).await,
        TargetCommand::Test(target) => test::run(session, &target.name).await,
    }
}
