//! Documents of the database's objects: what must be the same on both sides, a fact a line. Versions of PostgreSQL write
//! some facts in other words; the catalogs' queries and [`neutral`] take out what a version makes by itself.
use tokio_postgres::types::ToSql;
use whimbrel_proto::agent::v1::{DescribedObject, Objects};

use super::{Scope, open};
use crate::{
    fault::{Doing, Fault},
    postgres::{Client, Endpoint},
    verify,
};

/// Objects of one page. Functions are the largest: a thousand of them are some megabytes.
const PAGE: i64 = 1000;

/// Bytes of a page, after which it is cut: far below what a message may have.
const PAGE_BYTES: usize = 8 << 20;

/// Which names need quotes depends on the version's keywords; quoted all, they are the same names in the same order. Whoever
/// shows them takes off the quotes that are not needed.
const QUOTED: &str = "set quote_all_identifiers = on";

/// From 17 on an owner may MAINTAIN a table, and GRANT ALL grants it.
const MAINTAIN_SINCE: u32 = 170_000;

/// The kinds, each with its query. What stands on tables is narrowed by patterns of tables.
const KINDS: [(&str, &str); 18] = [
    ("database", include_str!("sql/database.sql")),
    ("schema", include_str!("sql/schema.sql")),
    ("extension", include_str!("sql/extension.sql")),
    ("type", include_str!("sql/type.sql")),
    ("function", include_str!("sql/function.sql")),
    ("table", include_str!("sql/table.sql")),
    ("view", include_str!("sql/view.sql")),
    ("sequence", include_str!("sql/sequence.sql")),
    ("index", include_str!("sql/index.sql")),
    ("constraint", include_str!("sql/constraint.sql")),
    ("trigger", include_str!("sql/trigger.sql")),
    ("rule", include_str!("sql/rule.sql")),
    ("policy", include_str!("sql/policy.sql")),
    ("statistics", include_str!("sql/statistics.sql")),
    ("event trigger", include_str!("sql/event_trigger.sql")),
    ("publication", include_str!("sql/publication.sql")),
    ("default privileges", include_str!("sql/default_privileges.sql")),
    ("other", include_str!("sql/other.sql")),
];

/// What to list.
#[derive(Debug)]
pub struct ObjectsWanted<'a> {
    /// "table".
    pub kind: &'a str,
    /// After this name.
    pub after: &'a str,
    /// The lower version of both sides.
    pub common_version: u32,
    /// Which objects.
    pub scope: &'a Scope,
}

/// One page.
///
/// # Errors
/// What kept it from being read.
pub async fn list_objects(
    endpoint: &Endpoint,
    database: &str,
    wanted: &ObjectsWanted<'_>,
) -> Result<Objects, Fault> {
    let client = open(endpoint, database).await?;
    client.batch_execute(QUOTED).await.doing("preparing the session of a comparison")?;
    let mut page = Objects { server_version: client.server_version_num(), ..Objects::default() };
    let (found, more) = match wanted.kind {
        "sequence value" => sequence_values(&client, wanted).await?,
        // These came with 10.
        "publication" | "statistics" if client.server_version_num() < 100_000 => {
            (Vec::new(), false)
        }
        kind => match KINDS.iter().find(|(known, _)| *known == kind) {
            Some((_, sql)) => described(&client, sql, wanted).await?,
            None => (Vec::new(), false),
        },
    };
    let (mut bytes, all) = (0, found.len());
    for object in found {
        bytes += object.facts.iter().map(String::len).sum::<usize>();
        page.objects.push(object);
        if bytes > PAGE_BYTES {
            break;
        }
    }
    if more || page.objects.len() < all {
        page.next = page.objects.last().map(|object| object.name.clone()).unwrap_or_default();
    }
    Ok(page)
}

async fn described(
    client: &Client,
    sql: &str,
    wanted: &ObjectsWanted<'_>,
) -> Result<(Vec<DescribedObject>, bool), Fault> {
    let statement = format!("{}{sql}", include_str!("sql/prelude.sql"));
    let statement = wanted.scope.migrated.sql(&statement);
    let (selected, common) = (&wanted.scope.selected, i64::from(wanted.common_version));
    let given: [&(dyn ToSql + Sync); 7] = [
        &wanted.after,
        &PAGE,
        &common,
        &selected.include_schemas,
        &selected.exclude_schemas,
        &selected.include_tables,
        &selected.exclude_tables,
    ];
    let doing = format!("reading the {} definitions", wanted.kind);
    let rows = client.query(&*client.sql(&statement), &given).await.doing(&doing)?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let facts: Vec<Option<String>> = row.try_get("facts").doing(&doing)?;
        let facts = facts.into_iter().flatten().map(|fact| neutral(&fact, wanted.common_version));
        let name: String = row.try_get("name").doing(&doing)?;
        found.push(DescribedObject { name, facts: facts.collect() });
    }
    let more = i64::try_from(found.len()).is_ok_and(|count| count >= PAGE);
    Ok((found, more))
}

async fn sequence_values(
    client: &Client,
    wanted: &ObjectsWanted<'_>,
) -> Result<(Vec<DescribedObject>, bool), Fault> {
    let after = wanted.after;
    let values = verify::sequence_values(client, &wanted.scope.migrated).await?;
    let mut found: Vec<DescribedObject> = values
        .into_iter()
        .map(|value| DescribedObject {
            name: format!("{}.{}", value.name.0, value.name.1),
            facts: vec![format!(
                "value: {}{}",
                value.last_value,
                if value.is_called { "" } else { ", not yet given out" }
            )],
        })
        .filter(|object| object.name.as_str() > after)
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let page = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let more = found.len() > page;
    found.truncate(page);
    Ok((found, more))
}

/// A fact without what only one of the two versions knows.
fn neutral(fact: &str, common_version: u32) -> String {
    // With every name quoted, the type is not from 16 on.
    let fact = fact.replace("\"json\"", "json");
    match fact.strip_prefix("rights: ") {
        Some(rights) if common_version < MAINTAIN_SINCE => {
            let items = rights.split(' ').map(without_maintain);
            format!("rights: {}", items.collect::<Vec<_>>().join(" "))
        }
        _ => fact,
    }
}

/// `app=arwdDxtm/app` without its `m`: privileges stand between the last `=` and the last `/`.
fn without_maintain(item: &str) -> String {
    let Some((grantee, rest)) = item.rsplit_once('=') else { return item.to_owned() };
    let Some((privileges, grantor)) = rest.split_once('/') else { return item.to_owned() };
    let mut kept = String::with_capacity(privileges.len());
    let mut letters = privileges.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == 'm' {
            // With its grant option.
            letters.next_if_eq(&'*');
        } else {
            kept.push(letter);
        }
    }
    format!("{grantee}={kept}/{grantor}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maintain_is_left_out_where_one_side_has_none() {
        let fact = || "rights: =r/app app=arwdDxtm*/app".to_owned();
        assert_eq!(neutral(&fact(), 160_000), "rights: =r/app app=arwdDxt/app");
        assert_eq!(neutral(&fact(), 170_000), fact());
    }
}
