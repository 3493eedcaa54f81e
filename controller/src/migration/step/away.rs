//! An agent, or we ourselves, that stay away while a cutover stands.
use jiff::{SignedDuration, Timestamp};

use super::{
    super::{
        cutover::AWAY_IN_CUTOVER_MAX,
        event::{Failure, Policy},
        record::{Migration, Side},
        refusal::Refusal,
        spec::Mode,
    },
    Work,
};

/// Who orders a cutover just when the agent was started again means this one: it dials within a second or two.
const COMES_BACK: SignedDuration = SignedDuration::from_secs(10);

impl Migration {
    /// Agents without which a cutover stands that could still lead back.
    #[must_use]
    pub fn awaited_in_cutover(&self, now: Timestamp) -> Vec<&str> {
        let stands = (0..self.databases.len()).any(|index| may_lead_back(self, index, now));
        match stands {
            true => [Side::Source, Side::Target].map(|side| self.agent(side)).to_vec(),
            false => Vec::new(),
        }
    }
}

impl Work {
    /// Every cutover that has not been given the switch leads back: nobody knows when the agent comes, and by then the application
    /// may write to the source again. The agent learns it before anything else when it comes.
    pub(super) fn agent_away(&mut self, agent: &str) -> Result<(), Refusal> {
        let sides = [Side::Source, Side::Target];
        if !sides.iter().any(|side| self.migration.agent(*side) == agent) {
            self.ignore("an agent of another migration");
            return Ok(());
        }
        for index in 0..self.migration.databases.len() {
            if may_lead_back(&self.migration, index, self.now) {
                self.step_back_if_possible(index, &away(agent))?;
            }
        }
        Ok(())
    }

    /// As for an agent. A cutover that began since is none that stood still.
    pub(super) fn controller_away(&mut self, since: Timestamp) -> Result<(), Refusal> {
        let now = self.now;
        // Also in the future: the clock was set back.
        let is_past = |at| now.duration_since(at).abs().unsigned_abs() >= AWAY_IN_CUTOVER_MAX;
        for index in 0..self.migration.databases.len() {
            let begun = self.migration.databases[index].phase().cutover().map(|it| it.started_at);
            if is_past(since) && begun.is_some_and(is_past) {
                self.step_back_if_possible(index, &controller_away())?;
            }
        }
        Ok(())
    }
}

fn may_lead_back(migration: &Migration, index: usize, now: Timestamp) -> bool {
    let database = &migration.databases[index];
    let begun = database.phase().cutover().map(|cutover| cutover.started_at);
    migration.spec.mode == Mode::Online
        // Also where it begins in the future, since the clock was set back.
        && begun.is_some_and(|begun| now.duration_since(begun).abs() >= COMES_BACK)
        && !database.may_have_switched()
        && database.hold.is_none()
}

fn controller_away() -> Failure {
    let seconds = AWAY_IN_CUTOVER_MAX.as_secs();
    Failure {
        policy: Policy::Hold,
        code: "ControllerAway".to_owned(),
        message: format!(
            "the controller was away for more than {seconds} s, and the cutover stood still: nothing was switched, and the application may \
             write to the source"
        ),
        remedy: "Order the cutover again, if the application's writes are stopped.".to_owned(),
        ledger_epoch: 0,
    }
}

fn away(agent: &str) -> Failure {
    let seconds = AWAY_IN_CUTOVER_MAX.as_secs();
    Failure {
        policy: Policy::Hold,
        code: "AgentAway".to_owned(),
        message: format!(
            "agents/{agent} has been away for {seconds} s, and the cutover waited for it: nothing was switched, and the application may write \
             to the source"
        ),
        remedy: "Start the agent, or give its work to another (`whimbrel migration update --agent`); then order the cutover again."
            .to_owned(),
        ledger_epoch: 0,
    }
}
