//! Functions that find what they name only by the application's `search_path`. A dump is restored with an empty one, and
//! rows are applied with it: an index, a constraint or a generated column that calls such a function fails there. Each is
//! evaluated once on the source, over one row, as the target will.
use serde::Deserialize;
use tokio_postgres::error::SqlState;

use super::expressions::{Expression, Trial, expressions};
use crate::{
    fault::Fault,
    preflight::{
        ask::ask_one,
        check::{At, Check, Level, Run, Source},
        finding::{Found, listed},
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "SearchPathValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Path {
    path: String,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let mut expressions = expressions(source).await?;
    expressions.retain(|one| !(one.pathless.is_empty() && one.extensions.is_empty()));
    if expressions.is_empty() {
        return Ok(Vec::new());
    }
    let trial = Trial::begin(source).await?;
    // What the database gives whoever connects.
    let sql = "select current_setting('search_path') as path";
    let Path { path } = ask_one(&trial.client, "asking for the search_path", sql, &[]).await?;
    let mut found: Vec<Found> = Vec::new();
    for expression in &expressions {
        if trial.is_over() {
            break;
        }
        if let Some(error) = needs_path(&trial, &expression.query).await {
            found.push(match expression.pathless.is_empty() {
                true => of_extension(expression, &error),
                false => finding(expression, &error, &path),
            });
        }
    }
    Ok(found)
}

/// Only what fails for want of a name, and works by the path, is told: that is what the target lacks.
async fn needs_path(trial: &Trial, query: &str) -> Option<String> {
    let error = fails_without_path(trial, query).await?;
    trial.client.query(query, &[]).await.ok()?;
    Some(error)
}

/// The message of the error with an empty path, if it is about a name.
async fn fails_without_path(trial: &Trial, query: &str) -> Option<String> {
    // The path goes with the transaction, however that ends.
    let sql = format!("begin; set local search_path = ''; {query}; commit");
    let error = trial.client.batch_execute(&sql).await.err()?;
    // Without it the session would stay in the failed transaction; if that fails, so does all that follows.
    trial.client.batch_execute("rollback").await.ok()?;
    let refusal = error.as_db_error()?;
    let names = [
        SqlState::UNDEFINED_FUNCTION,
        SqlState::UNDEFINED_TABLE,
        SqlState::UNDEFINED_OBJECT,
        SqlState::INVALID_SCHEMA_NAME,
    ];
    names.contains(refusal.code()).then(|| Fault::sql("evaluating it", &error).message)
}

fn finding(expression: &Expression, error: &str, path: &str) -> Found {
    let Expression { object, pathless: functions, .. } = expression;
    let message = format!(
        "{object} calls {}, which works by the search_path only; the target is loaded with an empty one ({error})",
        listed(functions)
    );
    let remedies: Vec<String> = functions
        .iter()
        .map(|function| format!("alter function {function} set search_path = {path};"))
        .collect();
    Found::failed("FunctionNeedsSearchPath", message).object(object).remedy(remedies.join(" "))
}

/// What is set on an extension's function goes with no dump, and the target's version of the extension may need no path.
fn of_extension(expression: &Expression, error: &str) -> Found {
    let Expression { object, extensions, loaded_later, .. } = expression;
    let message = format!(
        "{object} calls functions of extension {}, which work by the search_path only; the target is loaded with an empty \
         one, and can't make it unless its version of the extension needs none ({error})",
        listed(extensions)
    );
    let later = loaded_later.as_deref().unwrap_or_default();
    let remedy = format!("{later} -- and make it on the target after the cutover");
    Found::warning("ExtensionNeedsSearchPath", message).object(object).remedy(remedy)
}
