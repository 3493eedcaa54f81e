//! `migration show`.
use whimbrel_proto::v1::{GetMigrationRequest, ListMigrationTablesRequest, TableProgress};

use super::{full_name, print_whole};
use crate::{
    args::migration::Show,
    client::{PAGE_SIZE, call},
    failure::Failure,
    render::migration::Migration,
    verb::Session,
};

pub(super) async fn run(session: &Session, args: Show) -> Result<(), Failure> {
    let name = full_name(&args.migration)?;
    let request = call(GetMigrationRequest { name: name.clone() });
    let answer = session.client.migrations().get_migration(request).await?;
    let mut migration = Migration::from(&answer.into_inner());
    if args.tables {
        migration.set_tables(&tables(session, &name).await?);
    }
    print_whole(session, &migration)
}

async fn tables(session: &Session, name: &str) -> Result<Vec<TableProgress>, Failure> {
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListMigrationTablesRequest {
            parent: name.to_owned(),
            page_size: PAGE_SIZE,
            page_token,
        };
        let answer = session.client.migrations().list_migration_tables(call(request)).await?;
        let page = answer.into_inner();
        found.extend(page.tables);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(found);
        }
    }
}
