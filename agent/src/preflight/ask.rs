//! One question to a server: rows become values by the names of their columns.
use serde::de::DeserializeOwned;
use tokio_postgres::types::ToSql;

use crate::{
    fault::{Doing, Fault},
    postgres::Client,
};

/// The rows of a query. JSON carries them, so that a server whose column has another type is an error and no panic;
/// OIDs must be cast to `int8`, which JSON keeps as a number. Lines of `sql` can be marked for some versions only
/// ([`crate::postgres::for_version`]).
pub(super) async fn ask<T: DeserializeOwned>(
    client: &Client,
    doing: &str,
    sql: &str,
    params: &[&(dyn ToSql + Sync)],
) -> Result<Vec<T>, Fault> {
    let sql = format!("select row_to_json(q)::text from (\n{}\n) q", client.sql(sql));
    let rows = client.query(&sql, params).await.doing(doing)?;
    rows.iter()
        .map(|row| {
            let text: &str = row.try_get(0).doing(doing)?;
            serde_json::from_str(text).map_err(|error| unexpected(doing, &error.to_string()))
        })
        .collect()
}

/// As [`ask`], of a query that always has one row.
pub(super) async fn ask_one<T: DeserializeOwned>(
    client: &Client,
    doing: &str,
    sql: &str,
    params: &[&(dyn ToSql + Sync)],
) -> Result<T, Fault> {
    ask(client, doing, sql, params).await?.pop().ok_or_else(|| unexpected(doing, "no row"))
}

fn unexpected(doing: &str, what: &str) -> Fault {
    Fault::hold(
        "UnexpectedAnswer",
        format!("{doing}: the server's answer has another form: {what}"),
    )
    .remedy("the server differs from PostgreSQL's own; report it with the server's version")
}
