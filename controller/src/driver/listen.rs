//! What agents say, made into events.
use std::collections::BTreeMap;

use async_trait::async_trait;
use whimbrel_proto::agent::v1 as link;

use super::Driver;
use crate::{
    fleet::Listener,
    migration::{CommandKind, Event, Side},
    store::{OutboxEntry, StoreError},
    translate::link_report,
};

#[async_trait]
impl Listener for Driver {
    async fn arrived(
        &self,
        agent: &str,
        incarnation: &str,
        running: &[link::RunningTask],
    ) -> Result<(), StoreError> {
        let event = Event::AgentIncarnation {
            agent: agent.to_owned(),
            incarnation: incarnation.to_owned(),
        };
        for live in self.all_live() {
            let record = live.record();
            let migration = &record.migration;
            let ours = [Side::Source, Side::Target].iter().any(|s| migration.agent(*s) == agent);
            if !ours || migration.is_over() {
                continue;
            }
            let epochs = epochs_of(&migration.uid, running);
            if !epochs.is_empty() {
                self.happen(&live, &Event::AgentRuns { agent: agent.to_owned(), epochs }).await?;
            }
            self.happen(&live, &event).await?;
        }
        Ok(())
    }

    async fn report(
        &self,
        agent: &str,
        incarnation: &str,
        report: link::Report,
    ) -> Result<(), StoreError> {
        self.look_back().await?;
        let uid = report.migration_uid.clone();
        let Some(live) = self.live(&uid) else {
            tracing::debug!(agent, migration = uid, "a report of a migration that is not active");
            return Ok(());
        };
        let report = match link_report(agent, incarnation, report) {
            Ok(report) => report,
            Err(error) => {
                // Said again for ever if it were not acknowledged.
                tracing::error!(agent, migration = uid, %error, "a report is left out");
                return Ok(());
            }
        };
        self.happen(&live, &Event::Report(report)).await
    }

    fn progress(&self, agent: &str, progress: link::TaskProgress) {
        self.observe(agent, progress);
    }

    async fn refused(
        &self,
        entry: OutboxEntry,
        refusal: String,
        newest: u64,
    ) -> Result<(), StoreError> {
        // A term that is over: what replaces it is on its way already. A task that is not there to hear of an attempt's
        // end learns it when it is started.
        let back = matches!(entry.command.kind, CommandKind::CutoverBack { .. });
        if refusal == "StaleTerm" || back {
            return Ok(());
        }
        let Some(live) = self.live(&entry.migration_uid) else { return Ok(()) };
        let event = Event::CommandRefused {
            agent: entry.command.agent,
            database: entry.command.database,
            epoch: entry.command.epoch,
            refusal,
            newest,
        };
        self.happen(&live, &event).await
    }
}

/// The highest epoch of each database of a migration; the checks have none.
fn epochs_of(uid: &str, running: &[link::RunningTask]) -> BTreeMap<String, u64> {
    let mut epochs = BTreeMap::new();
    for task in running.iter().filter(|t| t.migration_uid == uid && !t.database.is_empty()) {
        let highest = epochs.entry(task.database.clone()).or_insert(0);
        *highest = task.epoch.max(*highest);
    }
    epochs
}
