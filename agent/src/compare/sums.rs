//! Sums of rows' hashes, computed by the server. A row's chunk is the hash of its key, so that both sides put it into the
//! same one without telling each other a key; hashes are salted anew for each comparison.
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_postgres::{error::SqlState, types::PgLsn};
use whimbrel_proto::{
    Lsn,
    agent::v1::{RowSums, SumTable, TableSums},
};

use super::open;
use crate::{
    fault::{Doing, Fault},
    postgres::{Client, Endpoint, identifier, qualified},
};

/// Hashes of 64 bits that all later versions compute alike came with 11; before it md5's first half is taken.
const EXTENDED_HASH_SINCE: u32 = 110_000;

/// Shortest exact floats came with 12; 15 digits are written alike by all.
const SHORTEST_FLOATS_SINCE: u32 = 120_000;

/// A range of a heap's pages is read by itself from 14 on; before it the whole table would be read for each range.
const PAGE_RANGES_SINCE: u32 = 140_000;

/// Chunks in one answer: twice as many as a table is divided into.
const CHUNKS_MAX: usize = 131_072;

/// How long the ledger may take to come to where the source was: a stream that is further behind has not caught up.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Between two looks at the ledger.
const WAIT_PAUSE: Duration = Duration::from_millis(50);

/// What to sum.
#[derive(Debug)]
pub struct SumsWanted<'a> {
    /// One answer each.
    pub tables: &'a [SumTable],
    /// Of the hashes.
    pub salt: i64,
    /// The lower version of both sides.
    pub common_version: u32,
    /// Not before the ledger is here.
    pub after: Option<Lsn>,
}

/// The sums, in the order of the tables. A table that can't be read is told by its own code.
///
/// # Errors
/// What kept it from being asked at all.
pub async fn sum_rows(
    endpoint: &Endpoint,
    database: &str,
    wanted: &SumsWanted<'_>,
) -> Result<RowSums, Fault> {
    let client = open(endpoint, database).await?;
    if let Some(after) = wanted.after
        && !ledger_reaches(&client, after).await?
    {
        return Ok(RowSums { behind: true, ..RowSums::default() });
    }
    if wanted.common_version < SHORTEST_FLOATS_SINCE {
        let doing = "setting how floats are written";
        client.batch_execute("set extra_float_digits = 0").await.doing(doing)?;
    }
    let mut sums = RowSums::default();
    for table in wanted.tables {
        sums.tables.push(match sum(&client, table, wanted).await {
            Ok(sums) => sums,
            Err(fault) if fault.code == "ConnectionLost" => return Err(fault),
            Err(Fault { code, message, .. }) => {
                TableSums { code: code.into_owned(), message, ..TableSums::default() }
            }
        });
    }
    sums.lsn = position(&client).await?;
    Ok(sums)
}

/// Behind everything that was committed when the sums were computed. A standby tells what it has replayed.
async fn position(client: &Client) -> Result<u64, Fault> {
    let row = client
        .query_one(&*client.sql(include_str!("sql/position.sql")), &[])
        .await
        .doing("asking for the position in the WAL")?;
    Ok(row.get::<_, Option<PgLsn>>(0).map(u64::from).unwrap_or_default())
}

/// Waits for the stream. A database without a ledger, or a switched one, has nothing to wait for.
async fn ledger_reaches(client: &Client, after: Lsn) -> Result<bool, Fault> {
    let began = Instant::now();
    loop {
        let asked =
            client.query_opt("select applied, phase = 'live' from whimbrel.ledger", &[]).await;
        let row = match asked {
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => return Ok(true),
            asked => asked.doing("reading the ledger's position")?,
        };
        let Some(row) = row else { return Ok(true) };
        let applied = row.get::<_, Option<PgLsn>>(0).map(|lsn| Lsn(lsn.into()));
        if row.get::<_, bool>(1) || applied >= Some(after) {
            return Ok(true);
        }
        if began.elapsed() > WAIT_MAX {
            return Ok(false);
        }
        sleep(WAIT_PAUSE).await;
    }
}

async fn sum(
    client: &Client,
    table: &SumTable,
    wanted: &SumsWanted<'_>,
) -> Result<TableSums, Fault> {
    let doing = format!("summing the rows of {}.{}", table.schema, table.name);
    if table.page_from > 0 && client.server_version_num() < PAGE_RANGES_SINCE {
        // The first range was read to the table's end.
        return Ok(TableSums::default());
    }
    let within: Vec<i64> = table.within.iter().map(|chunk| chunk.cast_signed()).collect();
    let statement = statement(table, wanted, client.server_version_num());
    let rows = client.query(&statement, &[&wanted.salt, &within]).await.doing(&doing)?;
    let mut sums = TableSums { cut: rows.len() > CHUNKS_MAX, ..TableSums::default() };
    for row in rows.iter().take(CHUNKS_MAX) {
        sums.chunk.push(row.get::<_, i64>(0).cast_unsigned());
        sums.rows.push(row.get::<_, i64>(1).cast_unsigned());
        sums.sum.push(row.get(2));
    }
    Ok(sums)
}

fn statement(table: &SumTable, wanted: &SumsWanted<'_>, version: u32) -> String {
    let row = text(&table.columns);
    let key = if table.key.is_empty() { row.clone() } else { text(&table.key) };
    let (key, row) = (hash(&key, wanted), hash(&row, wanted));
    let masked = |chunks: u64| match chunks {
        0 => key.clone(),
        chunks => format!("({key} & {})", chunks - 1),
    };
    // Always true: every statement takes the same parameters.
    let mut conditions = vec!["cardinality($2::int8[]) >= 0".to_owned()];
    if !table.within.is_empty() {
        conditions.push(format!("{} = any ($2)", masked(table.within_chunks)));
    }
    if table.page_from > 0 {
        conditions.push(format!("t.ctid >= '({},0)'::tid", table.page_from));
    }
    if table.page_to > 0 && version >= PAGE_RANGES_SINCE {
        conditions.push(format!("t.ctid < '({},0)'::tid", table.page_to));
    }
    format!(
        "select {}, count(*), sum({row})::text from only {} as t where {} group by 1 order by 1 limit {}",
        masked(table.chunks),
        qualified(&table.schema, &table.name),
        conditions.join(" and "),
        CHUNKS_MAX + 1
    )
}

/// The columns' values as one text, whatever their order in the table.
fn text(columns: &[String]) -> String {
    let columns: Vec<String> =
        columns.iter().map(|column| format!("t.{}", identifier(column))).collect();
    format!("row({})::text", columns.join(", "))
}

fn hash(text: &str, wanted: &SumsWanted<'_>) -> String {
    if wanted.common_version >= EXTENDED_HASH_SINCE {
        format!("pg_catalog.hashtextextended({text} collate \"C\", $1::int8)")
    } else {
        format!("('x' || left(md5($1::int8 || {text}), 16))::bit(64)::int8")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_the_hash_of_the_key() {
        let table = SumTable {
            schema: "s".into(),
            name: "t".into(),
            columns: vec!["a".into(), "id".into()],
            key: vec!["id".into()],
            chunks: 8,
            ..SumTable::default()
        };
        let wanted = SumsWanted { tables: &[], salt: 1, common_version: 150_000, after: None };
        let sql = statement(&table, &wanted, 150_000);
        assert!(sql.contains("row(t.\"id\")::text collate \"C\", $1::int8) & 7)"), "{sql}");
        assert!(sql.contains("row(t.\"a\", t.\"id\")::text"), "{sql}");
        let old = SumsWanted { common_version: 100_000, ..wanted };
        assert!(statement(&table, &old, 150_000).contains("md5("));
    }
}
