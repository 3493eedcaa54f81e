//! Replica identities with generated columns, which the change stream does not have.
use serde::Deserialize;

use crate::{
    fault::Fault,
    postgres::qualified,
    preflight::{
        ask::ask,
        check::{At, Check, Level, Run, Source},
        finding::Found,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "GeneratedIdentityValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: true,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Table {
    schema: String,
    name: String,
    columns: String,
    /// The identity is the whole row.
    whole: bool,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing = format!("looking for generated keys in database {}", source.database);
    let sql = &source.chosen(include_str!("../sql/generated_identity.sql"));
    let tables: Vec<Table> = ask(source.client, &doing, sql, &[]).await?;
    let major = source.client.server_major();
    Ok(tables.iter().map(|table| finding(table, major)).collect())
}

fn finding(table: &Table, major: u32) -> Found {
    let Table { schema, name, columns, whole } = table;
    let label = format!("{schema}.{name}");
    let message = if *whole || major >= 18 {
        format!(
            "the replica identity of {label} has generated columns ({columns}): once the table is published, the server \
             refuses the application's updates and deletes of it"
        )
    } else {
        format!(
            "the replica identity of {label} has generated columns ({columns}), which the change stream leaves out: \
             updates and deletes would find no row"
        )
    };
    let alter = format!("alter table {} replica identity", qualified(schema, name));
    let remedy = if major >= 18 {
        format!(
            "{alter} nothing; -- or using an index without generated columns, until the migration is over"
        )
    } else {
        format!("{alter} full;")
    };
    Found::failed("ReplicaIdentityGenerated", message).object(label).remedy(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_is_one_that_the_version_bears() {
        let table =
            |whole| Table { schema: "s".into(), name: "t".into(), columns: "g".into(), whole };
        let remedy = |whole, major| format!("{:?}", finding(&table(whole), major));
        assert!(remedy(false, 17).contains("replica identity full;"));
        assert!(remedy(true, 18).contains("replica identity nothing;"));
    }
}
