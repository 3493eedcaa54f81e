//! Progress: kept in memory, coalesced, watched; and what in it the migration should know.
use tokio::time::Instant;
use whimbrel_proto::{agent::v1 as link, v1};

use super::{Driver, Live, Observation, live::DatabaseProgress};
use crate::migration::{Database, DatabasePhase, Event, Side};

/// A stream that is closer than this, and closer than [`LATENCY_SMALL`], is caught up: a fraction of a second's work for any
/// target, and less than what a busy source writes between two reports.
const LAG_SMALL: u64 = 4 * 1024 * 1024;

/// Seconds. See [`LAG_SMALL`].
const LATENCY_SMALL: f64 = 5.0;

/// Tables told of at once by WatchMigration and `show --tables`: a catalog of more is still copied, its tail not shown.
const TABLES_MAX: usize = 50_000;

impl Driver {
    pub(super) fn observe(&self, agent: &str, told: link::TaskProgress) {
        let Some(live) = self.live(&told.migration_uid) else { return };
        let record = live.record();
        let migration = &record.migration;
        let ours = [Side::Source, Side::Target].iter().any(|s| migration.agent(*s) == agent);
        let Some((_, database)) = migration.database(&told.database) else { return };
        // What an older epoch saw is no longer so.
        if !ours || told.epoch != database.epoch {
            return;
        }
        let name = told.database.clone();
        let further = remember(&live, database, told);
        live.touch();
        if further && database.hold.is_none() {
            let epoch = database.epoch;
            self.tell(&migration.uid, Event::Progressed { database: name, epoch });
        }
        self.look_at_lag(&live);
    }

    /// Tells each migration's databases that stream, and are close behind by what was observed last. After a progress
    /// message, and after a step: an idle source's last progress can be older than the step that began the stream.
    pub(super) fn look_at_lag(&self, live: &Live) {
        let record = live.record();
        for database in &record.migration.databases {
            let streaming = matches!(database.phase(), DatabasePhase::Streaming);
            if !streaming || database.hold.is_some() {
                continue;
            }
            let (name, epoch) = (&database.name, database.epoch);
            let seen = live.progress().get(name).map(|seen| (seen.epoch, seen.progress));
            if seen.is_some_and(|(of, progress)| of == epoch && is_close(&progress)) {
                self.tell(&record.migration.uid, Event::LagSmall { database: name.clone(), epoch });
            }
        }
    }

    fn tell(&self, uid: &str, event: Event) {
        // Full: the next progress message says it again.
        if self.observations.try_send(Observation { uid: uid.to_owned(), event }).is_err() {
            tracing::debug!(migration = uid, "an observation found no room");
        }
    }
}

fn is_close(progress: &v1::Progress) -> bool {
    let bytes = progress.lag_bytes.is_some_and(|lag| lag <= LAG_SMALL);
    let seconds = progress.latency_seconds.is_some_and(|latency| latency <= LATENCY_SMALL);
    bytes && seconds
}

/// Keeps it; `true` if it is further than the last failure was.
fn remember(live: &Live, database: &Database, told: link::TaskProgress) -> bool {
    let mut progress = live.progress();
    let seen = progress.entry(told.database).or_default();
    if seen.epoch != told.epoch {
        let mark = seen.mark.max(furthest(&seen.progress));
        *seen = DatabaseProgress { epoch: told.epoch, mark, ..DatabaseProgress::default() };
    }
    if let Some(now) = told.progress {
        seen.progress = now;
        seen.heard = Some(Instant::now());
    }
    if !told.operation.is_empty() {
        seen.operation = told.operation;
    }
    for table in told.tables {
        let key = (table.schema.clone(), table.table.clone());
        if seen.tables.len() < TABLES_MAX || seen.tables.contains_key(&key) {
            seen.tables.insert(key, table);
        }
    }
    let (bytes, applied) = furthest(&seen.progress);
    database.tries > 0 && (bytes > seen.mark.0 || applied > seen.mark.1)
}

fn furthest(progress: &v1::Progress) -> (u64, u64) {
    (progress.copied_bytes, progress.applied_lsn)
}
