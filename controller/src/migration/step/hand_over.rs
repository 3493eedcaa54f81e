//! The work goes to other agents: those that had it are lost, revoked, or to be relieved. What was done is in the target's
//! ledger, so whoever comes next goes on from there; the next epoch fences off who was there before.
use std::{collections::BTreeSet, time::Duration};

use super::{
    super::{
        command::{Command, CommandKind},
        event::HandOver,
        hold::HoldKind,
        phase::DatabasePhase,
        record::{Seen, Side},
        refusal::Refusal,
    },
    Work,
};

/// An agent's lease is 15 s, and some more for clocks that don't run alike.
const LEASE_MAX: Duration = Duration::from_secs(20);

impl Work {
    pub(super) fn hand_over(&mut self, order: &HandOver) -> Result<(), Refusal> {
        self.refuse_if_over()?;
        self.set_secrets(order.source.as_ref(), order.target.as_ref());
        let before = self.agents();
        let spec = &self.migration.spec;
        let source = order.source_agent.clone().unwrap_or_else(|| spec.source_agent.clone());
        let target = order.target_agent.clone().unwrap_or_else(|| spec.target_agent.clone());
        if (&spec.source_agent, &spec.target_agent) == (&source, &target) {
            self.restart_held();
            return Ok(());
        }
        // Those who can still hear us end their tasks by themselves, and are not found out by the ledger.
        self.relieve();
        self.migration.spec.source_agent = source;
        self.migration.spec.target_agent = target;
        self.meet(order);
        let names = |agents: BTreeSet<String>| {
            agents.iter().map(|agent| format!("agents/{agent}")).collect::<Vec<_>>().join(" and ")
        };
        let message = format!("from {} to {}", names(before), names(self.agents()));
        self.note("", "AgentChanged", message);
        self.begin_anew();
        Ok(())
    }

    fn agents(&self) -> BTreeSet<String> {
        [Side::Source, Side::Target].map(|side| self.migration.agent(side).to_owned()).into()
    }

    /// What the present agents were told is over.
    fn relieve(&mut self) {
        if let Some(check) = self.migration.phase().check() {
            let agent = self.migration.agent(check.side).to_owned();
            let (database, epoch) = (String::new(), self.migration.check_epoch);
            self.commands.push(Command { agent, database, epoch, kind: CommandKind::Stop });
        }
        for index in 0..self.migration.databases.len() {
            let phase = self.migration.databases[index].phase();
            if phase.has_tasks() || matches!(phase, DatabasePhase::Cleaning(_)) {
                self.stop_tasks(index);
            }
        }
    }

    /// A life that is known here needs no telling that it began.
    fn meet(&mut self, order: &HandOver) {
        let agents = self.agents();
        let seen = &mut self.migration.seen;
        seen.retain(|agent, _| agents.contains(agent));
        for agent in agents {
            let Some(incarnation) = order.incarnations.get(&agent) else { continue };
            if seen.get(&agent).is_none_or(|known| known.incarnation != *incarnation) {
                seen.insert(agent, Seen { incarnation: incarnation.clone(), report: 0 });
            }
        }
    }

    /// As after a mended hold: what held may have been the agent. A pause stays. Where the source is being cleaned no newer
    /// epoch fences whoever was there before: it may make its slot anew for as long as its lease, so that is waited for.
    fn begin_anew(&mut self) {
        let lease_is_over = self.now.checked_add(LEASE_MAX).unwrap_or(self.now);
        if self.migration.phase().check().is_some() {
            self.retry_check();
        }
        for index in 0..self.migration.databases.len() {
            let phase = self.migration.databases[index].phase();
            if matches!(phase, DatabasePhase::Cleaning(_)) {
                let database = self.database(index);
                (database.hold, database.retry_at) = (None, Some(lease_is_over));
            } else if phase.has_tasks() && !self.is_held(index, HoldKind::Paused) {
                self.restart(index);
            } else {
                self.guard(index);
            }
        }
    }
}
