//! Makes what pg_dump wrote, in its order, and where that order fails in another.
//!
//! pg_dump sorts by the dependencies that the catalog knows, and there are some that it does not know (of a cast upon
//! another one, of what a function's body names). What fails in that order is tried again behind the rest; what fails
//! then too is an error.
//!
//! Tables and sequences seldom need each other, and each waits for the server's disk (before 17 an index, that of a table's
//! TOAST too, is flushed when it is made): stretches of them are made by several sessions. What needed one that was not
//! there yet is made when the stretch is over.
//!
//! Each run of entries is committed with the ledger's word of them: a database of many tables needs no room for all of
//! their locks at once, and what is interrupted goes on behind the last run.
use futures_util::future::try_join_all;

use super::{finish::run_entry, room::sessions_with_room};
use crate::{
    fault::{Doing, Fault, Policy},
    postgres::Client,
    target::{
        ledger::Ledger,
        receive::Receiver,
        schema::{Entry, RESTORE_SETTINGS},
    },
};

/// Entries that go to the server in one message, and are committed together: a round trip costs as much as a small
/// object, and a hundred objects' locks have room in any server.
const RUN_ENTRIES: usize = 100;

/// Bytes of such a message, unless one entry has more.
const RUN_BYTES: usize = 256 << 10;

/// Kinds of entries that are made beside each other.
const BESIDE: [&str; 3] = ["TABLE", "SEQUENCE", "SEQUENCE OWNED BY"];

/// What could not be made, and why.
type Failed<'a> = Vec<(&'a Entry, Fault)>;

impl Receiver {
    /// Makes the entries: in runs, and what stands in the way of a run behind all others, as long as that makes any more.
    ///
    /// # Errors
    /// The first entry's that could not be made, wherever it stood.
    pub(super) async fn make_entries(
        &self,
        client: &mut Client,
        ledger: Ledger,
        entries: &[&Entry],
    ) -> Result<(), Fault> {
        let mut left = Failed::new();
        for stretch in entries.chunk_by(|one, next| is_beside(one) == is_beside(next)) {
            let runs = runs(stretch);
            let wanted = if is_beside(stretch[0]) { self.limits.small_jobs() } else { 1 };
            let sessions = match wanted.min(runs.len()) {
                1 => 1,
                wanted => sessions_with_room(client, wanted, RUN_ENTRIES).await?,
            };
            left.extend(match sessions {
                1 => make_in_order(client, ledger, &runs).await?,
                sessions => self.make_beside(client, ledger, &runs, sessions).await?,
            });
        }
        while let Some((_, first)) = left.first() {
            let first = first.clone();
            let entries: Vec<&Entry> = left.iter().map(|(entry, _)| *entry).collect();
            left = make_each(client, ledger, &entries).await?;
            // Each round but the last makes at least one, so there are at most as many rounds as entries.
            if left.len() == entries.len() {
                return Err(unmade(first));
            }
        }
        Ok(())
    }

    /// Runs in any order, by several sessions; then one by one and in order what that order could not do.
    async fn make_beside<'a>(
        &self,
        client: &mut Client,
        ledger: Ledger,
        runs: &[&[&'a Entry]],
        sessions: usize,
    ) -> Result<Failed<'a>, Fault> {
        let workers = (0..sessions).map(|first| async move {
            let mut session = self.session("schema").await?;
            let mut failed = Vec::new();
            for at in (first..runs.len()).step_by(sessions) {
                match make_run(&mut session, ledger, runs[at]).await {
                    Err(fault) if may_be_order(&fault) || is_deadlock(&fault) => failed.push(at),
                    made => made?,
                }
            }
            Ok::<_, Fault>(failed)
        });
        let mut failed = try_join_all(workers).await?.concat();
        failed.sort_unstable();
        let mut left = Failed::new();
        for at in failed {
            left.extend(make_each(client, ledger, runs[at]).await?);
        }
        Ok(left)
    }
}

/// What was dumped is made as it was then: what only the source can do without needs another dump.
fn unmade(fault: Fault) -> Fault {
    if fault.code != "PostgresError" {
        return fault;
    }
    fault.remedy(
        "mend the cause on the target, then `whimbrel migration retry`; or drop or change it on the source, \
         `whimbrel migration cancel`, and create the migration again: what was dumped stays as it was",
    )
}

async fn make_in_order<'a>(
    client: &mut Client,
    ledger: Ledger,
    runs: &[&[&'a Entry]],
) -> Result<Failed<'a>, Fault> {
    let mut left = Failed::new();
    for run in runs {
        match make_run(client, ledger, run).await {
            Err(fault) if may_be_order(&fault) => {
                left.extend(make_each(client, ledger, run).await?);
            }
            made => made?,
        }
    }
    Ok(left)
}

fn is_beside(entry: &Entry) -> bool {
    BESIDE.contains(&entry.kind.as_str())
}

/// Two sessions stood in each other's way.
fn is_deadlock(fault: &Fault) -> bool {
    fault.code == "TransactionRolledBack"
}

/// Whether another order may do what this one could not.
fn may_be_order(fault: &Fault) -> bool {
    fault.policy == Policy::Hold
}

/// All of them in one transaction, in one message.
async fn make_run(client: &mut Client, ledger: Ledger, run: &[&Entry]) -> Result<(), Fault> {
    let [first, ..] = run else { return Ok(()) };
    let doing = format!("{} (and {} more)", first.creating(), run.len() - 1);
    let tx = client.transaction().await.doing(&doing)?;
    let ids: Vec<i32> = run.iter().map(|entry| entry.dump_id).collect();
    tx.execute("insert into whimbrel.entry (dump_id) select unnest($1::int4[])", &[&ids])
        .await
        .doing(&doing)?;
    tx.batch_execute(RESTORE_SETTINGS).await.doing(&doing)?;
    let sql: Vec<&str> = run.iter().map(|entry| entry.sql.as_str()).collect();
    tx.batch_execute(&sql.join("\n;\n")).await.doing(&doing)?;
    ledger.commit(tx, &doing).await
}

/// Each by itself; those that could not be made, and why.
async fn make_each<'a>(
    client: &mut Client,
    ledger: Ledger,
    entries: &[&'a Entry],
) -> Result<Failed<'a>, Fault> {
    let mut failed = Failed::new();
    for entry in entries {
        match run_entry(client, ledger, entry).await {
            Err(fault) if may_be_order(&fault) => failed.push((*entry, fault)),
            made => made?,
        }
    }
    Ok(failed)
}

/// Entries that are made together, in their order.
fn runs<'r, 'a>(entries: &'r [&'a Entry]) -> Vec<&'r [&'a Entry]> {
    let mut runs = Vec::new();
    let (mut from, mut bytes) = (0, 0);
    for (at, entry) in entries.iter().enumerate() {
        if at > from && (at - from >= RUN_ENTRIES || bytes + entry.sql.len() > RUN_BYTES) {
            runs.push(&entries[from..at]);
            (from, bytes) = (at, 0);
        }
        bytes += entry.sql.len();
    }
    runs.push(&entries[from..]);
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_target_cant_make_has_a_way_out() {
        let refused = |code| Fault::hold(code, "creating view v").remedy("this");
        assert!(unmade(refused("PostgresError")).remedy.contains("whimbrel migration cancel"));
        assert_eq!(unmade(refused("RolesMissing")).remedy, "this");
    }
}
