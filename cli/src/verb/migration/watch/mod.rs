//! `migration watch`: bars on a terminal, a line a change elsewhere, a document a change for programs. Ends with the
//! migration, and with its exit status.
mod bars;
mod lines;

use std::io::{self, IsTerminal as _};

use whimbrel_proto::v1::WatchMigrationResponse;

use super::{full_name, hint_next, print_whole, standing::not_succeeded};
use crate::{
    args::{Format, migration::MigrationRef},
    failure::Failure,
    follow::Follower,
    render::migration::Migration,
    verb::Session,
};
use bars::Bars;
pub(super) use lines::Lines;

/// How it is shown.
enum View {
    Bars(Box<Bars>),
    Lines(Lines),
    Documents,
}

pub(super) async fn run(session: &Session, args: &MigrationRef) -> Result<(), Failure> {
    let name = full_name(args)?;
    let mut view = match session.screen.format {
        Format::Table if io::stdout().is_terminal() => View::Bars(Box::default()),
        Format::Table => View::Lines(Lines::default()),
        Format::Json | Format::Yaml => View::Documents,
    };
    let tables = matches!(view, View::Bars(_));
    let mut follower = Follower::new(&session.client, name, tables);
    let mut last = None;
    while let Some(response) = follower.next().await? {
        let Some(migration) = &response.migration else { continue };
        view.show(session, &response, &Migration::from(migration))?;
        last = response.migration;
    }
    let Some(migration) = last else { return Ok(()) };
    view.close(session, &Migration::from(&migration))?;
    not_succeeded(&migration).map_or(Ok(()), Err)
}

impl View {
    fn show(
        &mut self,
        session: &Session,
        response: &WatchMigrationResponse,
        migration: &Migration,
    ) -> Result<(), Failure> {
        match self {
            Self::Bars(bars) => Ok(bars.show(response, migration)?),
            Self::Lines(lines) => lines
                .changes(response, migration)
                .iter()
                .try_for_each(|line| session.screen.line(line)),
            Self::Documents => session.screen.print_one(migration, String::new),
        }
    }

    fn close(&self, session: &Session, migration: &Migration) -> Result<(), Failure> {
        if let Self::Bars(bars) = self {
            bars.clear()?;
            print_whole(session, migration)?;
            return Ok(());
        }
        hint_next(session, migration);
        Ok(())
    }
}
