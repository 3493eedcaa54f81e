//! A hold and a pause stop the tasks, and the slot stays: the source keeps WAL for it as long as they stand. Somebody watches
//! it meanwhile, and lets it go at the operator's bound.
use super::{
    super::{
        command::CommandKind,
        event::{Policy, Report, ReportKind},
        record::Side,
        refusal::Refusal,
        spec::Mode,
    },
    Work,
};

impl Work {
    /// Gives the watch out, when a slot of this database can be on the source and nothing else of it runs. Near the switch a
    /// slot that is let go would take the way on with it, so there it stays whatever it costs.
    pub(super) fn guard(&mut self, index: usize) {
        let database = &self.migration.databases[index];
        let leaves_a_slot = self.migration.spec.mode == Mode::Online
            && database.epoch > 0
            && database.hold.is_some()
            && database.phase().has_tasks()
            && !database.may_have_switched();
        if leaves_a_slot {
            self.command(index, Side::Source, CommandKind::Guard);
        }
    }

    pub(super) fn guard_report(&mut self, index: usize, report: &Report) -> Result<(), Refusal> {
        let name = self.name(index);
        match &report.kind {
            _ if self.migration.databases[index].hold.is_none() => {
                self.ignore("the database goes on, and its sender watches");
            }
            ReportKind::Milestone { kind, message } => self.note(&name, kind, message),
            // The slot is gone: whatever it waited for, a pause too, it goes on with a retry only. With it is the marker that
            // a cutover waits for.
            ReportKind::TaskFailed(failure) if failure.policy == Policy::Resync => {
                self.step_back_if_possible(index, failure)?;
                self.hold(index, failure);
            }
            _ => self.ignore("a report that changes nothing of a hold"),
        }
        Ok(())
    }
}
