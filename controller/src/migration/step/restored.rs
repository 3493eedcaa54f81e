//! The controller's store was restored from a backup. Agents, ledgers and servers are further than it knows, and what it was
//! told since nobody tells again by themselves: so both ends are started anew, and whatever shows that more has happened than
//! is known here holds the database until a person has looked.
use std::collections::BTreeMap;

use super::{
    super::{
        event::{Failure, Policy},
        phase::Phase,
        refusal::Refusal,
    },
    Work,
};

/// What a target's agent says that finds the switch made.
pub(super) const TARGET_IS_LIVE: &str = "TargetIsLive";

impl Work {
    /// Every agent is met as if for the first time. And a database of that name that is on the target may be the one that this very
    /// migration made, and live: whoever let it be replaced, before, did not speak of that. A cutover that the store has on its way
    /// can have led back since, and the application writes to the source again: it is ordered anew, or not.
    pub(super) fn store_restored(&mut self) -> Result<(), Refusal> {
        if self.migration.is_over() {
            return Ok(());
        }
        self.migration.seen.clear();
        self.migration.restored = true;
        if !matches!(self.migration.phase(), Phase::Moving) {
            self.migration.overwrite_confirmed = false;
        }
        self.note(
            "",
            "StoreRestored",
            "the controller's store was restored from a backup: tasks are started anew as their agents come",
        );
        for index in 0..self.migration.databases.len() {
            self.step_back_if_possible(index, &cutover_of_another_time())?;
        }
        Ok(())
    }

    /// Epochs are ours to give, and none is given before it is recorded: a later one was given by a later state of the store.
    pub(super) fn agent_runs(&mut self, agent: &str, epochs: &BTreeMap<String, u64>) {
        for (name, theirs) in epochs {
            let Some((index, database)) = self.migration.database(name) else { continue };
            let ours = database.epoch;
            if *theirs <= ours.max(database.ledger_epoch) || database.phase().is_final() {
                continue;
            }
            let (works, held) = (database.phase().has_tasks(), database.hold.is_some());
            self.database(index).ledger_epoch = *theirs;
            if works && !held {
                let message =
                    format!("agents/{agent} works under epoch {theirs}, and ours is {ours}");
                self.hold(index, &overtaken(message));
            }
        }
    }

    /// The target has been switched, and the record is of a time before that.
    pub(super) fn found_live(&mut self, index: usize) {
        let database = &self.migration.databases[index];
        if database.may_have_switched() || database.hold.is_some() {
            self.ignore("the switch is known, or a hold stands");
            return;
        }
        let failure = Failure {
            policy: Policy::Hold,
            code: "SwitchedAlready".to_owned(),
            message: "the target database is live: its cutover was made, and the controller's store is of a time before that"
                .to_owned(),
            remedy: "Cancel: that takes our things off the source and leaves the target as it is; then drop its schema whimbrel."
                .to_owned(),
            ledger_epoch: 0,
        };
        self.hold(index, &failure);
    }
}

fn cutover_of_another_time() -> Failure {
    Failure {
        policy: Policy::Hold,
        code: "CutoverOfAnotherTime".to_owned(),
        message: "the controller's store was restored from a backup that was made within a cutover: nobody knows here whether that led back \
                  since, and the application writes to the source"
            .to_owned(),
        remedy: "Order the cutover again, if the application's writes are stopped.".to_owned(),
        ledger_epoch: 0,
    }
}

/// Ours is the newest epoch that we know of, and the agent knows a newer one.
pub(super) fn overtaken(message: String) -> Failure {
    let remedy = "The controller's store was restored from a backup, it seems: look at what the target has, then `whimbrel \
                  migration retry`.";
    Failure {
        policy: Policy::Hold,
        code: "EpochOvertaken".to_owned(),
        message,
        remedy: remedy.to_owned(),
        ledger_epoch: 0,
    }
}
