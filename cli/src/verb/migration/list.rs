//! `migration list`.
use whimbrel_proto::{
    name,
    v1::{ListMigrationsRequest, list_migrations_request::Filter},
};

use crate::{
    args::migration::{FilterArg, List},
    client::{PAGE_SIZE, call},
    failure::Failure,
    render::migration::{Migration, table},
    verb::Session,
};

/// The parent that stands for all targets.
const ALL_TARGETS: &str = "-";

pub(super) async fn run(session: &Session, args: List) -> Result<(), Failure> {
    let filter = match args.filter {
        None => Filter::Unspecified,
        Some(FilterArg::Active) => Filter::Active,
        Some(FilterArg::All) => Filter::All,
    };
    let parent = name::target(args.target.as_deref().unwrap_or(ALL_TARGETS));
    let mut found: Vec<Migration> = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListMigrationsRequest {
            parent: parent.clone(),
            page_size: PAGE_SIZE,
            page_token,
            filter: filter.into(),
        };
        let answer = session.client.migrations().list_migrations(call(request)).await?;
        let page = answer.into_inner();
        found.extend(page.migrations.iter().map(Into::into));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if found.is_empty() && args.filter != Some(FilterArg::All) {
        session.screen.hint("none that is not over; next: whimbrel migration list --filter all");
    }
    session.screen.print(&found, || table(&found, &session.screen))
}
