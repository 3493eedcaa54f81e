//! What a table holds, in a number.
use crate::{
    fault::{Doing, Fault},
    postgres::{Client, identifier, qualified},
    wire::TableChecksum,
};

/// Number of rows, and the sum of their 64-bit hashes: the same when the rows are, whatever their order, and a row that
/// is there twice counts twice. `columns` are compared in that order, for an inheriting table can have them in another one
/// on the other side. Both sides must have the same text settings, which every session of ours has.
///
/// # Errors
/// The server's.
pub async fn table_checksum(
    client: &Client,
    schema: &str,
    name: &str,
    columns: &[String],
) -> Result<TableChecksum, Fault> {
    let columns: Vec<String> =
        columns.iter().map(|column| format!("t.{}", identifier(column))).collect();
    let row = client
        .query_one(
            &format!(
                "select count(*), coalesce(sum(hashtextextended(row({})::text, 0)), 0)::text from only {} t",
                columns.join(", "),
                qualified(schema, name)
            ),
            &[],
        )
        .await
        .doing(format!("computing the checksum of {schema}.{name}"))?;
    Ok(TableChecksum { rows: row.get(0), sum: row.get(1) })
}
