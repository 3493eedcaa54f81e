//! What is built when all tables are there.
use tokio_postgres::Transaction;
use whimbrel_points::point;

use crate::{
    fault::{Doing, Fault},
    postgres::Client,
    target::{
        foreign_keys::{Unmade, still_there},
        ledger::Ledger,
        receive::Receiver,
        schema::{Entry, Plan, RESTORE_SETTINGS},
    },
};

impl Receiver {
    /// Indexes of partitioned tables, extended statistics and the like; then foreign keys, if they can't get in the way.
    pub(super) async fn finish_load(
        &self,
        client: &mut Client,
        ledger: Ledger,
        plan: &Plan,
        is_behind_stream: bool,
    ) -> Result<(), Fault> {
        self.progress.operation("building what spans tables");
        run_entries(client, ledger, &plan.all_tables).await?;
        if !plan.foreign_keys.is_empty() && self.foreign_keys_can_be_made(client).await? {
            self.progress.operation("building foreign keys");
            // What a stream that was lost has carried may have changed what they are about.
            let (keys, unmade) = match is_behind_stream {
                true => (still_there(client, &plan.foreign_keys).await?, Unmade::Waits),
                false => (plan.foreign_keys.clone(), Unmade::WaitsIfViolated),
            };
            self.make_foreign_keys(client, ledger, &keys, unmade).await?;
        }
        Ok(())
    }

    /// Before the stream only when all rows are of one moment (else a row's parent may still be in the stream), and when
    /// the apply may switch their triggers off. Otherwise they are made in the cutover.
    async fn foreign_keys_can_be_made(&self, client: &Client) -> Result<bool, Fault> {
        if !self.spec.online {
            return Ok(true);
        }
        let row = client
            .query_one("select count(distinct point) <= 1 and count(*) = count(point) from whimbrel.relation", &[])
            .await
            .doing("looking at the points of the copied tables")?;
        Ok(row.get::<_, bool>(0) && can_be_replica(client).await)
    }
}

/// Whether our role may set `session_replication_role`. Leaves the session as it was.
pub(crate) async fn can_be_replica(client: &Client) -> bool {
    let tried = client
        .batch_execute("set session_replication_role = replica; reset session_replication_role")
        .await;
    tried.is_ok()
}

/// Runs entries one after the other; those that the ledger has are done.
async fn run_entries(session: &mut Client, ledger: Ledger, entries: &[Entry]) -> Result<(), Fault> {
    for entry in entries {
        run_entry(session, ledger, entry).await?;
    }
    Ok(())
}

/// As [`run_entries`], of what may be done any number of times: the ledger does not remember it.
pub(crate) async fn run_entries_again(
    session: &mut Client,
    ledger: Ledger,
    entries: &[Entry],
) -> Result<(), Fault> {
    for entry in entries {
        let doing = format!("making {} {}", entry.kind.to_lowercase(), entry.tag);
        let tx = session.transaction().await.doing(&doing)?;
        tx.batch_execute(RESTORE_SETTINGS).await.doing(&doing)?;
        tx.batch_execute(&entry.sql)
            .await
            .doing(&doing)
            .map_err(|fault| not_refreshed(entry, fault))?;
        ledger.commit(tx, &doing).await?;
    }
    Ok(())
}

/// One entry in a transaction of its own, with the ledger's word of it.
pub(crate) async fn run_entry(
    session: &mut Client,
    ledger: Ledger,
    entry: &Entry,
) -> Result<(), Fault> {
    let doing = entry.creating();
    let tx = session.transaction().await.doing(&doing)?;
    if !note_entry(&tx, entry, &doing).await? {
        return tx.rollback().await.doing(&doing);
    }
    tx.batch_execute(RESTORE_SETTINGS).await.doing(&doing)?;
    tx.batch_execute(&entry.sql).await.doing(&doing)?;
    point!("entry.committing");
    ledger.commit(tx, &doing).await
}

/// A materialized view is filled as its owner, who may have lost the right to read what it is of.
fn not_refreshed(entry: &Entry, fault: Fault) -> Fault {
    if entry.kind != "MATERIALIZED VIEW DATA" || fault.code != "InsufficientPrivilege" {
        return fault;
    }
    fault.remedy(
        "REFRESH MATERIALIZED VIEW runs as the view's owner, and fails on the source too: there and on the target, let that role read \
         what the view selects from (or make it another role's, who may); then order the cutover again",
    )
}

/// Notes that an entry is made in this transaction; `false`: it was made before.
async fn note_entry(tx: &Transaction<'_>, entry: &Entry, doing: &str) -> Result<bool, Fault> {
    let new = tx
        .execute(
            "insert into whimbrel.entry (dump_id) values ($1) on conflict do nothing",
            &[&entry.dump_id],
        )
        .await
        .doing(doing)?;
    Ok(new == 1)
}
