//! How much there is to copy, and about how long that takes. Never a warning.
use serde::Deserialize;

use crate::{
    fault::Fault,
    preflight::{
        ask::ask_one,
        check::{At, Check, Level, Run, Source},
        finding::Found,
    },
};

/// What one agent copies where nothing is slow, indexes included: an assumption, and told as one.
const BYTES_A_SECOND: u64 = 100_000_000;

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "SizeEstimateValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Size {
    bytes: u64,
    tables: u64,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing = format!("asking for the size of database {}", source.database);
    let size: Size =
        ask_one(source.client, &doing, &source.chosen(include_str!("../sql/database.sql")), &[])
            .await?;
    let message = format!(
        "{} tables, {}; about {} min at an assumed 100 MB/s; the target needs as much disk, and some for its WAL",
        size.tables,
        readable(size.bytes),
        minutes(size.bytes)
    );
    Ok(vec![Found::note("SizeEstimate", message).object(source.database)])
}

/// At the speed that is assumed, rounded up.
pub(super) fn minutes(bytes: u64) -> u64 {
    bytes.div_ceil(BYTES_A_SECOND * 60).max(1)
}

pub(super) fn readable(bytes: u64) -> String {
    match bytes {
        0..1_000_000_000 => format!("{} MB", bytes.div_ceil(1_000_000)),
        _ => format!("{}.{} GB", bytes / 1_000_000_000, bytes / 100_000_000 % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_minutes() {
        assert_eq!((minutes(1), minutes(6_000_000_000), minutes(6_000_000_001)), (1, 1, 2));
        assert_eq!(readable(7_000_001), "8 MB");
        assert_eq!(readable(12_345_678_901), "12.3 GB");
    }
}
