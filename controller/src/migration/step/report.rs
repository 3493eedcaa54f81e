//! What agents report. A report that came before, or under an older epoch, changes nothing.
use super::{
    super::{
        event::{Report, ReportKind, Task},
        phase::DatabasePhase,
        record::{Seen, Side},
        refusal::Refusal,
        spec::Mode,
    },
    Work,
    restored::TARGET_IS_LIVE,
};

impl Work {
    pub(super) fn report(&mut self, report: &Report) -> Result<(), Refusal> {
        let side = match report.task {
            Task::CheckSource | Task::Send | Task::CleanSource | Task::Guard => Side::Source,
            Task::CheckTarget | Task::Receive => Side::Target,
        };
        if self.migration.agent(side) != report.agent {
            self.ignore("an agent that has no such task here");
            return Ok(());
        }
        if self.was_over || !self.is_new(report) {
            self.ignore("said before, or after the end");
            return Ok(());
        }
        match report.task {
            Task::CheckSource | Task::CheckTarget => return self.check_report(report),
            Task::Send | Task::Receive | Task::CleanSource | Task::Guard => {}
        }
        let Some((index, database)) = self.migration.database(&report.database) else {
            self.ignore("a database that the migration does not have");
            return Ok(());
        };
        if report.epoch != database.epoch {
            self.ignore("a stale epoch");
            return Ok(());
        }
        match report.task {
            Task::CleanSource => self.clean_report(index, report),
            Task::Guard => self.guard_report(index, report),
            _ if database.phase().has_tasks() => self.task_report(index, report),
            _ => {
                self.ignore("the database has no tasks any more");
                Ok(())
            }
        }
    }

    /// Notes the report's number; `false` if it was taken in before.
    fn is_new(&mut self, report: &Report) -> bool {
        let seen = self
            .migration
            .seen
            .entry(report.agent.clone())
            .or_insert_with(|| Seen { incarnation: report.incarnation.clone(), report: 0 });
        if seen.incarnation != report.incarnation || seen.report >= report.sequence {
            return false;
        }
        seen.report = report.sequence;
        true
    }

    fn task_report(&mut self, index: usize, report: &Report) -> Result<(), Refusal> {
        let name = self.name(index);
        match &report.kind {
            ReportKind::Prepared { target_oid } => {
                let before = std::mem::replace(&mut self.database(index).target_oid, *target_oid);
                // Told again by each epoch; worth an event once.
                if before != *target_oid {
                    let message = format!("the target's database is made (OID {target_oid})");
                    self.note(&name, "DatabasePrepared", message);
                }
            }
            ReportKind::Milestone { kind, .. } if kind == TARGET_IS_LIVE => self.found_live(index),
            ReportKind::Milestone { kind, message } => self.note(&name, kind, message),
            ReportKind::CopyFinished { tables, rows, bytes } => {
                let message = format!("{tables} tables, {rows} rows, {bytes} bytes");
                self.copy_finished(index, message)?;
            }
            ReportKind::StreamStarted { from_lsn } => self.stream_started(index, *from_lsn)?,
            ReportKind::StepDone(done) => self.step_done(index, done)?,
            ReportKind::StepFailed(failed) => self.step_failed(index, failed)?,
            ReportKind::TaskFailed(failure) => {
                if self.migration.databases[index].hold.is_some() {
                    self.ignore("held already");
                } else {
                    self.task_failed(index, failure)?;
                }
            }
            ReportKind::TableHeld { table, failure } => self.table_held(index, table, failure),
            ReportKind::TaskDone => self.ignore("the task was stopped"),
            ReportKind::Checked { .. } => self.ignore("a report that no such task makes"),
        }
        Ok(())
    }

    fn copy_finished(&mut self, index: usize, message: String) -> Result<(), Refusal> {
        let name = self.name(index);
        let database = self.database(index);
        if database.copied {
            self.ignore("the copy was finished before");
            return Ok(());
        }
        database.copied = true;
        self.mended(index);
        self.note(&name, "CopyFinished", message);
        let offline = self.migration.spec.mode == Mode::Offline;
        let copying = matches!(self.migration.databases[index].phase(), DatabasePhase::Copying);
        if offline && copying {
            self.begin_cutover(index, false)?;
        }
        Ok(())
    }

    fn stream_started(&mut self, index: usize, from_lsn: u64) -> Result<(), Refusal> {
        let name = self.name(index);
        let from = whimbrel_proto::Lsn(from_lsn);
        // What was asked for is done before the stream flows, by every epoch that knew of it.
        self.database(index).copy_again.clear();
        self.note(&name, "StreamStarted", format!("changes flow from {from}"));
        let copying = matches!(self.migration.databases[index].phase(), DatabasePhase::Copying);
        if copying && self.migration.spec.mode == Mode::Online {
            self.database(index).copied = true;
            self.enter_database(index, DatabasePhase::Streaming)?;
        }
        Ok(())
    }

    /// The lag is small: ready, and it stays so.
    pub(super) fn lag_small(&mut self, database: &str, epoch: u64) -> Result<(), Refusal> {
        let Some((index, found)) = self.migration.database(database) else { return Ok(()) };
        let streaming = matches!(found.phase(), DatabasePhase::Streaming);
        if !streaming || found.epoch != epoch || found.hold.is_some() {
            self.ignore("not streaming under that epoch");
            return Ok(());
        }
        self.mended(index);
        self.enter_database(index, DatabasePhase::Ready)?;
        self.note(database, "WaitingForCutoverTrigger", "the lag is small");
        Ok(())
    }

    /// It got further than when it last failed: the next failure is a first one again.
    pub(super) fn progressed(&mut self, database: &str, epoch: u64) {
        let Some((index, found)) = self.migration.database(database) else { return };
        if found.epoch == epoch && found.retry_at.is_none() && found.hold.is_none() {
            self.mended(index);
        }
    }

    /// Forgets failures; what a cutover stepped back from stays to be read until the next one.
    pub(super) fn mended(&mut self, index: usize) {
        let database = self.database(index);
        if database.tries > 0 {
            database.forget_tries();
            database.message = None;
        }
    }
}
