//! The tables that have rows of their own, and the materialized views that are filled.
use tokio_postgres::types::ToSql;
use whimbrel_proto::agent::v1::{TableSketch, TableSketches};

use super::{Scope, open};
use crate::{
    fault::{Doing, Fault},
    postgres::Endpoint,
};

/// Tables of one page: with a hundred columns each some megabytes.
const PAGE: i64 = 1000;

/// One page, ordered by label.
///
/// # Errors
/// What kept it from being read.
pub async fn list_tables(
    endpoint: &Endpoint,
    database: &str,
    after: &str,
    Scope { selected, migrated }: &Scope,
) -> Result<TableSketches, Fault> {
    let client = open(endpoint, database).await?;
    let text = concat!(include_str!("sql/prelude.sql"), include_str!("sql/tables.sql"));
    let statement = migrated.sql(text);
    let statement = client.sql(&statement);
    let given: [&(dyn ToSql + Sync); 7] = [
        &after,
        &PAGE,
        &0_i64,
        &selected.include_schemas,
        &selected.exclude_schemas,
        &selected.include_tables,
        &selected.exclude_tables,
    ];
    let doing = format!("listing the tables of database {database:?}");
    let rows = client.query(&*statement, &given).await.doing(&doing)?;
    let encoding = client
        .query_one("select current_setting('server_encoding')", &[])
        .await
        .doing("asking for the database's encoding")?;
    let unsigned = |count: i64| u64::try_from(count).unwrap_or_default();
    let tables: Vec<TableSketch> = rows
        .iter()
        .map(|row| TableSketch {
            schema: row.get(0),
            name: row.get(1),
            label: row.get(2),
            pages: unsigned(row.get(3)),
            rows_estimate: unsigned(row.get(4)),
            columns: row.get(5),
            key: row.get(6),
            materialized_view: row.get(7),
        })
        .collect();
    let more = i64::try_from(tables.len()).is_ok_and(|count| count >= PAGE);
    let last = tables.last().map(|table| table.label.clone()).unwrap_or_default();
    Ok(TableSketches {
        next: if more { last } else { String::new() },
        tables,
        server_version: client.server_version_num(),
        encoding: encoding.get(0),
    })
}
