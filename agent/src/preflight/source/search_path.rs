//! Functions that find what they name only by the application's `search_path`. A dump is restored with an empty one, and
//! rows are applied with it: an index, a constraint or a generated column that calls such a function fails there. Each is
//! evaluated once on the source, over one row, as the target will.
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio_postgres::error::SqlState;

use crate::{
    fault::{Doing, Fault},
    postgres::{Client, connect_as_anybody},
    preflight::{
        ask::{ask, ask_one},
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

/// Expressions that are tried: a database has few that call functions of its own, and each takes a round trip.
const EXPRESSIONS_MAX: i64 = 500;

/// For all of them: what is slower is not tried, since a function of the application's may do anything.
const BUDGET: Duration = Duration::from_secs(3);

/// Of one expression.
const BRIEFLY: &str = "set statement_timeout = '500ms'";

#[derive(Deserialize)]
struct Expression {
    object: String,
    functions: Vec<String>,
    /// Evaluates it.
    query: String,
}

#[derive(Deserialize)]
struct Path {
    path: String,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing =
        format!("looking for functions that indexes and constraints of {} call", source.database);
    let sql = include_str!("../sql/expressions.sql");
    let expressions: Vec<Expression> = ask(source.client, &doing, sql, &[&EXPRESSIONS_MAX]).await?;
    if expressions.is_empty() {
        return Ok(Vec::new());
    }
    let session = Session::open(source).await?;
    let begun = Instant::now();
    let mut found: Vec<Found> = Vec::new();
    for expression in &expressions {
        if begun.elapsed() > BUDGET {
            break;
        }
        if let Some(finding) = session.try_one(expression).await {
            found.push(finding);
        }
    }
    Ok(found)
}

/// One that has the application's path until it is told otherwise; read-only, as all of ours.
struct Session {
    client: Client,
    /// What the database gives whoever connects.
    path: String,
}

impl Session {
    async fn open(source: &Source<'_>) -> Result<Self, Fault> {
        let client =
            connect_as_anybody(source.input.endpoint, source.database, "preflight").await?;
        let doing = "preparing to evaluate expressions";
        let sql = "set default_transaction_read_only = on";
        client.batch_execute(sql).await.doing(doing)?;
        client.batch_execute(BRIEFLY).await.doing(doing)?;
        let sql = "select current_setting('search_path') as path";
        let Path { path } = ask_one(&client, doing, sql, &[]).await?;
        Ok(Self { client, path })
    }

    /// Only what fails for want of a name, and works by the path, is told: that is what the target lacks.
    async fn try_one(&self, expression: &Expression) -> Option<Found> {
        let error = self.fails_without_path(&expression.query).await?;
        self.client.query(&expression.query, &[]).await.ok()?;
        Some(finding(expression, &error, &self.path))
    }

    /// The message of the error with an empty path, if it is about a name.
    async fn fails_without_path(&self, query: &str) -> Option<String> {
        // The path goes with the transaction, however that ends.
        let sql = format!("begin; set local search_path = ''; {query}; commit");
        let error = self.client.batch_execute(&sql).await.err()?;
        // Without it the session would stay in the failed transaction; if that fails, so does all that follows.
        self.client.batch_execute("rollback").await.ok()?;
        let refusal = error.as_db_error()?;
        let names = [
            SqlState::UNDEFINED_FUNCTION,
            SqlState::UNDEFINED_TABLE,
            SqlState::UNDEFINED_OBJECT,
            SqlState::INVALID_SCHEMA_NAME,
        ];
        names.contains(refusal.code()).then(|| Fault::sql("evaluating it", &error).message)
    }
}

fn finding(expression: &Expression, error: &str, path: &str) -> Found {
    let Expression { object, functions, .. } = expression;
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
