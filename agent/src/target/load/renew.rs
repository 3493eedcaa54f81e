//! Snapshots renewed on purpose: the source can't vacuum what a snapshot still sees, so none is held for long.
//!
//! When the snapshot is due, no part is begun under it any more, those that are on their way end, and tables that are half
//! copied are brought to the new one ([`super::forward`]). A table that can't be (it has no key) is finished first: its parts
//! must share one snapshot. An offline migration's tables all share one.
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use whimbrel_proto::Lsn;

use super::start::check_server;
use crate::{
    fault::{Doing, Fault, Policy},
    postgres::Client,
    target::{
        fact::Fact,
        ledger::Ledger,
        limits::Limits,
        receive::{Receiver, current},
    },
    verify::schema_changed,
};

/// How old the held snapshot is, and may be.
pub(super) struct Age {
    limits: Limits,
    taken: Instant,
    /// The last time that it could not be renewed.
    kept: Option<Instant>,
    /// That it is too old was told.
    told: bool,
}

impl Age {
    pub(super) fn of_new_snapshot(limits: Limits) -> Self {
        Self { limits, taken: Instant::now(), kept: None, told: false }
    }

    /// A new one should take its place.
    pub(super) fn is_due(&self) -> bool {
        self.due_at() <= Instant::now()
    }

    /// Resolves when it becomes due; never of one that is.
    pub(super) async fn due(&self) {
        if self.is_due() {
            std::future::pending::<()>().await;
        }
        sleep_until(self.due_at()).await;
    }

    fn due_at(&self) -> Instant {
        self.kept.unwrap_or(self.taken) + self.limits.snapshot_age()
    }

    /// So much older than it should be that an operator must know.
    fn is_overdue(&self) -> Option<Duration> {
        let age = self.taken.elapsed();
        let limit = self.limits.snapshot_age();
        (age > limit + limit / 10).then_some(age)
    }
}

impl Receiver {
    /// Takes a new snapshot; its point. `None`: the old one is still the best.
    pub(super) async fn renew(
        &self,
        client: &mut Client,
        ledger: Ledger,
        age: &mut Age,
    ) -> Result<Option<Lsn>, Fault> {
        age.kept = Some(Instant::now());
        if !self.spec.online {
            return Ok(None);
        }
        // What is not there yet is copied by the catalog of the dump, and what changed since comes by the stream.
        let changed = crate::verify::shape_difference(
            &self.dumped_shape(client).await?,
            &self.shape(false).await?,
        );
        if changed.is_some() {
            return Ok(None);
        }
        self.progress.operation("renewing the snapshot of the source");
        let snapshot = self.renew_snapshot(client, ledger).await?;
        let known = current(client).await?.source_system;
        check_server(&snapshot, known)?;
        if let Some(changed) = self.schema_change(client, ledger).await?
            && waits_for_rows(client, &changed.tables).await?
        {
            // Since it was looked at, or where no shape tells: the next try leaves those tables to the stream.
            return Err(Fault { policy: Policy::Retry, ..schema_changed(&changed.difference) });
        }
        let seconds = age.taken.elapsed().as_secs();
        let text = format!("the one before was held for {seconds} s; now at {}", snapshot.point);
        self.tell(Fact::Milestone("SnapshotRenewed", text)).await;
        *age = Age::of_new_snapshot(age.limits.clone());
        self.progress.operation("copying tables");
        Ok(Some(snapshot.point))
    }

    /// Once for each snapshot.
    pub(super) async fn tell_of_old_snapshot(&self, age: &mut Age) {
        let Some(held) = age.is_overdue().filter(|_| !age.told) else { return };
        age.told = true;
        let text = format!(
            "held for {} s, and needed further: a table without a key, an offline migration's, or one whose source has \
             changed its schema since is copied under one snapshot; the source can't vacuum what changes meanwhile",
            held.as_secs()
        );
        self.tell(Fact::Milestone("SnapshotOld", text)).await;
    }
}

/// Whether one of the tables is still to be copied; the stream brings the others to their new form.
async fn waits_for_rows(client: &Client, tables: &[u32]) -> Result<bool, Fault> {
    let sql =
        "select exists (select from whimbrel.relation where not copied and source_oid = any($1))";
    let row = client.query_one(sql, &[&tables]).await;
    Ok(row.doing("looking in the ledger for tables that have changed and are not copied")?.get(0))
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;
    use whimbrel_proto::agent::v1::CopyLimits;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_snapshot_is_due_by_the_limit_of_now() {
        let (told, limits) = watch::channel(CopyLimits::default());
        let age = Age::of_new_snapshot(Limits::new(limits));
        tokio::time::sleep(Duration::from_secs(100)).await;
        assert!(!age.is_due());
        let seconds = |seconds| prost_types::Duration { seconds, nanos: 0 };
        told.send_modify(|limits| limits.snapshot_age = Some(seconds(101)));
        assert!(!age.is_due());
        age.due().await;
        assert!(age.is_due() && age.is_overdue().is_none());
        told.send_modify(|limits| limits.snapshot_age = Some(seconds(50)));
        assert!(age.is_overdue().is_some());
    }
}
