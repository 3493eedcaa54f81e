//! What the application was told is committed, and the check that it still is.
use std::collections::BTreeMap;

use postgres::{Client, GenericClient};

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
    let wrong = wrong_money(client)?;
    ensure!(wrong.is_none(), "{}", wrong.unwrap_or_default());
    Ok(())
}

/// What is wrong with a copy of the bank at some moment, if anything is: it must be a moment that the source had.
///
/// # Errors
/// When one of the two can't be read.
pub fn wrong_moment(
    copy: &mut impl GenericClient,
    source: &mut Client,
) -> Result<Option<String>, postgres::Error> {
    let money = wrong_money(copy)?;
    if money.is_some() {
        return Ok(money);
    }
    let gaps = copy.query_one(
        "select count(*) from (select from bank.ledger group by writer having max(entry) <> count(*)) w",
        &[],
    )?;
    let gaps: i64 = gaps.get(0);
    if gaps > 0 {
        return Ok(Some(format!("{gaps} writers' ledgers have gaps")));
    }
    // Read after the copy was pinned, so it can only be longer.
    for row in copy.query("select id, items from bank.lists order by id", &[])? {
        let (id, items): (i32, Vec<i64>) = (row.get(0), row.get(1));
        let whole = source.query_one(
            "select coalesce($2::bigint[] = items[1:cardinality($2::bigint[])], false) from bank.lists where id = $1",
            &[&id, &items],
        )?;
        if !whole.get::<_, bool>(0) {
            return Ok(Some(format!("list {id} is not a beginning of the source's")));
        }
    }
    Ok(None)
}

fn wrong_money(client: &mut impl GenericClient) -> Result<Option<String>, postgres::Error> {
    let row = client
        .query_one("select count(*), coalesce(sum(balance), 0)::bigint from bank.accounts", &[])?;
    let (accounts, money): (i64, i64) = (row.get(0), row.get(1));
    let right = accounts * OPENING_BALANCE;
    if accounts == 0 || money != right {
        return Ok(Some(format!("{money} is in the bank, and {right} should be")));
    }
    let wrong = client.query_one(
        "select count(*) from bank.accounts a
         left join (select payer, sum(amount) s from bank.transfers group by 1) p on p.payer = a.id
         left join (select payee, sum(amount) s from bank.transfers group by 1) r on r.payee = a.id
         where a.balance <> $1::bigint - coalesce(p.s, 0) + coalesce(r.s, 0)",
        &[&OPENING_BALANCE],
    )?;
    let wrong: i64 = wrong.get(0);
    if wrong > 0 {
        return Ok(Some(format!("{wrong} balances are not what the transfers make them")));
    }
    let stray = client.query_one(
        "select (select count(*) from bank.transfers) - (select count(*) from bank.ledger)",
        &[],
    )?;
    let stray: i64 = stray.get(0);
    Ok((stray != 0).then(|| format!("transfers and ledger entries differ by {stray}")))
}
