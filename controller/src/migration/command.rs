//! What an agent is told to do. The endpoints and names that go with it are taken from the migration when it is sent.
use serde::{Deserialize, Serialize};

use super::{
    cutover::{OpenTransaction, Step},
    record::Side,
    spec::base64_bytes,
    validation::Level,
};

/// One command, for one agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The agent's id.
    pub agent: String,
    /// Empty for the checks.
    pub database: String,
    /// Of the database's tasks, or of the checks.
    pub epoch: u64,
    /// What.
    pub kind: CommandKind,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandKind {
    /// Look at the source.
    CheckSource {
        /// How closely.
        level: Level,
    },
    /// Look at the target.
    CheckTarget {
        /// How closely.
        level: Level,
        /// What the source's check told.
        #[serde(with = "base64_bytes")]
        facts: Vec<u8>,
    },
    /// Be the sending end.
    Send,
    /// Be the receiving end.
    Receive,
    /// Do a step.
    CutoverStep(StepOrder),
    /// The attempt is over without a switch.
    CutoverBack {
        /// Which.
        attempt: u32,
    },
    /// Take our things off the source.
    CleanSource,
    /// Watch what the slot makes the source keep, while nothing else runs.
    Guard,
    /// The limits of what runs are now those of the migration.
    Limits,
    /// End the tasks of this database.
    Stop,
}

/// A step of a cutover, with what it needs to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepOrder {
    /// Which.
    pub step: Step,
    /// Of which attempt.
    pub attempt: u32,
    /// SETTLE.
    pub open: Vec<OpenTransaction>,
    /// DRAIN and later.
    pub end_lsn: u64,
    /// The operator's word.
    pub allow_source_writes: bool,
}

impl Command {
    /// After this one, an undelivered `old` one is pointless: it is taken out of the outbox.
    #[must_use]
    pub fn supersedes(&self, old: &Self) -> bool {
        if self.database != old.database || old.epoch > self.epoch {
            return false;
        }
        let same_agent = self.agent == old.agent;
        match self.kind {
            CommandKind::CheckSource { .. } | CommandKind::CheckTarget { .. } => {
                old.epoch < self.epoch && !matches!(old.kind, CommandKind::Stop)
            }
            // A new epoch ends what its agent was told before, a Stop too. What the other agent was told it is told
            // again, by the Send or Receive that comes with this one.
            CommandKind::Send | CommandKind::Receive => same_agent && old.epoch < self.epoch,
            // Another agent that was to clean up has been relieved of it.
            CommandKind::CleanSource => {
                let relieved = matches!(old.kind, CommandKind::CleanSource);
                old.epoch < self.epoch
                    && (relieved || same_agent && !matches!(old.kind, CommandKind::Stop))
            }
            CommandKind::Stop => same_agent && !matches!(old.kind, CommandKind::CleanSource),
            // The attempt is over: none of its steps may be heard after this, least of all its switch.
            CommandKind::CutoverBack { .. } => {
                matches!(old.kind, CommandKind::CutoverStep(_) | CommandKind::CutoverBack { .. })
                    && (same_agent || matches!(old.kind, CommandKind::CutoverStep(_)))
            }
            CommandKind::Guard => same_agent && matches!(old.kind, CommandKind::Guard),
            CommandKind::Limits => same_agent && matches!(old.kind, CommandKind::Limits),
            CommandKind::CutoverStep(_) => false,
        }
    }

    /// The side that a step is done on.
    #[must_use]
    pub const fn side(&self) -> Option<Side> {
        match &self.kind {
            CommandKind::CheckSource { .. }
            | CommandKind::Send
            | CommandKind::Guard
            | CommandKind::CleanSource => Some(Side::Source),
            CommandKind::CheckTarget { .. } | CommandKind::Receive => Some(Side::Target),
            CommandKind::CutoverStep(order) => Some(order.step.side()),
            CommandKind::CutoverBack { .. } | CommandKind::Limits | CommandKind::Stop => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(agent: &str, kind: CommandKind) -> Command {
        Command { agent: agent.into(), database: "d".into(), epoch: 3, kind }
    }

    fn switch(attempt: u32) -> CommandKind {
        CommandKind::CutoverStep(StepOrder {
            step: Step::Switch,
            attempt,
            open: Vec::new(),
            end_lsn: 0,
            allow_source_writes: false,
        })
    }

    #[test]
    fn a_step_back_takes_the_attempts_switch_out_of_the_outbox() {
        let back = command("source", CommandKind::CutoverBack { attempt: 1 });
        assert!(back.supersedes(&command("target", switch(1))));
        assert!(back.supersedes(&command("source", CommandKind::CutoverBack { attempt: 1 })));
        assert!(!back.supersedes(&command("target", CommandKind::CutoverBack { attempt: 1 })));
        assert!(!back.supersedes(&command("target", CommandKind::Receive)));
        assert!(!command("target", switch(2)).supersedes(&back));
    }
}
