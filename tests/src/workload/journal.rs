//! What the application was told is committed, and the check that it still is.
use std::collections::BTreeMap;

use postgres::Client;

use super::OPENING_BALANCE;
use crate::{Outcome, ensure};

/// Per writer, the ledger entries that it knows to be committed.
#[derive(Debug, Default, Clone)]
pub struct Journal {
    acknowledged: BTreeMap<i32, Entries>,
}

#[derive(Debug, Clone, Copy)]
struct Entries {
    // The last entry whose commit was acknowledged.
    last: i64,
    // The one after it was sent, and its commit not answered: it may be there or not.
    in_doubt: bool,
}

impl Journal {
    pub(super) fn of(writer: i32, last: i64, in_doubt: bool) -> Self {
        Self { acknowledged: BTreeMap::from([(writer, Entries { last, in_doubt })]) }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.acknowledged.extend(other.acknowledged);
    }

    /// Acknowledged transactions of all writers.
    #[must_use]
    pub fn transactions(&self) -> i64 {
        self.acknowledged.values().map(|entries| entries.last).sum()
    }
}

/// Fails unless the bank has everything that was acknowledged, once, and no money was made or lost.
///
/// # Errors
/// What is wrong.
pub fn check(client: &mut Client, journal: &Journal) -> Outcome {
    check_money(client)?;
    for (writer, entries) in &journal.acknowledged {
        let row = client.query_one(
            "select count(*), coalesce(min(entry), 1), coalesce(max(entry), 0)
             from bank.ledger where writer = $1",
            &[writer],
        )?;
        let (count, first, last): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
        ensure!(
            first == 1 && count == last,
            "the ledger of writer {writer} has gaps: {count} entries from {first} to {last}"
        );
        let most = entries.last + i64::from(entries.in_doubt);
        ensure!(
            (entries.last..=most).contains(&last),
            "writer {writer} was told that {} entries are committed; there are {last}",
            entries.last
        );
    }
    Ok(())
}

fn check_money(client: &mut Client) -> Outcome {
    let row = client
        .query_one("select count(*), coalesce(sum(balance), 0)::bigint from bank.accounts", &[])?;
    let (accounts, money): (i64, i64) = (row.get(0), row.get(1));
    let right = accounts * OPENING_BALANCE;
    ensure!(accounts > 0 && money == right, "{money} is in the bank, and {right} should be");
    let wrong = client.query_one(
        "select count(*) from bank.accounts a
         left join (select payer, sum(amount) s from bank.transfers group by 1) p on p.payer = a.id
         left join (select payee, sum(amount) s from bank.transfers group by 1) r on r.payee = a.id
         where a.balance <> $1::bigint - coalesce(p.s, 0) + coalesce(r.s, 0)",
        &[&OPENING_BALANCE],
    )?;
    let wrong: i64 = wrong.get(0);
    ensure!(wrong == 0, "{wrong} balances are not what the transfers make them");
    let stray = client.query_one(
        "select (select count(*) from bank.transfers) - (select count(*) from bank.ledger)",
        &[],
    )?;
    let stray: i64 = stray.get(0);
    ensure!(stray == 0, "transfers and ledger entries differ by {stray}");
    Ok(())
}
