//! The loop: an event, [`step`](crate::migration::step()), a commit, the commands to their agents; and time.
//!
//! What always holds: a migration changes under its own lock, one event at a time; what is in memory was committed
//! before; a step that could not be committed has not happened. Progress is observed, kept in memory, and never committed.
mod act;
mod alive;
mod create;
mod error;
mod hand_over;
mod listen;
mod live;
mod observe;
mod targets;
mod timer;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::{
    fleet::Fleet,
    migration::Event,
    store::{Memo, MigrationQuery, Record, Store, StoreError},
};

pub use act::Act;
pub use create::Order;
pub use error::DriverError;
pub use live::{Live, Tables};
pub use targets::TargetChange;

/// Observations that wait for their step. They repeat, so what finds no room is not lost.
const OBSERVATIONS_MAX: usize = 1024;

/// Migrations that are over and whose last progress is still told. More than a person looks at after a day's work.
const OVER_KEPT_MAX: usize = 500;

/// Active migrations read at once, at the start.
const LOAD_BATCH: usize = 200;

/// Something seen in a progress message that the migration should know.
pub(crate) struct Observation {
    uid: String,
    event: Event,
}

/// Drives every migration of this controller.
pub struct Driver {
    store: Arc<dyn Store>,
    fleet: Arc<Fleet>,
    term: u64,
    live: Mutex<HashMap<String, Arc<Live>>>,
    /// Making a migration, and changing or deleting a target, look at others first: one at a time.
    planning: tokio::sync::Mutex<()>,
    observations: mpsc::Sender<Observation>,
    /// When we were at work.
    alive: tokio::sync::Mutex<alive::Alive>,
    /// What goes on when its caller hangs up.
    tasks: TaskTracker,
}

impl Driver {
    /// Loads what is not over. [`Driver::run`] goes on with it, with the receiver. `alive`: a file, for when we were at work.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn load(
        store: Arc<dyn Store>,
        fleet: Arc<Fleet>,
        term: u64,
        alive: PathBuf,
    ) -> Result<(Arc<Self>, Observations), StoreError> {
        let (observations, observed) = mpsc::channel(OBSERVATIONS_MAX);
        let driver = Self {
            store,
            fleet,
            term,
            live: Mutex::default(),
            planning: tokio::sync::Mutex::default(),
            observations,
            alive: tokio::sync::Mutex::new(alive::Alive::open(alive)),
            tasks: TaskTracker::new(),
        };
        let active = driver.load_active(None).await?;
        tracing::info!(migrations = active.len(), term, "loaded what is not over");
        for record in active {
            driver.lock_live().insert(record.migration.uid.clone(), Arc::new(Live::new(record)));
        }
        driver.look_back().await?;
        Ok((Arc::new(driver), Observations(observed)))
    }

    /// The store was restored from a backup: what it has loaded is of another time than what agents do. Before anyone is heard.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn store_restored(&self) -> Result<(), StoreError> {
        for live in self.all_live() {
            self.happen(&live, &Event::StoreRestored).await?;
        }
        Ok(())
    }

    /// All migrations that are not over, of one target or of all.
    async fn load_active(&self, target_id: Option<&str>) -> Result<Vec<Record>, StoreError> {
        let mut found: Vec<Record> = Vec::new();
        loop {
            let before = found
                .last()
                .map(|r| (r.migration.created_at.as_microsecond(), r.migration.uid.clone()));
            let query = MigrationQuery {
                target_id: target_id.map(str::to_owned),
                active: true,
                before,
                limit: LOAD_BATCH,
            };
            let batch = self.store.migrations(query).await?;
            let last = batch.len() < LOAD_BATCH;
            found.extend(batch);
            if last {
                return Ok(found);
            }
        }
    }

    fn lock_live(&self) -> MutexGuard<'_, HashMap<String, Arc<Live>>> {
        // What is in the map is whole whatever panicked.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The migration in memory: those that are not over, and some that are.
    #[must_use]
    pub fn live(&self, uid: &str) -> Option<Arc<Live>> {
        self.lock_live().get(uid).cloned()
    }

    fn all_live(&self) -> Vec<Arc<Live>> {
        self.lock_live().values().cloned().collect()
    }

    /// Makes room: of the migrations that are over, those that ended first are forgotten.
    fn forget_over(&self) {
        let mut live = self.lock_live();
        let mut over: Vec<(Option<Timestamp>, String)> = live
            .iter()
            .filter(|(_, l)| l.record().migration.is_over())
            .map(|(uid, l)| (l.record().migration.ended_at, uid.clone()))
            .collect();
        if over.len() <= OVER_KEPT_MAX {
            return;
        }
        over.sort();
        for (_, uid) in over.iter().take(over.len() - OVER_KEPT_MAX) {
            live.remove(uid);
        }
    }

    /// By name, as it was committed last.
    ///
    /// # Errors
    /// [`DriverError::MigrationNotFound`].
    pub async fn find(&self, target_id: &str, name: &str) -> Result<Record, DriverError> {
        let found = self.store.migration_named(target_id, name).await?;
        found.ok_or_else(|| DriverError::MigrationNotFound {
            name: whimbrel_proto::name::migration(target_id, name),
        })
    }

    /// Newest first.
    ///
    /// # Errors
    /// [`DriverError::Store`].
    pub async fn list(&self, query: MigrationQuery) -> Result<Vec<Record>, DriverError> {
        Ok(self.store.migrations(query).await?)
    }

    /// Events after a sequence number.
    ///
    /// # Errors
    /// [`DriverError::Store`].
    pub async fn events(
        &self,
        uid: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<crate::store::EventRecord>, DriverError> {
        Ok(self.store.events(uid, after, limit).await?)
    }

    /// The newest event's sequence number.
    ///
    /// # Errors
    /// [`DriverError::Store`].
    pub async fn last_event(&self, uid: &str) -> Result<u64, DriverError> {
        Ok(self.store.last_event(uid).await?)
    }

    /// What was done under a request id: its subject, when it was the same request.
    ///
    /// # Errors
    /// [`DriverError::RequestReused`] when it was another.
    pub async fn replayed(&self, memo: &Memo) -> Result<Option<String>, DriverError> {
        match self.store.request(&memo.id).await? {
            None => Ok(None),
            Some(known)
                if known.method == memo.method && known.request_hash == memo.request_hash =>
            {
                Ok(Some(known.subject))
            }
            Some(_) => Err(DriverError::RequestReused { id: memo.id.clone() }),
        }
    }

    /// As [`Driver::replayed`], where nothing else can do it meanwhile.
    async fn is_done(&self, memo: Option<&Memo>) -> Result<bool, DriverError> {
        match memo {
            Some(memo) => Ok(self.replayed(memo).await?.is_some()),
            None => Ok(false),
        }
    }

    pub(crate) fn now() -> Timestamp {
        Timestamp::now()
    }
}

/// What was observed, on its way to [`Driver::run`].
pub struct Observations(mpsc::Receiver<Observation>);
