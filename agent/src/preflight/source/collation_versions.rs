//! Has the operating system's or ICU's order changed under the source's indexes?
use serde::Deserialize;

use crate::{
    fault::Fault,
    postgres::{identifier, qualified},
    preflight::{
        ask::ask_one,
        check::{At, Check, Level, Run, Source},
        facts::CollationFacts,
        finding::Found,
        gather::collations,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "CollationVersionsValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Versions {
    version: Option<String>,
    actual_version: Option<String>,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let mut found: Vec<Found> = Vec::new();
    if source.client.server_major() >= 15 {
        let doing = format!("asking for the collation version of database {}", source.database);
        let sql = include_str!("../sql/database_collation.sql");
        let versions: Versions = ask_one(source.client, &doing, sql, &[]).await?;
        if let (Some(then), Some(now)) = (&versions.version, &versions.actual_version)
            && then != now
        {
            let database = identifier(source.database);
            let what = format!("database {}", source.database);
            let refresh = format!("alter database {database} refresh collation version;");
            found.push(
                finding(&what, then, now, source)
                    .object(source.database)
                    .remedy(remedy(source, &refresh)),
            );
        }
    }
    for collation in collations(source.client, source.input.selected).await? {
        let CollationFacts { schema, name, version, actual_version, .. } = &collation;
        if let (Some(then), Some(now)) = (version, actual_version)
            && then != now
        {
            let label = format!("{schema}.{name}");
            let refresh = format!("alter collation {} refresh version;", qualified(schema, name));
            let what = format!("collation {label}");
            found.push(
                finding(&what, then, now, source).object(label).remedy(remedy(source, &refresh)),
            );
        }
    }
    Ok(found)
}

fn finding(what: &str, then: &str, now: &str, source: &Source<'_>) -> Found {
    let message = format!(
        "{what} was made with version {then} of its order, and the machine has {now}: indexes on text in database {} may \
         be wrong, and let duplicates in, at which the target's unique indexes then fail",
        source.database
    );
    Found::warning("CollationVersionMismatch", message)
}

fn remedy(source: &Source<'_>, refresh: &str) -> String {
    format!("reindex database {}; {refresh}", identifier(source.database))
}
