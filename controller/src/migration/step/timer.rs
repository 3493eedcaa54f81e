//! What time alone brings: retries that are due, and the window.
use super::{
    super::{phase::DatabasePhase, record::is_due, refusal::Refusal},
    Work,
};

impl Work {
    pub(super) fn tick(&mut self) -> Result<(), Refusal> {
        let now = self.now;
        let due = |at: Option<jiff::Timestamp>| at.is_some_and(|at| is_due(at, now));
        let check_due = self.migration.phase().check().is_some_and(|c| due(c.retry_at));
        if check_due && self.migration.hold.is_none() {
            self.reissue_check();
        }
        self.window_tick()?;
        for index in 0..self.migration.databases.len() {
            let database = &self.migration.databases[index];
            if due(database.retry_at) && !database.stands_still() {
                self.again(index);
            }
        }
        Ok(())
    }

    /// What the database's phase is about, once more and under the next epoch.
    pub(super) fn again(&mut self, index: usize) {
        match self.migration.databases[index].phase() {
            DatabasePhase::Cleaning(_) => self.issue_clean(index),
            phase if phase.has_tasks() => self.start_tasks(index),
            _ => {}
        }
    }
}
