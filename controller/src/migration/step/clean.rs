//! The end of a database that is not a success: our things leave the source first.
use super::{
    super::{
        command::CommandKind,
        event::{Failure, Policy, Report, ReportKind},
        hold::Hold,
        phase::{DatabasePhase, Ending},
        record::Side,
        refusal::Refusal,
    },
    Work, retry_time,
};

impl Work {
    /// Ends the database so, once nothing of ours can be on the source. The tasks have been told to stop.
    pub(super) fn clean(&mut self, index: usize, ending: Ending) -> Result<(), Refusal> {
        let (now, mode) = (self.now, self.migration.spec.mode);
        let database = self.database(index);
        database.hold = None;
        database.retry_at = None;
        database.forget_tries();
        if let Some(cutover) = database.phase().cutover() {
            database.last_cutover = Some(cutover.report(now));
        }
        if !database.may_have_source_objects(mode) {
            return self.ended(index, ending);
        }
        self.enter_database(index, DatabasePhase::Cleaning(ending))?;
        self.issue_clean(index);
        Ok(())
    }

    /// Gives the cleaning out under the next epoch.
    pub(super) fn issue_clean(&mut self, index: usize) {
        let database = self.database(index);
        database.epoch += 1;
        database.retry_at = None;
        self.command(index, Side::Source, CommandKind::CleanSource);
    }

    pub(super) fn clean_report(&mut self, index: usize, report: &Report) -> Result<(), Refusal> {
        let name = self.name(index);
        let DatabasePhase::Cleaning(ending) = self.migration.databases[index].phase().clone()
        else {
            self.ignore("the database is not being cleaned up");
            return Ok(());
        };
        match &report.kind {
            ReportKind::TaskDone => {
                self.note(&name, "SourceCleaned", "nothing of ours is left on the source");
                self.ended(index, ending)?;
                self.cancel_checks()
            }
            ReportKind::TaskFailed(failure) if failure.policy != Policy::Fenced => {
                self.cleaning_failed(index, failure);
                Ok(())
            }
            ReportKind::Milestone { kind, message } => {
                self.note(&name, kind, message);
                Ok(())
            }
            _ => {
                self.ignore("a report that no cleaning makes");
                Ok(())
            }
        }
    }

    /// Again, for ever: an operator who gave up wants the slot gone, however long the source is away. What time alone does not
    /// mend stands as a hold meanwhile, so that a person hears of it.
    pub(super) fn cleaning_failed(&mut self, index: usize, failure: &Failure) {
        let (now, name) = (self.now, self.name(index));
        let database = self.database(index);
        database.tries = database.tries.saturating_add(1);
        database.retry_at = Some(retry_time(now, database.tries, failure.policy));
        database.message = Some(failure.clone());
        let before = database.hold.take().filter(|hold| hold.code == failure.code);
        let since = before.map_or(now, |hold| hold.since);
        database.hold = (!failure.policy.is_retried()).then(|| Hold::of_failure(failure, since));
        self.note_failure(&name, "CleaningRetried", failure);
    }

    pub(super) fn ended(&mut self, index: usize, ending: Ending) -> Result<(), Refusal> {
        let name = self.name(index);
        match ending {
            Ending::Canceled => {
                self.enter_database(index, DatabasePhase::Canceled)?;
                self.note(&name, "DatabaseCanceled", "given up");
            }
            Ending::Failed(failure) => {
                self.note_failure(&name, "DatabaseFailed", &failure);
                self.database(index).message = Some(failure.clone());
                self.enter_database(index, DatabasePhase::Failed(failure))?;
            }
        }
        Ok(())
    }
}
