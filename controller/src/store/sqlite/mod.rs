//! The store in one SQLite file: WAL mode, every commit flushed before it is answered.
//!
//! One connection, behind a lock, used on the blocking threads: SQLite has one writer anyway, and the controller's reads
//! are short.
mod agents;
mod migrations;
mod outbox;
mod requests;
mod targets;

use std::{
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, TransactionBehavior};

use super::{
    Agent, Change, EventRecord, JoinToken, Memo, MigrationQuery, OutboxEntry, Record, Result,
    Store, StoreError, Target,
};

#[allow(missing_docs, unreachable_pub)]
mod embedded {
    refinery::embed_migrations!("src/store/sqlite/schema");
}

/// How long a statement waits for another process's lock. Only a backup tool can hold one: the data directory's lock
/// keeps other controllers out.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The store in a file.
#[derive(Clone)]
pub struct SqliteStore {
    connection: Arc<Mutex<Connection>>,
}

impl SqliteStore {
    /// Opens the file, makes it when it is not there, and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Failed`] or [`StoreError::Full`].
    pub fn open(path: &Path) -> Result<Self> {
        let doing = "opening it";
        // For us alone: SQLite gives its log the file's own mode.
        std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(path)
            .map_err(|e| StoreError::Failed { doing, cause: e.to_string() })?;
        let mut connection = Connection::open(path).map_err(|e| failure(doing, &e))?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(|e| failure(doing, &e))?;
        for (pragma, value) in
            [("journal_mode", "wal"), ("synchronous", "full"), ("foreign_keys", "on")]
        {
            connection
                .pragma_update_and_check(None, pragma, value, |_| Ok(()))
                .or_else(|e| match e {
                    // These two answer with no row.
                    rusqlite::Error::QueryReturnedNoRows => Ok(()),
                    e => Err(e),
                })
                .map_err(|e| failure(doing, &e))?;
        }
        embedded::migrations::runner().run(&mut connection).map_err(|e| StoreError::Failed {
            doing: "bringing its schema up to date",
            cause: e.to_string(),
        })?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// Runs `work` in one transaction: all of it or nothing.
    async fn write<T, F>(&self, doing: &'static str, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.blocking(doing, move |connection| {
            // Immediate: a transaction that reads first must not find that it can't write.
            let tx = connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(|e| failure(doing, &e))?;
            let done = work(&tx)?;
            tx.commit().map_err(|e| failure(doing, &e))?;
            Ok(done)
        })
        .await
    }

    async fn read<T, F>(&self, doing: &'static str, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.blocking(doing, move |connection| work(connection)).await
    }

    async fn blocking<T, F>(&self, doing: &'static str, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    {
        let connection = Arc::clone(&self.connection);
        let task = tokio::task::spawn_blocking(move || {
            // A panic under the lock has rolled its transaction back: the connection is good.
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut connection)
        });
        task.await.map_err(|e| StoreError::Failed { doing, cause: e.to_string() })?
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn begin_term(&self) -> Result<u64> {
        let sql = "update meta set value = value + 1 where key = 'term' returning value";
        self.write("beginning a term", move |tx| {
            tx.query_row(sql, [], |row| row.get::<_, i64>(0))
                .map(i64::cast_unsigned)
                .map_err(|e| failure("beginning a term", &e))
        })
        .await
    }

    async fn skip_terms(&self, terms: u64) -> Result<()> {
        let sql = "update meta set value = value + ?1 where key = 'term'";
        self.write("leaving terms out", move |tx| {
            let done = tx.execute(sql, [terms.cast_signed()]);
            done.map(drop).map_err(|e| failure("leaving terms out", &e))?;
            outbox::skip(tx, terms)
        })
        .await
    }

    async fn last_command(&self) -> Result<u64> {
        self.read("reading the outbox", outbox::last).await
    }

    async fn create_migration(&self, change: Change, memo: Option<Memo>) -> Result<()> {
        self.write("recording a migration", move |tx| {
            requests::remember(tx, memo.as_ref())?;
            migrations::create(tx, &change)
        })
        .await
    }

    async fn commit(&self, change: Change, memo: Option<Memo>) -> Result<()> {
        self.write("committing a migration's change", move |tx| {
            requests::remember(tx, memo.as_ref())?;
            migrations::commit(tx, &change)
        })
        .await
    }

    async fn migration(&self, uid: &str) -> Result<Option<Record>> {
        let uid = uid.to_owned();
        self.read("reading a migration", move |c| migrations::by_uid(c, &uid)).await
    }

    async fn migration_named(&self, target_id: &str, name: &str) -> Result<Option<Record>> {
        let (target, name) = (target_id.to_owned(), name.to_owned());
        self.read("reading a migration", move |c| migrations::by_name(c, &target, &name)).await
    }

    async fn migrations(&self, query: MigrationQuery) -> Result<Vec<Record>> {
        self.read("listing migrations", move |c| migrations::list(c, &query)).await
    }

    async fn delete_migration(&self, uid: &str, version: u64, memo: Option<Memo>) -> Result<()> {
        let uid = uid.to_owned();
        self.write("deleting a migration", move |tx| {
            requests::remember(tx, memo.as_ref())?;
            migrations::delete(tx, &uid, version)
        })
        .await
    }

    async fn events(&self, uid: &str, after: u64, limit: usize) -> Result<Vec<EventRecord>> {
        let uid = uid.to_owned();
        self.read("reading events", move |c| migrations::events(c, &uid, after, limit)).await
    }

    async fn last_event(&self, uid: &str) -> Result<u64> {
        let uid = uid.to_owned();
        self.read("reading events", move |c| migrations::last_event(c, &uid)).await
    }

    async fn outbox(&self, agent: &str, after: u64, limit: usize) -> Result<Vec<OutboxEntry>> {
        let agent = agent.to_owned();
        self.read("reading the outbox", move |c| outbox::of_agent(c, &agent, after, limit)).await
    }

    async fn outbox_of(&self, uid: &str) -> Result<Vec<OutboxEntry>> {
        let uid = uid.to_owned();
        self.read("reading the outbox", move |c| outbox::of_migration(c, &uid)).await
    }

    async fn undelivered(&self, command_id: &str) -> Result<Option<OutboxEntry>> {
        let id = command_id.to_owned();
        self.read("reading the outbox", move |c| outbox::by_id(c, &id)).await
    }

    async fn delivered(&self, command_id: &str) -> Result<Option<OutboxEntry>> {
        let id = command_id.to_owned();
        self.write("taking a command out of the outbox", move |tx| outbox::take(tx, &id)).await
    }

    async fn create_target(&self, target: Target, memo: Option<Memo>) -> Result<()> {
        self.write("recording a target", move |tx| {
            requests::remember(tx, memo.as_ref())?;
            targets::create(tx, &target)
        })
        .await
    }

    async fn target(&self, id: &str) -> Result<Option<Target>> {
        let id = id.to_owned();
        self.read("reading a target", move |c| targets::by_id(c, &id)).await
    }

    async fn targets(&self, after: &str, limit: usize) -> Result<Vec<Target>> {
        let after = after.to_owned();
        self.read("listing targets", move |c| targets::list(c, &after, limit)).await
    }

    async fn update_target(
        &self,
        target: Target,
        changes: Vec<Change>,
        memo: Option<Memo>,
    ) -> Result<()> {
        self.write("changing a target", move |tx| {
            requests::remember(tx, memo.as_ref())?;
            targets::update(tx, &target)?;
            changes.iter().try_for_each(|change| migrations::commit(tx, change))
        })
        .await
    }

    async fn delete_target(&self, id: &str, version: u64, memo: Option<Memo>) -> Result<()> {
        let id = id.to_owned();
        self.write("deleting a target", move |tx| {
            requests::remember(tx, memo.as_ref())?;
            targets::delete(tx, &id, version)
        })
        .await
    }

    async fn add_token(&self, token: JoinToken, memo: Option<Memo>) -> Result<()> {
        self.write("recording a join token", move |tx| {
            requests::remember(tx, memo.as_ref())?;
            agents::add_token(tx, &token)
        })
        .await
    }

    async fn enrol(&self, token_hash: &[u8], agent: Agent, now: Timestamp) -> Result<Agent> {
        let hash = token_hash.to_owned();
        self.write("enrolling an agent", move |tx| agents::enrol(tx, &hash, agent, now)).await
    }

    async fn agent(&self, id: &str) -> Result<Option<Agent>> {
        let id = id.to_owned();
        self.read("reading an agent", move |c| agents::by_id(c, &id)).await
    }

    async fn agents(&self, after: &str, limit: usize) -> Result<Vec<Agent>> {
        let after = after.to_owned();
        self.read("listing agents", move |c| agents::list(c, &after, limit)).await
    }

    async fn update_agent(&self, agent: Agent, memo: Option<Memo>) -> Result<()> {
        self.write("changing an agent", move |tx| {
            requests::remember(tx, memo.as_ref())?;
            agents::update(tx, &agent)
        })
        .await
    }

    async fn request(&self, id: &str) -> Result<Option<Memo>> {
        let id = id.to_owned();
        self.read("reading a request", move |c| requests::by_id(c, &id)).await
    }
}

/// What SQLite says, in our words. Its messages name tables and columns, never values.
fn failure(doing: &'static str, error: &rusqlite::Error) -> StoreError {
    let cause = error.to_string();
    match error.sqlite_error_code() {
        // A file that may not grow (ENOSPC, a quota, a limit) is FULL, or an I/O error of a write.
        Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => StoreError::Full { cause },
        _ => StoreError::Failed { doing, cause },
    }
}

/// Whether a statement broke a constraint (unique, foreign key, or a law of the schema).
fn breaks_constraint(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}

/// A value as its document.
fn to_doc<T: serde::Serialize>(doing: &'static str, value: &T) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|e| StoreError::Failed { doing, cause: format!("writing a document: {e}") })
}

/// A document as its value.
fn from_doc<T: serde::de::DeserializeOwned>(doing: &'static str, doc: &str) -> Result<T> {
    serde_json::from_str(doc)
        .map_err(|e| StoreError::Failed { doing, cause: format!("reading a document: {e}") })
}

/// The version and the document of one row, by its key.
fn versioned<T: serde::de::DeserializeOwned>(
    connection: &Connection,
    doing: &'static str,
    sql: &str,
    key: impl rusqlite::Params,
) -> Result<Option<(u64, T)>> {
    let row = connection
        .query_row(sql, key, |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))
        .optional()
        .map_err(|e| failure(doing, &e))?;
    let Some((version, doc)) = row else { return Ok(None) };
    Ok(Some((version.cast_unsigned(), from_doc(doing, &doc)?)))
}

/// The versions and documents of many rows.
fn versioned_all<T: serde::de::DeserializeOwned>(
    connection: &Connection,
    doing: &'static str,
    sql: &str,
    params: impl rusqlite::Params,
) -> Result<Vec<(u64, T)>> {
    let mut statement = connection.prepare_cached(sql).map_err(|e| failure(doing, &e))?;
    let rows = statement
        .query_map(params, |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))
        .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
        .map_err(|e| failure(doing, &e))?;
    rows.into_iter().map(|(v, doc)| Ok((v.cast_unsigned(), from_doc(doing, &doc)?))).collect()
}

/// A limit, for SQLite.
fn sql_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
