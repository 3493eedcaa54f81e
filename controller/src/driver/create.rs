//! A new migration.
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use uuid::Uuid;
use whimbrel_proto::name;

use super::{
    Driver, DriverError, Live,
    act::{aborted, new_command},
};
use crate::{
    fleet::FleetError,
    migration::{Event, NewMigration, Spec, create, window_problem},
    store::{Change, Memo, Record, StoreError},
};

/// What an operator orders.
pub struct Order {
    /// The target's id.
    pub target_id: String,
    /// The migration's id.
    pub name: String,
    /// Complete.
    pub spec: Spec,
    /// Record nothing.
    pub validate_only: bool,
    /// So that it is recorded once only.
    pub memo: Option<Memo>,
}

impl Driver {
    /// Records it, and its first command.
    ///
    /// # Errors
    /// [`DriverError`]; then nothing was recorded.
    pub async fn create(self: &Arc<Self>, order: Order) -> Result<Record, DriverError> {
        let driver = Arc::clone(self);
        // Goes on when the caller hangs up in the middle: what is recorded is also driven.
        let whole = self.tasks.spawn(async move { driver.create_now(order).await });
        whole.await.map_err(aborted)?
    }

    async fn create_now(&self, order: Order) -> Result<Record, DriverError> {
        let _planning = self.planning.lock().await;
        let Order { target_id, name, spec, validate_only, memo } = order;
        let resource = name::migration(&target_id, &name);
        if self.is_done(memo.as_ref()).await? {
            return self.find(&target_id, &name).await;
        }
        if self.store.migration_named(&target_id, &name).await?.is_some() {
            return Err(DriverError::MigrationNameTaken { name: resource });
        }
        let agents = [spec.source_agent.clone(), spec.target_agent.clone()];
        for agent in &agents {
            self.takes_work(agent).await?;
        }
        refuse_two_agents(&spec)?;
        self.refuse_busy(&target_id, &spec, None).await?;
        let incarnations = self.incarnations(&agents);
        let uid = Uuid::new_v4().to_string();
        let now = Self::now();
        if let Some(problem) = window_problem(spec.window_start, spec.window_end, now) {
            return Err(DriverError::WindowInvalid { problem });
        }
        let new = NewMigration { uid: uid.clone(), target_id, name, spec, incarnations };
        let outcome = create(new, now);
        let record = Record { version: 1, migration: outcome.migration.clone() };
        if validate_only {
            return Ok(record);
        }
        let change = Change {
            expected_version: 0,
            term: self.term,
            at: now,
            migration: outcome.migration,
            notes: outcome.notes,
            commands: outcome.commands.into_iter().map(new_command).collect(),
            dropped: Vec::new(),
        };
        self.store.create_migration(change, memo).await.map_err(|e| match e {
            StoreError::NameTaken { .. } => DriverError::MigrationNameTaken { name: resource },
            e => e.into(),
        })?;
        tracing::info!(migration = uid, name = record.migration.name, "recorded a migration");
        let live = Arc::new(Live::new(record.clone()));
        self.lock_live().insert(uid, Arc::clone(&live));
        self.greet_again(&live, agents.into()).await?;
        Ok(record)
    }

    /// The present lives of those that have a session.
    pub(super) fn incarnations(&self, agents: &[String]) -> BTreeMap<String, String> {
        let present = |agent: &String| Some((agent.clone(), self.fleet.incarnation(agent)?));
        agents.iter().filter_map(present).collect()
    }

    /// A life that began while these were being recorded as a migration's agents did not find the migration.
    pub(super) async fn greet_again(
        &self,
        live: &Arc<Live>,
        agents: BTreeSet<String>,
    ) -> Result<(), StoreError> {
        for agent in agents {
            if let Some(incarnation) = self.fleet.incarnation(&agent) {
                let event = Event::AgentIncarnation { agent: agent.clone(), incarnation };
                self.happen(live, &event).await?;
            }
            self.fleet.wake(&agent);
        }
        Ok(())
    }

    pub(super) async fn takes_work(&self, id: &str) -> Result<(), DriverError> {
        let agent = self.fleet.agent(id).await?;
        if agent.revoked {
            return Err(FleetError::Revoked { agent: agent.id }.into());
        }
        if agent.draining {
            return Err(DriverError::AgentDraining { agent: agent.id });
        }
        Ok(())
    }

    /// Two migrations must not write one database, under whatever target's name they reach it.
    pub(super) async fn refuse_busy(
        &self,
        target_id: &str,
        spec: &Spec,
        itself: Option<&str>,
    ) -> Result<(), DriverError> {
        for other in self.load_active(None).await? {
            let migration = other.migration;
            if itself == Some(migration.uid.as_str()) {
                continue;
            }
            if migration.target_id != target_id && !is_same_server(spec, &migration.spec) {
                continue;
            }
            let busy = migration
                .databases
                .iter()
                .find(|d| !d.phase().is_final() && spec.databases.contains(&d.name));
            if let Some(busy) = busy {
                return Err(DriverError::DatabaseBusy {
                    database: busy.name.clone(),
                    by: name::migration(&migration.target_id, &migration.name),
                });
            }
        }
        Ok(())
    }
}

/// Rows go from one end to the other within one agent.
pub(super) fn refuse_two_agents(spec: &Spec) -> Result<(), DriverError> {
    let (source_agent, target_agent) = (spec.source_agent.clone(), spec.target_agent.clone());
    if source_agent == target_agent {
        return Ok(());
    }
    Err(DriverError::TwoAgentsNotBuilt { source_agent, target_agent })
}

/// One address, as one agent sees it: `localhost` is another server for each.
fn is_same_server(one: &Spec, other: &Spec) -> bool {
    let address = |spec: &Spec| (spec.target.host.to_ascii_lowercase(), spec.target.port);
    one.target_agent == other.target_agent && address(one) == address(other)
}
