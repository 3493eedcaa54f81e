//! Time, and what was observed: the driver's own task.
use std::{sync::Arc, time::Duration};

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{Driver, Live, Observation, Observations};
use crate::migration::{AWAY_IN_CUTOVER_MAX, Event};

/// How often it is looked for what is due. The shortest pause is a second, and looking costs a microsecond a migration.
const TICK: Duration = Duration::from_millis(250);

impl Driver {
    /// Runs until `stop`, and until what was begun is committed.
    pub async fn run(self: Arc<Self>, observations: Observations, stop: CancellationToken) {
        let Observations(mut observations) = observations;
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(observation) = observations.recv() => self.observed(observation).await,
                _ = ticks.tick() => self.tick().await,
            }
        }
        // What was begun is finished; each is one commit.
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn observed(&self, observation: Observation) {
        let Some(live) = self.live(&observation.uid) else { return };
        if let Err(error) = self.happen(&live, &observation.event).await {
            // Progress comes again, and is observed again.
            tracing::error!(migration = observation.uid, %error, "an observation is not noted");
        }
    }

    /// A cutover does not wait for an agent for ever.
    async fn look_for_agents(&self, live: &Arc<Live>) {
        let record = live.record();
        let migration = &record.migration;
        let away = |agent: &&str| {
            self.fleet.away_for(agent).is_some_and(|away| away >= AWAY_IN_CUTOVER_MAX)
        };
        let Some(agent) = migration.awaited_in_cutover(Self::now()).into_iter().find(away) else {
            return;
        };
        let event = Event::AgentAway { agent: agent.to_owned() };
        if let Err(error) = self.happen(live, &event).await {
            // It stays away: the next tick tries again.
            tracing::error!(migration = migration.uid, %error, "a cutover that waits for an agent waits for the store");
        }
    }

    async fn tick(&self) {
        if let Err(error) = self.look_back().await {
            // The next tick tries again.
            tracing::error!(%error, "cutovers that stood still wait for the store");
        }
        let now = Self::now();
        for live in self.all_live() {
            self.look_for_agents(&live).await;
            let record = live.record();
            if record.migration.next_due(now).is_none_or(|due| due > now) {
                continue;
            }
            if let Err(error) = self.happen(&live, &Event::Tick).await {
                // It stays due: the next tick tries again.
                tracing::error!(migration = record.migration.uid, %error, "a retry waits for the store");
            }
        }
    }
}
