//! What a table holds, in a number.
use std::collections::HashMap;

use crate::{
    fault::{Doing, Fault},
    postgres::{Client, identifier, qualified},
    wire::TableChecksum,
};

/// `server_version_num` of the oldest server with a 64-bit hash of text.
const HASH_FROM: u32 = 110_000;

/// From here on a float's text has as many digits as tell it apart; before, all of them.
const SHORT_FLOATS_FROM: u32 = 120_000;

/// Number of rows, and the sum of their 64-bit hashes: the same when the rows are, whatever their order, and a row that
/// is there twice counts twice. `columns` are compared in that order, for an inheriting table can have them in another one
/// on the other side. Both sides must have the same text settings, which every session of ours has, and compute it for the
/// same `source_version` (`server_version_num` of the source, which is never the newer one): it says what both can do.
///
/// # Errors
/// The server's.
pub async fn table_checksum(
    client: &Client,
    (schema, name): (&str, &str),
    columns: &[String],
    source_version: u32,
) -> Result<TableChecksum, Fault> {
    checksum_where(client, (schema, name), columns, "", source_version).await
}

/// As [`table_checksum`], of the rows that are chosen by `condition`: a WHERE clause, or nothing.
///
/// # Errors
/// The server's.
pub async fn checksum_where(
    client: &Client,
    (schema, name): (&str, &str),
    columns: &[String],
    condition: &str,
    source_version: u32,
) -> Result<TableChecksum, Fault> {
    let doing = format!("computing the checksum of {schema}.{name}");
    let floats = if source_version < SHORT_FLOATS_FROM {
        let rows =
            client.query(include_str!("floats.sql"), &[&schema, &name]).await.doing(&doing)?;
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    } else {
        HashMap::new()
    };
    let table = qualified(schema, name);
    let sql = statement(&table, columns, &floats, source_version);
    let sql = format!("{sql} {condition}");
    let row = client.query_one(&sql, &[]).await.doing(doing)?;
    Ok(TableChecksum { rows: row.get(0), sum: row.get(1) })
}

/// `floats`: columns whose bytes are taken instead of their text, by the function that gives them.
fn statement(
    table: &str,
    columns: &[String],
    floats: &HashMap<String, String>,
    source_version: u32,
) -> String {
    let columns: Vec<String> = columns
        .iter()
        .map(|column| match floats.get(column) {
            Some(send) => format!("pg_catalog.{send}(t.{})", identifier(column)),
            None => format!("t.{}", identifier(column)),
        })
        .collect();
    let row = format!("row({})::text", columns.join(", "));
    let hash = if source_version < HASH_FROM {
        format!("('x' || substr(md5({row}), 1, 16))::bit(64)::int8")
    } else {
        format!("hashtextextended({row}, 0)")
    };
    format!("select count(*), coalesce(sum({hash}), 0)::text from only {table} t")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_do_what_the_older_one_can() {
        let floats = HashMap::from([("f".to_owned(), "float8send".to_owned())]);
        let columns = ["a".to_owned(), "f".to_owned()];
        let of = |version| statement("s.t", &columns, &floats, version);
        assert!(of(100_023).contains("md5(row(t.\"a\", pg_catalog.float8send(t.\"f\"))::text)"));
        assert!(of(110_022).contains("hashtextextended(row("));
    }
}
