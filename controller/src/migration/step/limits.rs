//! What a migration may take of its servers, changed while it runs.
use super::{
    super::{command::CommandKind, event::LimitsChange, refusal::Refusal},
    Work,
};

impl Work {
    /// What runs is told; what is started later is started with them.
    pub(super) fn update_limits(&mut self, change: LimitsChange) -> Result<(), Refusal> {
        self.refuse_if_over()?;
        let limits = &mut self.migration.spec.limits;
        let before = *limits;
        limits.copy_jobs = change.copy_jobs.unwrap_or(before.copy_jobs);
        limits.copy_bytes_per_second =
            change.copy_bytes_per_second.unwrap_or(before.copy_bytes_per_second);
        limits.snapshot_seconds = change.snapshot_seconds.unwrap_or(before.snapshot_seconds);
        limits.retained_wal_bytes = change.retained_wal_bytes.unwrap_or(before.retained_wal_bytes);
        if *limits == before {
            return Ok(());
        }
        let now = *limits;
        let message = format!(
            "copy jobs {}, copied bytes per second {}, seconds that a snapshot is held {}, retained WAL {}; 0: not limited by \
             the operator",
            now.copy_jobs, now.copy_bytes_per_second, now.snapshot_seconds, now.retained_wal_bytes
        );
        self.note("", "LimitsUpdated", message);
        for index in 0..self.migration.databases.len() {
            let database = &self.migration.databases[index];
            let idle = database.hold.is_some() || database.retry_at.is_some();
            if database.phase().has_tasks() && database.epoch > 0 && !idle {
                self.command_both(index, &CommandKind::Limits);
            }
            // With it the new limits are told.
            self.guard(index);
        }
        Ok(())
    }
}
