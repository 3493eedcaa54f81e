//! What a table holds, in a number.
use crate::{
    fault::{Doing, Fault},
    postgres::{Client, qualified},
    wire::TableChecksum,
};

/// Number of rows, and the sum of their 64-bit hashes: the same when the rows are, whatever their order, and a row that
/// is there twice counts twice. Both sides must have the same text settings, which every session of ours has.
///
/// # Errors
/// The server's.
pub async fn table_checksum(
    client: &Client,
    schema: &str,
    name: &str,
) -> Result<TableChecksum, Fault> {
    let row = client
        .query_one(
            &format!(
                "select count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text from only {} t",
                qualified(schema, name)
            ),
            &[],
        )
        .await
        .doing(format!("computing the checksum of {schema}.{name}"))?;
    Ok(TableChecksum { rows: row.get(0), sum: row.get(1) })
}
