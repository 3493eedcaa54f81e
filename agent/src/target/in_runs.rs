//! Statements some at a time: each locks some objects, and a transaction of thousands of them has no room for its locks on a
//! server as it is set up (`max_locks_per_transaction` is 64).
use super::{ledger::Ledger, schema::RESTORE_SETTINGS};
use crate::{
    fault::{Doing, Fault},
    postgres::Client,
};

/// Statements of one transaction: some seven locks each, of a foreign key with its triggers.
pub(super) const RUN: usize = 25;

/// A statement, and what it is about.
pub(super) struct Statement {
    pub(super) about: String,
    pub(super) sql: String,
}

/// Runs statements that may be begun again anywhere between two of them.
///
/// # Errors
/// The server's, with what it is about; those of the runs before are done.
pub(super) async fn in_runs(
    session: &mut Client,
    ledger: Ledger,
    statements: &[Statement],
    doing: &str,
) -> Result<(), Fault> {
    for run in statements.chunks(RUN) {
        let tx = session.transaction().await.doing(doing)?;
        tx.batch_execute(RESTORE_SETTINGS).await.doing(doing)?;
        for Statement { about, sql } in run {
            tx.batch_execute(sql).await.doing(format!("{doing}: {about}"))?;
        }
        ledger.commit(tx, doing).await?;
    }
    Ok(())
}
