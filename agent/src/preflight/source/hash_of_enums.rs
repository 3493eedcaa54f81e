//! Tables that are partitioned by the hash of an enum: it is of the label's OID, which is another on each server.
use serde::Deserialize;

use crate::{
    fault::Fault,
    preflight::{
        ask::ask,
        check::{At, Check, Level, Run, Source},
        finding::Found,
    },
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "HashOfEnumValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Table {
    name: String,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    // Partitions by hash came with 11.
    if source.client.server_major() < 11 {
        return Ok(Vec::new());
    }
    let doing = format!("looking for hashes of enums in database {}", source.database);
    let sql = &source.chosen(include_str!("../sql/hash_of_enums.sql"));
    let tables: Vec<Table> = ask(source.client, &doing, sql, &[]).await?;
    Ok(tables.iter().map(finding).collect())
}

fn finding(Table { name }: &Table) -> Found {
    let message = format!(
        "{name} is partitioned by the hash of an enum, which is the hash of its labels' OIDs: these are others on the target, and \
         a partition's rows do not belong in the partition of that name there"
    );
    let remedy = format!(
        "-- leave it out (--exclude-table '{name}') and move it by pg_dump --load-via-partition-root; or make it anew on the \
         source, partitioned by list, or by the hash of another key"
    );
    Found::failed("PartitionedByEnumHash", message).object(name).remedy(remedy)
}
