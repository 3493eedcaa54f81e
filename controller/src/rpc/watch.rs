//! WatchMigration: the whole state, then it again whenever it changed, with each event since.
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use futures_util::stream;
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Response, Status};
use whimbrel_proto::v1;

use super::{
    Rpc,
    migrations::ids,
    status::{invalid_field, of_driver, refuse},
};
use crate::{
    driver::{DriverError, Live},
    migration::{State, SubState, state},
    store::Record,
    translate::event_out,
};

/// Between two messages: faster than the eye, slow enough that a busy copy costs nothing.
const INTERVAL: Duration = Duration::from_millis(250);

/// Events in one message, and in memory for one watcher. A log of more is sent in several.
const EVENTS_MAX: usize = 500;

/// Tables in one message: far below a client's limit of 4 MiB.
const TABLES_MAX: usize = 2000;

/// A message's key of a table.
type Key = (String, String, String);

struct Watch {
    rpc: Rpc,
    stop: CancellationToken,
    uid: String,
    target: String,
    name: String,
    /// Of the last event sent.
    sequence: u64,
    /// What was sent of each table; `None`: tables are not asked for.
    tables: Option<HashMap<Key, v1::TableProgress>>,
    waiting: VecDeque<v1::WatchMigrationResponse>,
    /// None: it was over when the watch began, and is no longer in memory.
    changes: Option<watch::Receiver<u64>>,
    sent_at: Option<Instant>,
    /// The state that was sent last.
    stood: Option<(State, SubState)>,
    /// The log has more events than were sent: they come page by page, as the client takes them.
    more: bool,
    over: bool,
}

impl Rpc {
    pub(super) async fn watch(
        &self,
        request: v1::WatchMigrationRequest,
    ) -> Result<Response<<Self as WatchService>::WatchMigrationStream>, Status> {
        let (target, name) = ids("name", &request.name)?;
        let record = self.driver.find(target, name).await.map_err(of_driver)?;
        let uid = record.migration.uid;
        let last = self.driver.last_event(&uid).await.map_err(of_driver)?;
        let sequence = match request.resume_token.as_str() {
            "" => last,
            token => resume(token, &uid, last)?,
        };
        let watch = Watch {
            rpc: self.clone(),
            stop: self.stop.clone(),
            changes: self.driver.live(&uid).map(|live| live.changes()),
            uid,
            target: target.to_owned(),
            name: name.to_owned(),
            sequence,
            tables: request.tables.then(HashMap::new),
            waiting: VecDeque::new(),
            sent_at: None,
            stood: None,
            more: false,
            over: false,
        };
        let messages = stream::unfold(Some(watch), |watch| async {
            let mut watch = watch?;
            match watch.next().await {
                Ok(Some(message)) => Some((Ok(message), Some(watch))),
                Ok(None) => None,
                Err(status) => Some((Err(status), None)),
            }
        });
        Ok(Response::new(Box::pin(messages)))
    }
}

use v1::migration_service_server::MigrationService as WatchService;

impl Watch {
    /// The next message; `None` after the final state.
    async fn next(&mut self) -> Result<Option<v1::WatchMigrationResponse>, Status> {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Ok(Some(message));
            }
            if self.over && !self.more {
                return Ok(None);
            }
            if !self.more {
                self.change().await?;
            }
            self.look().await?;
        }
    }

    /// Waits until there is something new: another state at once, the rest not too soon after what was sent last.
    async fn change(&mut self) -> Result<(), Status> {
        let Some(sent_at) = self.sent_at else { return Ok(()) };
        let stop = self.stop.clone();
        let away =
            || refuse(Code::Unavailable, "GoingAway", "the controller goes away: watch again");
        tokio::select! {
            () = self.changed(sent_at + INTERVAL) => Ok(()),
            () = stop.cancelled() => Err(away()),
        }
    }

    /// See [`Self::change`]. Progress waits for the time `soon`. Also returns when the migration has left the memory: who looks
    /// then sees that it is gone.
    async fn changed(&mut self, soon: Instant) {
        let Some(changes) = &mut self.changes else { return tokio::time::sleep_until(soon).await };
        let mut progress = false;
        while let Ok(changed) = tokio::time::timeout_at(soon, changes.changed()).await {
            progress = true;
            let live = self.rpc.driver.live(&self.uid);
            // States are few; a person or a script waits for the next one.
            let stands = live.map(|live| state(&live.record().migration));
            if changed.is_err() || stands != self.stood {
                return;
            }
        }
        if !progress {
            drop(changes.changed().await);
        }
    }

    async fn look(&mut self) -> Result<(), Status> {
        if let Some(changes) = &mut self.changes {
            changes.mark_unchanged();
        }
        let driver = &self.rpc.driver;
        // The state before the events: the last state then has all of its events with it.
        let live = driver.live(&self.uid);
        let record = match &live {
            Some(live) => Record::clone(&live.record()),
            None => driver.find(&self.target, &self.name).await.map_err(of_driver)?,
        };
        if record.migration.uid != self.uid {
            let name = whimbrel_proto::name::migration(&self.target, &self.name);
            return Err(of_driver(DriverError::MigrationNotFound { name }));
        }
        let migration = self.rpc.out(&record);
        self.push_events(&migration).await?;
        if !self.more {
            self.push_tables(live.as_ref(), &migration);
        }
        if self.waiting.is_empty() {
            let message = self.message(&migration);
            self.waiting.push_back(message);
        }
        self.over = record.migration.is_over();
        self.sent_at = Some(Instant::now());
        self.stood = Some(state(&record.migration));
        Ok(())
    }

    async fn push_events(&mut self, migration: &v1::Migration) -> Result<(), Status> {
        let found = self.rpc.driver.events(&self.uid, self.sequence, EVENTS_MAX);
        let found = found.await.map_err(of_driver)?;
        self.more = found.len() == EVENTS_MAX;
        let Some(last) = found.last() else { return Ok(()) };
        self.sequence = last.sequence;
        let mut message = self.message(migration);
        message.events = found.into_iter().map(event_out).collect();
        self.waiting.push_back(message);
        Ok(())
    }

    /// Tables that are not as they were sent.
    fn push_tables(&mut self, live: Option<&Arc<Live>>, migration: &v1::Migration) {
        let (Some(sent), Some(live)) = (&mut self.tables, live) else { return };
        let mut changed = Vec::new();
        for table in live.tables() {
            let key = (table.database.clone(), table.schema.clone(), table.table.clone());
            if sent.get(&key) != Some(&table) {
                sent.insert(key, table.clone());
                changed.push(table);
            }
        }
        for some in changed.chunks(TABLES_MAX) {
            let mut message = self.message(migration);
            message.tables = some.to_vec();
            self.waiting.push_back(message);
        }
    }

    fn message(&self, migration: &v1::Migration) -> v1::WatchMigrationResponse {
        v1::WatchMigrationResponse {
            migration: Some(migration.clone()),
            resume_token: super::page::token(&self.uid, &self.sequence.to_string()),
            ..Default::default()
        }
    }
}

/// The sequence number in a resume token.
fn resume(token: &str, uid: &str, last: u64) -> Result<u64, Status> {
    let refuse = || invalid_field("resume_token", "is not a token of this migration's watch");
    let cursor = super::page::cursor(uid, token).map_err(|_| refuse())?;
    let sequence: u64 = cursor.parse().map_err(|_| refuse())?;
    if sequence > last {
        return Err(refuse());
    }
    Ok(sequence)
}
