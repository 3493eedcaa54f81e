//! Would row security hide rows from our role?
use serde::Deserialize;

use crate::{
    fault::Fault,
    preflight::{
        ask::ask,
        check::{At, Check, Level, Run, Source},
        finding::Found,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "RowSecurityValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Table {
    name: String,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing = format!("asking for row security in database {}", source.database);
    let tables: Vec<Table> =
        ask(source.client, &doing, &source.chosen(include_str!("../sql/row_security.sql")), &[])
            .await?;
    let role = source.role;
    let finding = |table: Table| {
        let message = format!("row security of {} hides rows from role {}", table.name, role.name);
        Found::failed("RowSecurityHidesRows", message)
            .object(table.name)
            .remedy(format!("alter role {} with bypassrls;", role.quoted()))
    };
    Ok(tables.into_iter().map(finding).collect())
}
