//! Epochs on the source, where nothing is written that could prove them: each session of ours bears its epoch in its name.
//!
//! A newer epoch ends the sessions of older ones before it begins: an agent that is frozen, or that the controller can't
//! reach, would keep the slot. One that finds a newer epoch at work does not touch the slot. The receiving server's
//! ledger is what fences (DESIGN.md, law 2); this keeps a stale agent from being a nuisance.
use super::sender::Sender;
use crate::{
    fault::{Doing, Fault},
    postgres::{Client, ConnectProblem, as_login_role, literal},
};

/// Ours for the slot `$1`: `pid`, `epoch`.
const OUR_SESSIONS: &str = include_str!("sql/our_sessions.sql");

/// As [`OUR_SESSIONS`], for a message that can have no parameters.
pub(super) fn our_sessions(slot: &str) -> String {
    OUR_SESSIONS.replace("$1", &literal(slot))
}

impl Sender {
    /// Ends what older epochs have left running on the source. Nothing of theirs runs in a database that is gone; whoever asks
    /// for what was in it is told, and after the switch nobody does.
    ///
    /// # Errors
    /// `Fenced` when a newer one is there.
    pub async fn take_over(&self) -> Result<(), Fault> {
        let client = match self.control().await {
            Err(fault) if fault.code == ConnectProblem::DatabaseDoesNotExist.code() => {
                return Ok(());
            }
            client => client?,
        };
        self.refuse_if_older(&client).await?;
        let end = format!(
            "select pg_terminate_backend(pid) from ({}) ours where epoch < {}",
            our_sessions(&self.spec.objects.slot),
            self.epoch()
        );
        as_login_role(&client, &end)
            .await
            .doing("ending sessions of an older epoch on the source")?;
        Ok(())
    }

    /// # Errors
    /// `Fenced` when a newer epoch has sessions on the source.
    pub(super) async fn refuse_if_older(&self, client: &Client) -> Result<(), Fault> {
        let doing = "looking for sessions of a newer epoch on the source";
        let row = client
            .query_one(
                &format!("select count(*) from ({OUR_SESSIONS}) ours where epoch > $2"),
                &[&self.spec.objects.slot, &self.epoch()],
            )
            .await
            .doing(doing)?;
        if row.get::<_, i64>(0) > 0 { Err(Fault::fenced(doing)) } else { Ok(()) }
    }

    fn epoch(&self) -> i64 {
        i64::try_from(self.spec.epoch).unwrap_or(i64::MAX)
    }
}
