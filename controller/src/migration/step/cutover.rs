//! The cutover of one database: one step at a time; back until the switch, forward only from it.
use super::{
    super::{
        command::{CommandKind, StepOrder},
        cutover::{Cutover, STEP_TRIES_MAX, Step, StepRecord},
        event::{Cutover as Request, Failure, Policy, StepDone, StepFailed},
        phase::{DatabasePhase, Ending},
        refusal::Refusal,
        spec::Mode,
        view,
    },
    Actor, Work,
};

impl Work {
    /// The operator's word.
    pub(super) fn begin_cutovers(&mut self, request: &Request) -> Result<(), Refusal> {
        self.refuse_if_over()?;
        if request.fence {
            return Err(self.refuse(
                "FenceNotBuilt",
                "stopping the source's writes (--fence) is not built yet: stop the application, then cut over without it",
            ));
        }
        if self.migration.spec.mode == Mode::Offline {
            return Err(self.refuse(
                "OfflineCutsOverItself",
                "an offline migration cuts over by itself, once its copy is complete",
            ));
        }
        let mut chosen = self.select(&request.databases)?;
        if request.databases.is_empty() {
            chosen.retain(|i| self.is_ready(*i));
        }
        if chosen.is_empty() {
            return Err(self.refuse("NothingWaitsForCutover", self.not_ready_message()));
        }
        for index in &chosen {
            self.may_cut_over(*index, request)?;
        }
        for index in chosen {
            self.begin_cutover(index, request.allow_source_writes)?;
        }
        Ok(())
    }

    fn is_ready(&self, index: usize) -> bool {
        matches!(self.migration.databases[index].phase(), DatabasePhase::Ready)
    }

    fn not_ready_message(&self) -> String {
        let (state, sub_state) = view::state(&self.migration);
        format!(
            "no database waits for a cutover: the migration is {}/{}",
            state.name(),
            sub_state.name()
        )
    }

    fn may_cut_over(&self, index: usize, request: &Request) -> Result<(), Refusal> {
        let database = &self.migration.databases[index];
        let name = &database.name;
        if !self.is_ready(index) {
            let state = view::database_state(&self.migration, database).name();
            let operation = view::operation(&self.migration, database);
            let message =
                format!("database {name} does not wait for a cutover: it is {state} ({operation})");
            return Err(self.refuse("DatabaseNotReady", message));
        }
        if let Some(hold) = &database.hold {
            let message =
                format!("database {name} is held ({}): {}", hold.kind.name(), hold.message);
            return Err(self.refuse("DatabaseHeld", message));
        }
        if let Some(held) = database.held_tables.first() {
            let message = format!(
                "table {} of database {name} is held ({}): its rows are not the source's; `whimbrel migration retry` copies it again",
                held.table, held.code
            );
            return Err(self.refuse("TablesHeld", message));
        }
        let Some(max) = request.max_latency else { return Ok(()) };
        let message = match request.latencies.get(name) {
            Some(latency) if *latency <= max => return Ok(()),
            Some(latency) => {
                format!("the latency of database {name} is {latency:.1} s, more than {max:.1} s")
            }
            None => format!("the latency of database {name} is not known yet"),
        };
        Err(self.refuse("LatencyTooHigh", message))
    }

    pub(super) fn begin_cutover(
        &mut self,
        index: usize,
        allow_source_writes: bool,
    ) -> Result<(), Refusal> {
        let (mode, now, name) = (self.migration.spec.mode, self.now, self.name(index));
        let database = self.database(index);
        database.attempts += 1;
        database.message = None;
        database.forget_tries();
        let attempt = database.attempts;
        let cutover = Cutover::new(attempt, mode, allow_source_writes, now);
        self.enter_database(index, DatabasePhase::CuttingOver(cutover))?;
        self.note(&name, "CutoverStarted", format!("attempt {attempt}"));
        // With a restart of the tasks due, the step comes with it.
        if self.migration.databases[index].retry_at.is_none() {
            self.issue_step(index);
        }
        Ok(())
    }

    /// Gives out the outstanding step, if a cutover runs.
    pub(super) fn issue_step(&mut self, index: usize) {
        let Some(cutover) = self.migration.databases[index].phase().cutover() else { return };
        let order = StepOrder {
            step: cutover.step,
            attempt: cutover.attempt,
            open: if cutover.step == Step::Settle { cutover.open.clone() } else { Vec::new() },
            end_lsn: cutover.end_lsn,
            allow_source_writes: cutover.allow_source_writes,
        };
        self.command(index, order.step.side(), CommandKind::CutoverStep(order));
    }

    pub(super) fn step_done(&mut self, index: usize, done: &StepDone) -> Result<(), Refusal> {
        let (mode, name) = (self.migration.spec.mode, self.name(index));
        let Some(cutover) = self.database(index).cutover_mut() else {
            self.ignore("no cutover runs");
            return Ok(());
        };
        if cutover.step != done.step || cutover.attempt != done.attempt {
            self.ignore("a step that is not outstanding");
            return Ok(());
        }
        match done.step {
            Step::Mark => cutover.open.clone_from(&done.open),
            Step::MarkEnd => cutover.end_lsn = done.lsn,
            _ => {}
        }
        cutover.tries = 0;
        cutover.done.push(StepRecord { step: done.step, seconds: done.seconds });
        let next = done.step.next(mode);
        if let Some(next) = next {
            cutover.step = next;
        }
        self.mended(index);
        self.note_step(index, &name, done);
        let database = self.database(index);
        match next {
            None => self.succeed(index),
            // A person must mend something first, or a restart is due: it brings the step.
            Some(_) if database.hold.is_some() || database.retry_at.is_some() => Ok(()),
            Some(_) => {
                self.issue_step(index);
                Ok(())
            }
        }
    }

    fn note_step(&mut self, index: usize, name: &str, done: &StepDone) {
        let mode = self.migration.spec.mode;
        let number = done.step.number(mode).unwrap_or_default();
        let of = Step::of(mode).len();
        let mut message =
            format!("{number}/{of} {}: done in {:.3} s", done.step.name(), done.seconds);
        if !done.note.is_empty() {
            message = format!("{message}; {}", done.note);
        }
        self.note(name, "CutoverStepDone", message);
        if done.step == Step::Switch {
            let oid = self.migration.databases[index].target_oid;
            self.note(
                name,
                "Switched",
                format!("the target is the master now (database OID {oid})"),
            );
        }
    }

    fn succeed(&mut self, index: usize) -> Result<(), Refusal> {
        let (now, name) = (self.now, self.name(index));
        let database = self.database(index);
        database.last_cutover = database.phase().cutover().map(|c| c.report(now));
        database.message = None;
        self.stop_tasks(index);
        self.enter_database(index, DatabasePhase::Succeeded)?;
        self.note(&name, "DatabaseSucceeded", "moved");
        Ok(())
    }

    pub(super) fn step_failed(&mut self, index: usize, failed: &StepFailed) -> Result<(), Refusal> {
        let name = self.name(index);
        let outstanding = self.migration.databases[index]
            .phase()
            .cutover()
            .is_some_and(|c| c.step == failed.step && c.attempt == failed.attempt);
        if !outstanding {
            self.ignore("a step that is not outstanding");
            return Ok(());
        }
        if self.migration.databases[index].hold.is_some() {
            self.ignore("held already");
            return Ok(());
        }
        let back = leads_back(failed);
        let to_stream = back && self.migration.spec.mode == Mode::Online;
        let fenced = failed.failure.policy == Policy::Fenced;
        let failure = &match to_stream && !fenced {
            true => failed.failure.leading_back(),
            false => failed.failure.clone(),
        };
        self.note_failure(&name, "CutoverStepFailed", failure);
        if fenced {
            // As for a task: nobody with a newer epoch is known to us.
            self.hold(index, failure);
            return Ok(());
        }
        if to_stream {
            if failure.policy.is_retried() && self.has_tries_left(index) {
                return self.try_step_again(index, failure);
            }
            self.step_back(index, failure)?;
            if failure.policy == Policy::Resync {
                // The stream misses something: no attempt could go through.
                self.hold(index, failure);
            }
            return Ok(());
        }
        match failure.policy {
            Policy::Retry | Policy::Away => return self.retry_or_hold(index, failure),
            Policy::Fail if back => {
                self.database(index).message = Some(failure.clone());
                self.stop_tasks(index);
                return self.clean(index, Ending::Failed(failure.clone()));
            }
            _ => {
                if back {
                    self.begin_cutover_anew(index);
                }
                self.hold(index, failure);
            }
        }
        Ok(())
    }

    fn has_tries_left(&self, index: usize) -> bool {
        let cutover = self.migration.databases[index].phase().cutover();
        cutover.is_some_and(|cutover| cutover.tries < STEP_TRIES_MAX)
    }

    /// Going back for a lost connection would leave the application without a database until somebody looks. Both ends begin
    /// anew, and the step comes with them: it is idempotent.
    fn try_step_again(&mut self, index: usize, failure: &Failure) -> Result<(), Refusal> {
        let Some(cutover) = self.database(index).cutover_mut() else { return Ok(()) };
        cutover.tries += 1;
        // The same loss has ended a task already: its restart brings the step.
        if self.migration.databases[index].retry_at.is_some() {
            return Ok(());
        }
        self.retry_or_hold(index, failure)
    }

    /// An offline cutover has no stream to go back to: it goes on from its first step, under a number of its own. What a step
    /// found (a sequence was drawn from) would be found again for ever by that step alone; and until the switch is given out
    /// once more, a cancel leads out.
    fn begin_cutover_anew(&mut self, index: usize) {
        let (mode, now) = (self.migration.spec.mode, self.now);
        let database = self.database(index);
        let attempt = database.attempts + 1;
        let Some(cutover) = database.cutover_mut() else { return };
        let before = cutover.report(now);
        *cutover = Cutover::new(attempt, mode, cutover.allow_source_writes, now);
        database.attempts = attempt;
        database.last_cutover = Some(before);
    }

    /// Before the switch can have been made, whatever goes wrong leads back to the stream.
    pub(super) fn step_back_if_possible(
        &mut self,
        index: usize,
        failure: &Failure,
    ) -> Result<(), Refusal> {
        let database = &self.migration.databases[index];
        let cutting = database.phase().cutover().is_some() && !database.may_have_switched();
        if cutting && self.migration.spec.mode == Mode::Online {
            return self.step_back(index, failure);
        }
        Ok(())
    }

    fn step_back(&mut self, index: usize, failure: &Failure) -> Result<(), Refusal> {
        let (now, name) = (self.now, self.name(index));
        let database = self.database(index);
        let Some(cutover) = database.phase().cutover() else { return Ok(()) };
        let attempt = cutover.attempt;
        database.last_cutover = Some(cutover.report(now));
        database.message = Some(failure.clone());
        database.forget_tries();
        self.enter_database(index, DatabasePhase::Ready)?;
        self.command_both(index, &CommandKind::CutoverBack { attempt });
        self.actor = Actor::Controller;
        self.note_failure(&name, "CutoverSteppedBack", failure);
        Ok(())
    }
}

/// A lost connection does not tell whether the switch was made: it is asked for again. Any other failure of that step is the
/// target's word that it was not.
fn leads_back(failed: &StepFailed) -> bool {
    failed.step < Step::Switch || failed.step == Step::Switch && !failed.failure.policy.is_retried()
}
