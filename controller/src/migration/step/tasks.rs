//! Send and Receive of each database: begun, begun again under the next epoch, stopped.
use super::{
    super::{
        command::CommandKind,
        cutover::Step,
        event::{Failure, Policy},
        hold::{Hold, HoldKind},
        phase::{DatabasePhase, Ending, Phase},
        record::{Seen, Side},
        refusal::Refusal,
    },
    TRIES_MAX, Work,
    restored::overtaken,
    retry_time,
};

impl Work {
    /// The databases' turn.
    pub(super) fn begin(&mut self) -> Result<(), Refusal> {
        self.enter(Phase::Moving)?;
        for index in 0..self.migration.databases.len() {
            if self.migration.databases[index].phase().is_final() {
                continue;
            }
            self.enter_database(index, DatabasePhase::Copying)?;
            self.database(index).started_at = Some(self.now);
            let name = self.name(index);
            self.note(&name, "DatabaseStarted", "the base copy begins");
            self.start_tasks(index);
        }
        Ok(())
    }

    /// Both ends under the next epoch, and the step that is outstanding: whatever ran before is fenced off.
    pub(super) fn start_tasks(&mut self, index: usize) {
        let database = self.database(index);
        database.epoch += 1;
        database.hold = None;
        database.retry_at = None;
        // Once nothing of ours is on the source it is not needed any more, and may be gone.
        let last = database.phase().cutover().is_some_and(|c| c.step == Step::RemoveLedger);
        if !last {
            self.command(index, Side::Source, CommandKind::Send);
        }
        self.command(index, Side::Target, CommandKind::Receive);
        self.issue_step(index);
    }

    /// Both ends stop; what runs is no longer wanted.
    pub(super) fn stop_tasks(&mut self, index: usize) {
        if self.migration.databases[index].epoch > 0 {
            self.command_both(index, &CommandKind::Stop);
        }
    }

    /// Send or Receive ended badly.
    pub(super) fn task_failed(&mut self, index: usize, failure: &Failure) -> Result<(), Refusal> {
        let name = self.name(index);
        match failure.policy {
            // Ours is the newest epoch that we know of, so nobody else will go on: a person must look.
            Policy::Fenced => {
                self.database(index).ledger_epoch = failure.ledger_epoch;
                self.hold(index, failure);
            }
            Policy::Fail if !self.migration.databases[index].may_have_switched() => {
                self.note_failure(&name, "TaskFailed", failure);
                self.database(index).message = Some(failure.clone());
                self.stop_tasks(index);
                return self.clean(index, Ending::Failed(failure.clone()));
            }
            Policy::Retry | Policy::Away => {
                // The other end fails too when one does: once counts.
                if self.migration.databases[index].retry_at.is_some() {
                    self.ignore("a retry is due already");
                    return Ok(());
                }
                self.note_failure(&name, "TaskRetried", failure);
                self.retry_or_hold(index, failure)?;
            }
            Policy::Hold | Policy::Resync | Policy::Credentials | Policy::Fail => {
                self.step_back_if_possible(index, failure)?;
                self.hold(index, failure);
            }
        }
        Ok(())
    }

    /// Again after a pause; a hold after many, unless something is away: that may take hours.
    pub(super) fn retry_or_hold(&mut self, index: usize, failure: &Failure) -> Result<(), Refusal> {
        let now = self.now;
        let database = self.database(index);
        database.message = Some(failure.clone());
        database.tries = database.tries.saturating_add(1);
        let away = failure.policy == Policy::Away;
        database.tries_away = database.tries_away.saturating_add(u32::from(away));
        if away && database.tries >= TRIES_MAX {
            // It is waited for however long, but not in a cutover: writes stand still for that, and hours later it would go on
            // by itself.
            self.step_back_if_possible(index, failure)?;
        }
        let database = self.database(index);
        if away || database.tries.saturating_sub(database.tries_away) < TRIES_MAX {
            database.retry_at = Some(retry_time(now, database.tries, failure.policy));
        } else {
            // Its slot may be let go while it stands: no marker of this attempt would come any more.
            self.step_back_if_possible(index, failure)?;
            self.hold(index, failure);
        }
        Ok(())
    }

    /// Stands still until someone mends it.
    pub(super) fn hold(&mut self, index: usize, failure: &Failure) {
        let name = self.name(index);
        let now = self.now;
        let database = self.database(index);
        database.retry_at = None;
        database.message = Some(failure.clone());
        database.hold = Some(Hold::of_failure(failure, now));
        self.note_failure(&name, "Held", failure);
        self.stop_tasks(index);
        self.guard(index);
    }

    /// An agent has a session. In a new life it knows nothing of what it was told before.
    pub(super) fn agent_incarnation(&mut self, agent: &str, incarnation: &str) {
        let known = self.migration.seen.get(agent).is_some_and(|s| s.incarnation == incarnation);
        let ours = [Side::Source, Side::Target].iter().any(|s| self.migration.agent(*s) == agent);
        if known || !ours || self.migration.is_over() {
            return;
        }
        let seen = Seen { incarnation: incarnation.to_owned(), report: 0 };
        self.migration.seen.insert(agent.to_owned(), seen);
        self.note("", "AgentArrived", "the agent has a session in a new life of its process");
        if let Some(check) = self.migration.phase().check()
            && self.migration.agent(check.side) == agent
            && self.migration.hold.is_none()
        {
            self.reissue_check();
        }
        for index in 0..self.migration.databases.len() {
            let database = &self.migration.databases[index];
            if database.stands_still() {
                if self.migration.agent(Side::Source) == agent {
                    self.guard(index);
                }
                continue;
            }
            if database.phase().has_tasks() {
                self.start_tasks(index);
            } else if matches!(database.phase(), DatabasePhase::Cleaning(_))
                && self.migration.agent(Side::Source) == agent
            {
                self.issue_clean(index);
            }
        }
    }

    /// An agent will not do what it was told: its task has just ended (then it is started again), or it does not know
    /// the command (then a person must look).
    pub(super) fn command_refused(
        &mut self,
        agent: &str,
        database: &str,
        epoch: u64,
        (refusal, newest): (&str, u64),
    ) -> Result<(), Refusal> {
        let ended = refusal == NOT_RUNNING;
        let failure = refused(agent, refusal, ended);
        if database.is_empty() {
            if self.migration.phase().check().is_some() && epoch == self.migration.check_epoch {
                // Another check of that epoch was done, by the word of a later state of the store.
                self.migration.check_epoch = epoch.max(newest);
                self.migration.hold = Some(Hold::of_failure(&failure, self.now));
                self.note_failure("", "Held", &failure);
            }
            return Ok(());
        }
        let Some((index, found)) = self.migration.database(database) else { return Ok(()) };
        if found.epoch == epoch && matches!(found.phase(), DatabasePhase::Cleaning(_)) {
            self.cleaning_failed(index, &failure);
            return Ok(());
        }
        if found.epoch != epoch || !found.phase().has_tasks() || found.hold.is_some() {
            self.ignore("a refusal that is no longer of interest");
        } else if !ended {
            self.database(index).ledger_epoch = newest;
            self.hold(index, &failure);
        } else if found.retry_at.is_none() {
            self.note_failure(database, "TaskRetried", &failure);
            self.retry_or_hold(index, &failure)?;
        }
        Ok(())
    }

    /// The operator's pause.
    pub(super) fn pause_database(&mut self, index: usize) {
        let name = self.name(index);
        let now = self.now;
        let database = self.database(index);
        database.hold = Some(Hold::paused(now));
        database.retry_at = None;
        self.note(&name, "Paused", "the tasks are stopped");
        self.stop_tasks(index);
        self.guard(index);
    }

    /// Whether a hold of this kind stands on the database.
    pub(super) fn is_held(&self, index: usize, kind: HoldKind) -> bool {
        self.migration.databases[index].hold.as_ref().is_some_and(|h| h.kind == kind)
    }
}

/// What an agent says of a step whose task has ended. Why it ended is reported too, sooner or later.
const NOT_RUNNING: &str = "NotRunning";

/// What an agent says that was given a later epoch before.
const STALE_EPOCH: &str = "StaleEpoch";

fn refused(agent: &str, refusal: &str, ended: bool) -> Failure {
    let message = format!("agents/{agent} refused a command: {refusal}");
    let (policy, code, remedy) = if ended {
        (Policy::Retry, "TaskNotRunning", "")
    } else if refusal == STALE_EPOCH {
        return overtaken(message);
    } else {
        let remedy =
            "Bring the agent to the controller's version, then `whimbrel migration retry`.";
        (Policy::Hold, "CommandRefused", remedy)
    };
    Failure { policy, code: code.to_owned(), message, remedy: remedy.to_owned(), ledger_epoch: 0 }
}
