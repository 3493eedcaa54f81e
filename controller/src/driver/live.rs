//! A migration in memory: what was committed last, what was observed since, and who watches.
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};
use whimbrel_proto::v1;

use crate::store::{Record, StoreError};

/// Agents tell twice a second. An older latency says nothing about now.
const LATENCY_GOOD_FOR: Duration = Duration::from_secs(10);

/// Agents tell again each second what could not be committed. A longer silence says that it was, or is no longer asked for.
const UNWRITTEN_GOOD_FOR: Duration = Duration::from_secs(5);

/// A database's tables, by schema and name.
pub type Tables = BTreeMap<(String, String), v1::TableProgress>;

/// A migration in memory.
pub struct Live {
    /// Held through a step and its commit.
    pub(super) gate: Arc<tokio::sync::Mutex<()>>,
    committed: RwLock<Arc<Record>>,
    progress: Mutex<HashMap<String, DatabaseProgress>>,
    changed: watch::Sender<u64>,
    /// What the store said when it could not commit last, and when.
    unwritten: Mutex<Option<(Instant, String)>>,
}

/// What was observed of one database.
#[derive(Default)]
pub(super) struct DatabaseProgress {
    pub(super) epoch: u64,
    pub(super) progress: v1::Progress,
    pub(super) operation: String,
    pub(super) tables: Tables,
    /// Copied bytes and applied position when it last failed: beyond them is progress.
    pub(super) mark: (u64, u64),
    /// When it was heard last.
    pub(super) heard: Option<Instant>,
}

impl Live {
    pub(super) fn new(record: Record) -> Self {
        Self {
            gate: Arc::default(),
            committed: RwLock::new(Arc::new(record)),
            progress: Mutex::default(),
            changed: watch::Sender::new(0),
            unwritten: Mutex::default(),
        }
    }

    /// As it was committed last.
    #[must_use]
    pub fn record(&self) -> Arc<Record> {
        Arc::clone(&self.committed.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set(&self, record: Record) {
        *self.committed.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(record);
        self.touch();
    }

    /// How a commit went: while the store can't be written nothing moves, and no record can say so.
    pub(super) fn tried_to_commit(&self, failed: Option<&StoreError>) {
        let said = match failed {
            Some(error @ (StoreError::Full { .. } | StoreError::Failed { .. })) => {
                Some((Instant::now(), error.to_string()))
            }
            _ => None,
        };
        let mut unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *unwritten, said.clone());
        drop(unwritten);
        if before.is_some() != said.is_some() {
            self.touch();
        }
    }

    /// Why nothing that happens can be committed, as long as that is so.
    #[must_use]
    pub fn unwritten(&self) -> Option<String> {
        let unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, said) = unwritten.as_ref()?;
        (at.elapsed() < UNWRITTEN_GOOD_FOR).then(|| said.clone())
    }

    pub(super) fn touch(&self) {
        self.changed.send_modify(|n| *n = n.wrapping_add(1));
    }

    /// Changes whenever there is something new to see.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(super) fn progress(&self) -> MutexGuard<'_, HashMap<String, DatabaseProgress>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was observed last, by database.
    #[must_use]
    pub fn observed(&self) -> HashMap<String, (v1::Progress, String)> {
        self.progress()
            .iter()
            .map(|(name, seen)| (name.clone(), (seen.progress, seen.operation.clone())))
            .collect()
    }

    /// Every table that was told of, by database, schema, name.
    #[must_use]
    pub fn tables(&self) -> Vec<v1::TableProgress> {
        let progress = self.progress();
        let mut databases: Vec<_> = progress.iter().collect();
        databases.sort_by_key(|(name, _)| *name);
        databases.into_iter().flat_map(|(_, seen)| seen.tables.values().cloned()).collect()
    }

    /// Seconds behind, by database, where it was heard lately.
    pub(super) fn latencies(&self) -> BTreeMap<String, f64> {
        self.progress()
            .iter()
            .filter(|(_, seen)| seen.heard.is_some_and(|at| at.elapsed() < LATENCY_GOOD_FOR))
            .filter_map(|(name, seen)| Some((name.clone(), seen.progress.latency_seconds?)))
            .collect()
    }
}
