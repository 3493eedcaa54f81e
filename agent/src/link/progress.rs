//! Progress: only the newest counts, one a database.
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use whimbrel_proto::{
    agent::v1::{RunningTask, TaskProgress},
    v1::TableProgress,
};

/// A message stays well under gRPC's 4 MiB: a table's progress is about 200 bytes.
const TABLES_PER_MESSAGE: usize = 2_000;

/// Databases whose progress is kept. More than run in one agent at once: past it those that were told of longest ago, and
/// are sent, are forgotten.
const DATABASES_MAX: usize = 256;

type Key = (String, String);
type TableKey = (String, String);

/// The newest progress of each database, and what of it was not sent yet.
#[derive(Debug, Default)]
pub(super) struct Board {
    databases: Mutex<BTreeMap<Key, Entry>>,
    told: AtomicU64,
}

#[derive(Debug, Default)]
struct Entry {
    newest: TaskProgress,
    tables: BTreeMap<TableKey, TableProgress>,
    unsent_tables: BTreeSet<TableKey>,
    unsent: bool,
    /// The next report speaks of it, so it goes before.
    ahead: bool,
    /// When it was told last, in a count of all that was told.
    told: u64,
}

impl Board {
    fn databases(&self) -> MutexGuard<'_, BTreeMap<Key, Entry>> {
        self.databases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the place of what was there. Tables that are not in it stay as they were.
    pub(super) fn put(&self, mut progress: TaskProgress) {
        let key = (progress.migration_uid.clone(), progress.database.clone());
        let mut databases = self.databases();
        let entry = databases.entry(key).or_default();
        if progress.epoch < entry.newest.epoch {
            return;
        }
        if progress.epoch > entry.newest.epoch {
            *entry = Entry::default();
        }
        for table in std::mem::take(&mut progress.tables) {
            let key = (table.schema.clone(), table.table.clone());
            entry.unsent_tables.insert(key.clone());
            entry.tables.insert(key, table);
        }
        entry.newest = progress;
        entry.unsent = true;
        entry.told = self.told.fetch_add(1, Ordering::Relaxed);
        make_room(&mut databases);
    }

    /// As [`Board::put`], and it goes before the next report.
    pub(super) fn put_ahead(&self, progress: TaskProgress) {
        let key = (progress.migration_uid.clone(), progress.database.clone());
        self.put(progress);
        if let Some(entry) = self.databases().get_mut(&key) {
            entry.ahead = entry.unsent;
        }
    }

    /// Whether progress goes before reports now.
    pub(super) fn has_ahead(&self) -> bool {
        self.databases().values().any(|entry| entry.ahead)
    }

    pub(super) fn has_unsent(&self) -> bool {
        self.databases().values().any(|entry| entry.unsent)
    }

    /// The next message to be sent.
    pub(super) fn take(&self) -> Option<TaskProgress> {
        let mut databases = self.databases();
        // `false` comes first: what goes ahead is the least.
        let unsent = databases.values_mut().filter(|entry| entry.unsent);
        let entry = unsent.min_by_key(|entry| !entry.ahead)?;
        let mut message = entry.newest.clone();
        while message.tables.len() < TABLES_PER_MESSAGE
            && let Some(key) = entry.unsent_tables.pop_first()
        {
            message.tables.extend(entry.tables.get(&key).cloned());
        }
        entry.unsent = !entry.unsent_tables.is_empty();
        entry.ahead &= entry.unsent;
        Some(message)
    }

    /// After a reconnection: all of what runs is told again, what runs no longer is forgotten. A controller that was
    /// restarted has kept none of it.
    pub(super) fn start_over(&self, running: &[RunningTask]) {
        let mut databases = self.databases();
        databases.retain(|(migration, database), _| {
            running
                .iter()
                .any(|task| task.migration_uid == *migration && task.database == *database)
        });
        for entry in databases.values_mut() {
            entry.unsent = true;
            entry.unsent_tables = entry.tables.keys().cloned().collect();
        }
    }
}

fn make_room(databases: &mut BTreeMap<Key, Entry>) {
    if databases.len() <= DATABASES_MAX {
        return;
    }
    let sent = databases.iter().filter(|(_, entry)| !entry.unsent);
    // None: the controller is away, and nothing of what runs may be lost; what runs is bounded by its tasks.
    if let Some(oldest) = sent.min_by_key(|(_, entry)| entry.told).map(|(key, _)| key.clone()) {
        databases.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(epoch: u64, tables: &[&str]) -> TaskProgress {
        let table = |name: &&str| TableProgress { table: (*name).to_owned(), ..Default::default() };
        TaskProgress {
            migration_uid: "m".into(),
            database: "d".into(),
            epoch,
            tables: tables.iter().map(table).collect(),
            ..Default::default()
        }
    }

    fn names(message: &TaskProgress) -> Vec<&str> {
        message.tables.iter().map(|table| table.table.as_str()).collect()
    }

    #[test]
    fn the_newest_wins_and_no_table_is_lost() {
        let board = Board::default();
        board.put(progress(2, &["a", "b"]));
        board.put(progress(2, &["b"]));
        board.put(progress(1, &["stale"]));
        assert_eq!(names(&board.take().unwrap()), ["a", "b"]);
        assert!(board.take().is_none());
        board.put(progress(2, &[]));
        assert!(names(&board.take().unwrap()).is_empty());

        let running =
            RunningTask { migration_uid: "m".into(), database: "d".into(), ..Default::default() };
        board.start_over(&[running]);
        assert_eq!(names(&board.take().unwrap()), ["a", "b"]);
        board.start_over(&[]);
        assert!(!board.has_unsent());
    }

    #[test]
    fn what_a_report_speaks_of_goes_before_it() {
        let board = Board::default();
        let of = |database: &str| TaskProgress { database: database.into(), ..progress(1, &["a"]) };
        board.put(of("first"));
        assert!(!board.has_ahead());
        board.put_ahead(of("second"));
        assert!(board.has_ahead());
        assert_eq!(board.take().unwrap().database, "second");
        assert!(!board.has_ahead());
        assert_eq!(board.take().unwrap().database, "first");
        // An older epoch's is not taken, so there is nothing to go ahead.
        board.put_ahead(TaskProgress { epoch: 0, ..of("second") });
        assert!(!board.has_ahead());
    }

    #[test]
    fn what_is_over_is_forgotten_in_a_session_that_never_ends() {
        let board = Board::default();
        for number in 0..DATABASES_MAX * 3 {
            let migration_uid = format!("m{number}");
            board.put(TaskProgress { migration_uid, ..progress(1, &["a"]) });
            assert_eq!(names(&board.take().unwrap()), ["a"]);
        }
        assert_eq!(board.databases().len(), DATABASES_MAX);
        // The newest are those that are kept.
        let newest = ("m767".to_owned(), "d".to_owned());
        assert!(board.databases().contains_key(&newest));
    }

    #[test]
    fn a_message_is_bounded() {
        let board = Board::default();
        let many: Vec<String> = (0..TABLES_PER_MESSAGE + 1).map(|i| i.to_string()).collect();
        board.put(progress(1, &many.iter().map(String::as_str).collect::<Vec<_>>()));
        assert_eq!(board.take().unwrap().tables.len(), TABLES_PER_MESSAGE);
        assert_eq!(board.take().unwrap().tables.len(), 1);
        assert!(board.take().is_none());
    }
}
