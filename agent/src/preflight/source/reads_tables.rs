//! Constraints, generated columns and indexes whose functions read other tables. PostgreSQL takes them to depend on their
//! own row alone, so that nothing keeps the order: while rows are copied those tables may be empty. Each is evaluated once
//! on the source, and what it locked meanwhile is what it reads.
use std::collections::HashSet;

use serde::Deserialize;

use super::expressions::{Expression, Kind, Trial, expressions};
use crate::{
    fault::{Doing, Fault},
    preflight::{
        ask::ask,
        check::{At, Check, Level, Run, Source},
        finding::{Found, listed},
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "OtherTablesValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Named {
    name: String,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let mut expressions = expressions(source).await?;
    expressions.retain(|one| {
        !matches!(one.kind, Kind::Partition | Kind::View) && !one.functions.is_empty()
    });
    if expressions.is_empty() {
        return Ok(Vec::new());
    }
    let trial = Trial::begin(source).await?;
    let mut found = Vec::new();
    // What one statement mends is one finding: a partition's constraint is its parent's, an index has several expressions.
    let mut mended = HashSet::new();
    for expression in &expressions {
        if trial.is_over() {
            break;
        }
        if mended.contains(&expression.loaded_later) {
            continue;
        }
        let tables = read_by(&trial, expression).await?;
        if !tables.is_empty() {
            mended.insert(&expression.loaded_later);
            found.extend(finding(expression, &tables));
        }
    }
    Ok(found)
}

/// Tables that evaluating it reads beside its own. One that can't be evaluated is another check's.
async fn read_by(trial: &Trial, expression: &Expression) -> Result<Vec<String>, Fault> {
    let doing = "evaluating what may read other tables";
    trial.client.batch_execute("begin").await.doing(doing)?;
    let tables = match trial.client.query(&expression.query, &[]).await {
        Ok(_) => {
            let sql = include_str!("../sql/locked_tables.sql");
            ask::<Named>(&trial.client, doing, sql, &[&expression.rel]).await
        }
        Err(_) => Ok(Vec::new()),
    };
    trial.client.batch_execute("rollback").await.doing(doing)?;
    Ok(tables?.into_iter().map(|table| table.name).collect())
}

/// None: it is made when all rows are there as it is.
fn finding(expression: &Expression, tables: &[String]) -> Option<Found> {
    let Expression { kind, object, functions, loaded_later, .. } = expression;
    let later = loaded_later.as_deref()?;
    let reads = format!(
        "{object} calls {}, which reads other tables ({})",
        listed(functions),
        listed(tables)
    );
    let found = match kind {
        Kind::Constraint => Found::failed(
            "ReadsOtherTables",
            format!("{reads}: while tables are copied those may be empty, and rows are refused"),
        )
        .remedy(format!("{later} -- new rows are checked as before, and on the target it is made after the rows")),
        Kind::Generated => Found::failed(
            "ReadsOtherTables",
            format!("{reads}: the target computes its values anew, while those may be empty"),
        )
        .remedy(format!("{later} -- the values stay, and the application or a trigger must give new rows theirs")),
        Kind::Index | Kind::Partition | Kind::View => Found::warning(
            "ReadsOtherTables",
            format!("{reads}: the target builds it while those may be empty, so that it may not find its rows"),
        )
        .remedy(format!("{later} -- and make it on the target after the cutover, or leave it and reindex it there")),
    };
    Some(found.object(object))
}
