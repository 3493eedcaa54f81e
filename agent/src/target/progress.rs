//! How far the receiver is: counted as it works, told to the controller twice a second, lost when the agent ends (the
//! ledger has what matters).
use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use whimbrel_proto::{
    Lsn,
    v1::{self, table_progress::State},
};

use crate::wire::Catalog;

/// How long the copy's speed is looked back on to tell what remains.
const SPEED_WINDOW: Duration = Duration::from_secs(15);

/// Counters of one database.
#[derive(Debug, Default)]
pub struct Progress {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    operation: String,
    order: Vec<u32>,
    tables: HashMap<u32, Table>,
    counts: Counts,
    stream: Option<Stream>,
    /// Bytes copied by when, for the speed.
    samples: std::collections::VecDeque<(Instant, u64)>,
}

#[derive(Debug)]
struct Table {
    row: v1::TableProgress,
    changed: bool,
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    inserts: u64,
    updates: u64,
    deletes: u64,
    applied: u64,
    incoming: u64,
}

#[derive(Debug, Clone, Copy)]
struct Stream {
    applied: Lsn,
    /// Unknown until the source has told: the lag is not small because nothing was heard yet.
    source: Option<Lsn>,
    /// The slowest transaction since it was last told.
    latency: Duration,
    /// When what is pending was received, and its age then.
    pending: Option<(Instant, Duration)>,
}

/// What a row change did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Insert,
    Update,
    Delete,
    Other,
}

impl Progress {
    /// What is being done, in words.
    pub(crate) fn operation(&self, text: &str) {
        text.clone_into(&mut self.lock().operation);
    }

    /// As it was told last.
    pub(crate) fn what_is_done(&self) -> String {
        self.lock().operation.clone()
    }

    /// Every table of the catalog, queued.
    pub(super) fn tables(&self, catalog: &Catalog) {
        let mut inner = self.lock();
        inner.order = catalog.relations.iter().map(|relation| relation.oid).collect();
        let there: HashSet<u32> = inner.order.iter().copied().collect();
        inner.tables.retain(|oid, _| there.contains(oid));
        for relation in &catalog.relations {
            let row = v1::TableProgress {
                schema: relation.schema.clone(),
                table: relation.name.clone(),
                state: State::Queued.into(),
                total_bytes: relation.bytes,
                ..Default::default()
            };
            inner.tables.entry(relation.oid).or_insert(Table { row, changed: true });
        }
    }

    /// A table's rows are already here.
    pub(crate) fn table_done(&self, oid: u32, rows: u64, bytes: u64) {
        self.table(oid, |row| {
            row.state = State::Completed.into();
            row.copied_rows = rows;
            row.copied_bytes = bytes;
        });
    }

    /// Some of a table's rows are already here.
    pub(crate) fn table_begun(&self, oid: u32, rows: u64, bytes: u64) {
        self.table(oid, |row| {
            row.state = State::Loading.into();
            row.copied_rows = rows;
            row.copied_bytes = bytes;
        });
    }

    /// A table is left out.
    pub(super) fn table_held(&self, oid: u32, why: &str) {
        self.table(oid, |row| {
            row.state = State::Errored.into();
            why.clone_into(&mut row.message);
        });
    }

    pub(super) fn table_state(&self, oid: u32, state: State) {
        self.table(oid, |row| row.state = state.into());
    }

    /// A table is copied from its start (again).
    pub(crate) fn table_restarted(&self, oid: u32) {
        self.table(oid, |row| {
            row.copied_bytes = 0;
            row.copied_rows = 0;
            row.state = State::Queued.into();
        });
    }

    pub(super) fn copied_bytes(&self, oid: u32, bytes: usize) {
        self.table(oid, |row| row.copied_bytes += bytes as u64);
    }

    pub(super) fn copied_rows(&self, oid: u32, rows: u64) {
        self.table(oid, |row| row.copied_rows += rows);
    }

    /// A change was received.
    pub(super) fn incoming(&self, oid: u32, kind: Kind) {
        let mut inner = self.lock();
        inner.counts.incoming += 1;
        let counts = &mut inner.counts;
        match kind {
            Kind::Insert => counts.inserts += 1,
            Kind::Update => counts.updates += 1,
            Kind::Delete => counts.deletes += 1,
            Kind::Other => {}
        }
        if let Some(table) = inner.tables.get_mut(&oid) {
            table.changed = true;
            match kind {
                Kind::Insert => table.row.inserts += 1,
                Kind::Update => table.row.updates += 1,
                Kind::Delete => table.row.deletes += 1,
                Kind::Other => {}
            }
        }
    }

    /// The stream begins, or goes on.
    pub(super) fn stream_at(&self, applied: Lsn) {
        let mut inner = self.lock();
        let source = inner.stream.and_then(|stream| stream.source);
        let latency = Duration::ZERO;
        inner.stream = Some(Stream { applied, source, latency, pending: None });
        inner.counts.incoming = 0;
    }

    /// Where the source's WAL is.
    pub(super) fn source_at(&self, source: Lsn) {
        if let Some(stream) = &mut self.lock().stream {
            stream.source = stream.source.max(Some(source));
        }
    }

    /// A transaction waits to be committed: received now, of this age.
    pub(super) fn pending_since(&self, age: Duration) {
        if let Some(stream) = &mut self.lock().stream {
            stream.pending.get_or_insert((Instant::now(), age));
        }
    }

    /// A group was committed: nothing received is left over, or what is left is younger.
    pub(super) fn applied(&self, position: Lsn, changes: u64) {
        let mut inner = self.lock();
        inner.counts.applied += changes;
        inner.counts.incoming = inner.counts.incoming.saturating_sub(changes);
        if let Some(stream) = &mut inner.stream {
            stream.applied = position;
            if let Some((received, age)) = stream.pending.take() {
                stream.latency = stream.latency.max(age + received.elapsed());
            }
        }
    }

    /// What to tell now, and the tables that changed since the last time.
    pub(crate) fn tell(&self) -> (String, v1::Progress, Vec<v1::TableProgress>) {
        let mut inner = self.lock();
        let mut progress = inner.progress();
        inner.remaining(&mut progress);
        if let Some(stream) = &mut inner.stream
            && let Some(source) = stream.source
        {
            let source = source.max(stream.applied);
            let pending = stream.pending.map_or(Duration::ZERO, |(at, age)| age + at.elapsed());
            progress.latency_seconds = Some(stream.latency.max(pending).as_secs_f64());
            progress.lag_bytes = Some(source.bytes_since(stream.applied));
            progress.applied_lsn = stream.applied.0;
            progress.source_lsn = source.0;
            stream.latency = Duration::ZERO;
        }
        let order = inner.order.clone();
        let changed = order
            .iter()
            .filter_map(|oid| {
                let table = inner.tables.get_mut(oid)?;
                std::mem::take(&mut table.changed).then(|| table.row.clone())
            })
            .collect();
        (inner.operation.clone(), progress, changed)
    }

    fn table(&self, oid: u32, change: impl FnOnce(&mut v1::TableProgress)) {
        if let Some(table) = self.lock().tables.get_mut(&oid) {
            change(&mut table.row);
            table.changed = true;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Counters stay usable whatever happened to a thread that held them.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn progress(&self) -> v1::Progress {
        let mut progress = v1::Progress {
            inserts: self.counts.inserts,
            updates: self.counts.updates,
            deletes: self.counts.deletes,
            applied_changes: self.counts.applied,
            incoming_changes: self.counts.incoming,
            ..Default::default()
        };
        for table in self.tables.values() {
            match table.row.state() {
                State::Queued | State::Unspecified => progress.queued_tables += 1,
                State::Loading | State::Indexing => progress.loading_tables += 1,
                State::Completed => progress.completed_tables += 1,
                State::Errored => progress.errored_tables += 1,
            }
            progress.copied_bytes += table.row.copied_bytes;
            progress.copied_rows += table.row.copied_rows;
            progress.total_bytes += table.row.total_bytes;
        }
        progress
    }

    /// Percent and time. COPY's bytes are not the table's, so a table that is loaded counts whole.
    fn remaining(&mut self, progress: &mut v1::Progress) {
        let done: u64 = self
            .tables
            .values()
            .map(|table| match table.row.state() {
                State::Completed | State::Indexing => table.row.total_bytes,
                State::Queued | State::Unspecified | State::Loading | State::Errored => {
                    table.row.copied_bytes.min(table.row.total_bytes)
                }
            })
            .sum();
        let total = progress.total_bytes;
        let all_done = progress.queued_tables + progress.loading_tables == 0;
        progress.percent = match total {
            _ if self.order.is_empty() => 0.0,
            _ if all_done => 100.0,
            0 => 0.0,
            // One rounding step short of 100 until the last table is complete.
            _ => (done as f64 / total as f64 * 100.0).min(99.9),
        };
        let now = Instant::now();
        self.samples.push_back((now, done));
        while self.samples.front().is_some_and(|(at, _)| now - *at > SPEED_WINDOW) {
            self.samples.pop_front();
        }
        if all_done {
            progress.eta_seconds = (!self.order.is_empty()).then_some(0.0);
        } else if let Some((at, before)) = self.samples.front()
            && done > *before
        {
            let speed = (done - before) as f64 / (now - *at).as_secs_f64();
            progress.eta_seconds = Some(total.saturating_sub(done) as f64 / speed);
        }
    }
}
