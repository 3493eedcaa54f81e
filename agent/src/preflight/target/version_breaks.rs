//! Has the database something that the target's major version no longer takes? The source lists all that any version
//! refuses; here it is known which.
use serde::Deserialize;

use crate::{
    fault::Fault,
    preflight::{
        ask::ask,
        check::{At, Check, Level, Run, Target},
        facts::{BreakFacts, SystemColumnFacts},
        finding::Found,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "MajorVersionValidation",
    level: Level::Database,
    at: At::Preflight,
    online_only: false,
    run: Run::Target(|target| Box::pin(look(target))),
};

#[derive(Deserialize)]
struct Missing {
    place: usize,
}

async fn look(target: &Target<'_>) -> Result<Vec<Found>, Fault> {
    let source = target.source()?.server_version_num / 10_000;
    let here = target.client.server_major();
    let database = target.source_database()?;
    let mut found: Vec<Found> =
        database.breaks.iter().filter_map(|broken| judge(broken, source, here)).collect();
    found.extend(system_columns(target, &database.system_columns).await?);
    Ok(found)
}

/// The major version that first refuses it, and what to say.
fn judge(broken: &BreakFacts, source: u32, here: u32) -> Option<Found> {
    let BreakFacts { kind, object, remedy } = broken;
    let (since, found) = match kind.as_str() {
        "postfix" => (
            14,
            Found::failed(
                "PostfixOperator",
                format!(
                    "operator {object} is a postfix operator, which PostgreSQL 14 and later don't have"
                ),
            ),
        ),
        "polymorphic" => (
            14,
            Found::failed(
                "PolymorphicFunctionChanged",
                format!(
                    "{object} uses an array function whose argument types changed in PostgreSQL 14 (anyarray to \
             anycompatiblearray): make it anew on the target with the new types"
                ),
            ),
        ),
        "conversion" => (
            14,
            Found::failed(
                "EncodingConversionChanged",
                format!(
                    "conversion {object} calls its function in a form that PostgreSQL 14 and later don't take"
                ),
            ),
        ),
        "generated" => (
            16,
            Found::failed(
                "GeneratedInChildOnly",
                format!(
                    "column {object} is generated, and its parent's is not: PostgreSQL 16 and later refuse that"
                ),
            ),
        ),
        "identity" => (
            17,
            Found::failed(
                "IdentityInPartition",
                format!(
                    "column {object} of a partition has an identity of its own: in PostgreSQL 17 and later it is the partitioned \
                     table's"
                ),
            ),
        ),
        "not_null" => (
            18,
            Found::failed(
                "NotNullNotInherited",
                format!(
                    "column {object} may be null, and its parent's may not: PostgreSQL 18 and later refuse that"
                ),
            ),
        ),
        _ => return None,
    };
    (source < since && since <= here).then(|| found.object(object).remedy(remedy))
}

async fn system_columns(
    target: &Target<'_>,
    columns: &[SystemColumnFacts],
) -> Result<Vec<Found>, Fault> {
    let each = |part: fn(&SystemColumnFacts) -> &str| columns.iter().map(part).collect::<Vec<_>>();
    let (schemas, relations) = (each(|c| &c.schema), each(|c| &c.relation));
    let names = each(|c| c.column.as_deref().unwrap_or_default());
    let sql = include_str!("../sql/system_columns_here.sql");
    let doing = "looking for what views read of the system";
    let missing: Vec<Missing> =
        ask(target.client, doing, sql, &[&schemas, &relations, &names]).await?;
    Ok(missing.iter().filter_map(|missing| columns.get(missing.place)).map(changed).collect())
}

fn changed(column: &SystemColumnFacts) -> Found {
    let SystemColumnFacts { view, schema, relation, column } = column;
    let read = match column {
        Some(column) => format!("column {column} of {schema}.{relation}"),
        None => format!("{schema}.{relation}"),
    };
    let message = format!("view {view} reads {read}, which the target does not have");
    Found::failed("SystemColumnMissing", message).object(view).remedy(format!(
        "drop view {view}; -- and what depends on it, then make it anew on the target, for that version"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_version_between_took_away() {
        for (kind, source, target, told) in [
            ("postfix", 13, 14, true),
            ("postfix", 12, 13, false),
            ("not_null", 15, 17, false),
            ("not_null", 17, 18, true),
            ("generated", 15, 16, true),
            ("generated", 16, 18, false),
            ("identity", 16, 17, true),
            ("identity", 17, 18, false),
            ("of a later agent", 10, 18, false),
        ] {
            let broken = BreakFacts { kind: kind.into(), object: "o".into(), remedy: "r;".into() };
            assert_eq!(judge(&broken, source, target).is_some(), told, "{kind} {source} {target}");
        }
    }
}
