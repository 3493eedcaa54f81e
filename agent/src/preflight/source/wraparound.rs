//! Is the database near the end of its transaction ids? While rows are copied, a snapshot of ours keeps what is old from
//! being frozen.
use serde::Deserialize;

use crate::{
    fault::Fault,
    preflight::{
        ask::ask_one,
        check::{At, Check, Level, Run, Source},
        finding::Found,
    },
};

/// Three quarters of the way to where the server stops taking writes (2^31): from here a migration that is held for days
/// is in the way. Autovacuum freezes at 200 million by default.
const AGE_MAX: i64 = 1_500_000_000;

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "WraparoundValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source))),
};

#[derive(Deserialize)]
struct Age {
    transactions: i64,
    multixacts: i64,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let doing = format!("asking how old database {} is", source.database);
    let sql = include_str!("../sql/wraparound.sql");
    let age: Age = ask_one(source.client, &doing, sql, &[]).await?;
    Ok(judge(&age, source.database).into_iter().collect())
}

fn judge(age: &Age, database: &str) -> Option<Found> {
    let Age { transactions, multixacts } = age;
    if *transactions.max(multixacts) < AGE_MAX {
        return None;
    }
    let message = format!(
        "the oldest rows of database {database} are {transactions} transactions old (multixacts: {multixacts}); the server \
         stops taking writes at 2147 million, and can't freeze rows while they are copied"
    );
    Some(Found::warning("WraparoundNear", message).object(database).remedy(
        "vacuum (freeze); -- in that database, once old transactions are ended and slots that nobody reads are dropped",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_counter_counts() {
        let told =
            |transactions, multixacts| judge(&Age { transactions, multixacts }, "d").is_some();
        assert!(!told(200_000_000, 0));
        assert!(told(1_600_000_000, 0) && told(0, 1_600_000_000));
    }
}
