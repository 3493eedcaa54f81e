//! How many sessions of ours the target's lock table has room for.
use crate::{
    fault::{Doing, Fault},
    postgres::Client,
};

/// A new table's locks, with those of its TOAST table and what is built on it, on average of the schemas that were met.
const LOCKS_OF_TABLE: usize = 6;

/// At most `wanted` sessions, each of which makes `tables` tables in one transaction, with half of the lock table left
/// to others. One always has to do.
pub(super) async fn sessions_with_room(
    client: &Client,
    wanted: usize,
    tables: usize,
) -> Result<usize, Fault> {
    // PostgreSQL manual, max_locks_per_transaction: the product is what all sessions share.
    let sql = "select current_setting('max_locks_per_transaction')::int8 \
               * (current_setting('max_connections')::int8 + current_setting('max_prepared_transactions')::int8)";
    let row =
        client.query_one(sql, &[]).await.doing("asking how many locks the target has room for")?;
    let locks = usize::try_from(row.get::<_, i64>(0)).unwrap_or_default();
    Ok((locks / 2 / (tables * LOCKS_OF_TABLE)).min(wanted).max(1))
}
