//! Foreign keys whose triggers somebody disabled: rows may violate them, and on the target they are enforced.
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
    type_name: "ForeignKeysValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Disabled {
    schema: String,
    table: String,
    keys: Vec<String>,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing = format!("looking for disabled foreign keys in database {}", source.database);
    let sql = &source.chosen(include_str!("../sql/disabled_foreign_keys.sql"));
    let tables: Vec<Disabled> = ask(source.client, &doing, sql, &[]).await?;
    Ok(tables.iter().map(finding).collect())
}

fn finding(disabled: &Disabled) -> Found {
    let Disabled { schema, table, keys } = disabled;
    let keys = keys.join(", ");
    let message = format!(
        "triggers of foreign keys ({keys}) are disabled on {schema}.{table}: rows may violate them, at which making them on \
         the target fails; there they are enforced"
    );
    Found::warning("ForeignKeyDisabled", message).object(format!("{schema}.{table}")).remedy(
        format!(
            "alter table {} enable trigger all; -- rows that violate them stay: look for those too",
            qualified(schema, table)
        ),
    )
}
