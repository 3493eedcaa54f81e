//! Expressions that call functions of the database's own, and are evaluated while rows are loaded. Each is tried once on the
//! source, over one row, by the checks that ask what it needs there.
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::{
    fault::{Doing, Fault},
    postgres::{Client, connect_as_anybody},
    preflight::{ask::ask, check::Source},
};

/// Expressions that are tried: a database has few that call functions of its own, and each takes some round trips.
const EXPRESSIONS_MAX: i64 = 500;

/// For all of them, in one check: what is slower is not tried, since a function of the application's may do anything.
const BUDGET: Duration = Duration::from_secs(3);

/// Of one expression.
const BRIEFLY: &str = "set statement_timeout = '500ms'";

/// What it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Index,
    /// CHECK, of a table or a domain.
    Constraint,
    Generated,
    /// A partition key.
    Partition,
    /// A materialized view's query.
    View,
}

/// One of them.
#[derive(Debug, Deserialize)]
pub(super) struct Expression {
    pub(super) kind: Kind,
    pub(super) object: String,
    /// OID of the table whose rows it is evaluated over, or of the materialized view.
    pub(super) rel: i64,
    /// Those that it calls, and no extension owns.
    pub(super) functions: Vec<String>,
    /// Those of them that set no search_path of their own.
    pub(super) pathless: Vec<String>,
    /// Those that own functions of its which set no search_path.
    pub(super) extensions: Vec<String>,
    /// Evaluates it.
    pub(super) query: String,
    /// A statement after which it is not evaluated before all rows are there.
    pub(super) loaded_later: Option<String>,
}

/// Those of the database.
pub(super) async fn expressions(source: &Source<'_>) -> Result<Vec<Expression>, Fault> {
    let doing =
        format!("looking for functions that indexes and constraints of {} call", source.database);
    let sql = source.chosen(include_str!("../sql/expressions.sql"));
    ask(source.client, &doing, &sql, &[&EXPRESSIONS_MAX]).await
}

/// Tries them while there is time.
pub(super) struct Trial {
    /// Has the application's search_path; read-only, as all sessions of the checks.
    pub(super) client: Client,
    begun: Instant,
}

impl Trial {
    pub(super) async fn begin(source: &Source<'_>) -> Result<Self, Fault> {
        let client =
            connect_as_anybody(source.input.endpoint, source.database, "preflight").await?;
        let doing = "preparing to evaluate expressions";
        let sql = "set default_transaction_read_only = on";
        client.batch_execute(sql).await.doing(doing)?;
        client.batch_execute(BRIEFLY).await.doing(doing)?;
        Ok(Self { client, begun: Instant::now() })
    }

    pub(super) fn is_over(&self) -> bool {
        self.begun.elapsed() > BUDGET
    }
}
