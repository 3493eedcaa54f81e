//! `migration events`, and on with `--follow` until the migration is over.
use whimbrel_proto::v1::{ListMigrationEventsRequest, MigrationEvent};

use super::full_name;
use crate::{
    args::migration::Events,
    client::{PAGE_SIZE, call},
    failure::Failure,
    follow::Follower,
    render::event::Event,
    verb::Session,
};

pub(super) async fn run(session: &Session, args: Events) -> Result<(), Failure> {
    let name = full_name(&args.migration)?;
    if !args.follow {
        return list(session, &name, 0).await.map(drop);
    }
    // The watch begins before the list ends, so that no event falls between them.
    let mut follower = Follower::new(&session.client, name.clone(), false);
    let mut newest = 0;
    let mut listed = false;
    while let Some(response) = follower.next().await? {
        if !listed {
            newest = list(session, &name, newest).await?;
            listed = true;
        }
        for event in &response.events {
            newest = print(session, event, newest)?;
        }
    }
    Ok(())
}

/// Prints what comes after `newest`; the newest then.
async fn list(session: &Session, name: &str, mut newest: u64) -> Result<u64, Failure> {
    let mut page_token = String::new();
    loop {
        let request = ListMigrationEventsRequest {
            parent: name.to_owned(),
            page_size: PAGE_SIZE,
            page_token,
        };
        let answer = session.client.migrations().list_migration_events(call(request)).await?;
        let page = answer.into_inner();
        for event in &page.events {
            newest = print(session, event, newest)?;
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(newest);
        }
    }
}

/// Once each: the list and the watch overlap.
fn print(session: &Session, event: &MigrationEvent, newest: u64) -> Result<u64, Failure> {
    if event.sequence <= newest {
        return Ok(newest);
    }
    let shown = Event::from(event);
    session.screen.print_one(&shown, || shown.line())?;
    Ok(shown.sequence)
}
