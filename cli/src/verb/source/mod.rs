//! `source …`.
mod compare;
mod databases;
mod test;

use super::Session;
use crate::{args::target::SourceCommand, failure::Failure};

pub(super) async fn run(session: &Session, command: SourceCommand) -> Result<(), Failure> {
    match command {
        SourceCommand::Test(args) => test::run(session, args).await,
        SourceCommand::Compare(args) => compare::run(session, args).await,
        SourceCommand::Databases(args) => databases::run(session, args).await,
    }
}
