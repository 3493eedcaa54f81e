//! Targets: recorded, changed, deleted. A change reaches the migrations that are not over.
use std::sync::Arc;

use uuid::Uuid;
use whimbrel_points::point;
use whimbrel_proto::name;

use super::{
    Driver, DriverError,
    act::{aborted, committed_now, read_again},
};
use crate::{
    migration::{Endpoint, Event, Secret, SslMode},
    store::{Memo, StoreError, Target},
};

/// What changes of a target. What is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct TargetChange {
    /// Host.
    pub host: Option<String>,
    /// Port.
    pub port: Option<u16>,
    /// Role.
    pub user: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// TLS.
    pub ssl_mode: Option<SslMode>,
    /// Agent (id). For migrations that are made later.
    pub agent: Option<String>,
}

impl Driver {
    /// Records a target.
    ///
    /// # Errors
    /// [`DriverError`].
    pub async fn create_target(
        &self,
        id: &str,
        endpoint: Endpoint,
        agent: &str,
        memo: Option<Memo>,
    ) -> Result<Target, DriverError> {
        let _planning = self.planning.lock().await;
        if self.is_done(memo.as_ref()).await? {
            return self.target(id).await;
        }
        self.usable_agent(agent).await?;
        let now = Self::now();
        let target = Target {
            id: id.to_owned(),
            uid: Uuid::new_v4().to_string(),
            version: 1,
            endpoint,
            agent: agent.to_owned(),
            created_at: now,
            updated_at: now,
        };
        self.store.create_target(target.clone(), memo).await.map_err(|e| match e {
            StoreError::NameTaken { what } => DriverError::TargetNameTaken { name: what },
            e => e.into(),
        })?;
        Ok(target)
    }

    async fn usable_agent(&self, id: &str) -> Result<(), DriverError> {
        let agent = self.fleet.agent(id).await?;
        if agent.revoked {
            return Err(crate::fleet::FleetError::Revoked { agent: agent.id }.into());
        }
        Ok(())
    }

    /// By id.
    ///
    /// # Errors
    /// [`DriverError::TargetNotFound`].
    pub async fn target(&self, id: &str) -> Result<Target, DriverError> {
        let found = self.store.target(id).await?;
        found.ok_or_else(|| DriverError::TargetNotFound { name: name::target(id) })
    }

    /// By id, after one.
    ///
    /// # Errors
    /// [`DriverError::Store`].
    pub async fn targets(&self, after: &str, limit: usize) -> Result<Vec<Target>, DriverError> {
        Ok(self.store.targets(after, limit).await?)
    }

    /// Changes it, and the order of its migrations that are not over, where they have what the target had.
    ///
    /// # Errors
    /// [`DriverError`].
    pub async fn update_target(
        self: &Arc<Self>,
        id: &str,
        change: TargetChange,
        etag: &str,
        memo: Option<Memo>,
    ) -> Result<Target, DriverError> {
        let (driver, id, etag) = (Arc::clone(self), id.to_owned(), etag.to_owned());
        // Goes on when the caller hangs up in the middle: its migrations are told too.
        let whole = self
            .tasks
            .spawn(async move { driver.update_target_now(&id, change, &etag, memo).await });
        whole.await.map_err(aborted)?
    }

    async fn update_target_now(
        &self,
        id: &str,
        change: TargetChange,
        etag: &str,
        memo: Option<Memo>,
    ) -> Result<Target, DriverError> {
        let _planning = self.planning.lock().await;
        if self.is_done(memo.as_ref()).await? {
            return self.target(id).await;
        }
        let before = self.target(id).await?;
        check_etag(&before, etag)?;
        if let Some(agent) = &change.agent {
            self.usable_agent(agent).await?;
        }
        let mut target = before.clone();
        apply(&mut target.endpoint, &change);
        if let Some(agent) = change.agent {
            target.agent = agent;
        }
        target.version += 1;
        target.updated_at = Self::now();
        self.commit_target(&before, &target, memo).await?;
        Ok(target)
    }

    /// The target with all its migrations, or none of them: the same order again would take what one has already for an
    /// override of its own.
    async fn commit_target(
        &self,
        before: &Target,
        target: &Target,
        memo: Option<Memo>,
    ) -> Result<(), DriverError> {
        let (mut theirs, mut changes) = (Vec::new(), Vec::new());
        for live in self.all_live() {
            if live.record().migration.target_id != target.id {
                continue;
            }
            // Of them all until the commit. Nobody else holds two.
            let gate = Arc::clone(&live.gate).lock_owned().await;
            let ours = live.record().migration.spec.target.clone();
            let event =
                Event::TargetChanged { target: merged(&ours, &before.endpoint, &target.endpoint) };
            let (change, changed) = self.change(&live, &event).await?;
            if changed {
                theirs.push((live, gate));
                changes.push(change);
            }
        }
        point!("target.committing");
        let committed = self.store.update_target(target.clone(), changes.clone(), memo).await;
        point!("target.committed");
        if let Err(error) = committed {
            if matches!(error, StoreError::Conflict { .. }) {
                for (live, _) in &theirs {
                    read_again(&*self.store, live).await?;
                }
            }
            return Err(error.into());
        }
        for ((live, gate), change) in theirs.into_iter().zip(changes) {
            let (_, agents) = committed_now(&live, change);
            drop(gate);
            agents.iter().for_each(|agent| self.fleet.wake(agent));
        }
        Ok(())
    }

    /// Deletes it, with its migrations, which must be over.
    ///
    /// # Errors
    /// [`DriverError`].
    pub async fn delete_target(
        &self,
        id: &str,
        etag: &str,
        memo: Option<Memo>,
    ) -> Result<(), DriverError> {
        let _planning = self.planning.lock().await;
        if self.is_done(memo.as_ref()).await? {
            return Ok(());
        }
        let target = self.target(id).await?;
        check_etag(&target, etag)?;
        if let Some(active) = self.load_active(Some(id)).await?.first() {
            return Err(DriverError::TargetBusy {
                target: name::target(id),
                by: name::migration(id, &active.migration.name),
            });
        }
        self.store.delete_target(id, target.version, memo).await?;
        self.lock_live().retain(|_, live| live.record().migration.target_id != id);
        Ok(())
    }
}

fn check_etag(target: &Target, etag: &str) -> Result<(), DriverError> {
    let now = crate::translate::etag(target.version);
    if etag.is_empty() || etag == now {
        return Ok(());
    }
    Err(DriverError::EtagMismatch { what: name::target(&target.id), now })
}

fn apply(endpoint: &mut Endpoint, change: &TargetChange) {
    if let Some(host) = &change.host {
        endpoint.host.clone_from(host);
    }
    if let Some(port) = change.port {
        endpoint.port = port;
    }
    if let Some(user) = &change.user {
        endpoint.user.clone_from(user);
    }
    if let Some(password) = &change.password {
        endpoint.password = password.clone();
    }
    if let Some(mode) = change.ssl_mode {
        endpoint.ssl_mode = mode;
    }
}

/// What the migration has, with the target's changes where the migration had said nothing else.
fn merged(ours: &Endpoint, before: &Endpoint, now: &Endpoint) -> Endpoint {
    fn pick<T: PartialEq + Clone>(ours: &T, before: &T, now: &T) -> T {
        if ours == before { now.clone() } else { ours.clone() }
    }
    Endpoint {
        host: pick(&ours.host, &before.host, &now.host),
        port: pick(&ours.port, &before.port, &now.port),
        user: pick(&ours.user, &before.user, &now.user),
        password: pick(&ours.password, &before.password, &now.password),
        ssl_mode: pick(&ours.ssl_mode, &before.ssl_mode, &now.ssl_mode),
    }
}
