//! A source that is gone for good: nothing of ours can be taken off it any more, and nothing must wait for that.
use super::{
    super::{
        command::CommandKind,
        cutover::{Step, StepRecord},
        phase::DatabasePhase,
        record::Side,
        refusal::Refusal,
    },
    Work,
};

impl Work {
    /// Of a source that answers, taking our things off is the better way, and the slot that is left would fill its disk: so it
    /// must have been tried, and have failed.
    pub(super) fn leave_source(&mut self, databases: &[String]) -> Result<(), Refusal> {
        let mut chosen = self.select_live(databases)?;
        if databases.is_empty() {
            let databases = &self.migration.databases;
            let all = chosen.clone();
            chosen.retain(|i| databases[*i].may_leave_source());
            // Say why not of the first, rather than that there is none.
            if chosen.is_empty() {
                chosen = all;
            }
        }
        for index in &chosen {
            self.may_leave(*index)?;
        }
        for index in chosen {
            self.leave(index)?;
        }
        Ok(())
    }

    fn may_leave(&self, index: usize) -> Result<(), Refusal> {
        let database = &self.migration.databases[index];
        let name = &database.name;
        if !database.is_leaving_source() {
            let message = format!(
                "the source of database {name} is still needed: cancel first, or finish the cutover"
            );
            return Err(self.refuse("SourceNeeded", message));
        }
        if !database.may_leave_source() {
            let message = format!(
                "taking what is ours off the source of database {name} is under way and has not failed: wait for its end"
            );
            return Err(self.refuse("SourceNotGone", message));
        }
        Ok(())
    }

    fn leave(&mut self, index: usize) -> Result<(), Refusal> {
        let name = self.name(index);
        self.note(&name, "SourceLeft", self.what_is_left(&name));
        if let DatabasePhase::Cleaning(ending) = self.migration.databases[index].phase().clone() {
            self.command(index, Side::Source, CommandKind::Stop);
            return self.ended(index, ending);
        }
        let database = self.database(index);
        database.message = None;
        database.forget_tries();
        if let Some(cutover) = database.cutover_mut() {
            cutover.done.push(StepRecord { step: Step::RemoveSource, seconds: 0.0 });
            cutover.step = Step::RemoveLedger;
        }
        self.start_tasks(index);
        Ok(())
    }

    /// For whoever finds the source again: a slot that nobody reads keeps its WAL without end.
    fn what_is_left(&self, name: &str) -> String {
        let Some(objects) = self.migration.source_objects(name) else { return String::new() };
        let (slot, publication, keyless) =
            (objects.slot, objects.publication, objects.keyless_publication);
        format!(
            "given up as gone. Should the source come back, in its database {name}: \
             select pg_drop_replication_slot('{slot}'); drop publication if exists {publication}, {keyless}; \
             drop event trigger if exists {slot}_ddl_command_end; drop event trigger if exists {slot}_sql_drop; \
             drop event trigger if exists {slot}_table_rewrite; drop function if exists whimbrel.{slot}; drop schema if exists whimbrel"
        )
    }
}
