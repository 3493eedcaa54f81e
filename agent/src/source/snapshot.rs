//! Consistent points and the snapshots of them.
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::OnceCell, time::timeout};
use tokio_postgres::{error::SqlState, types::PgLsn};
use whimbrel_proto::Lsn;

use super::{position::check_past, sender::Sender, typed::Typed};
use crate::{
    fault::{Doing, Fault},
    postgres::{Client, literal},
    replication::{ReplicationConnection, ReplicationError, RowsConnection, SlotLife, Snapshot},
    wire::{Known, SnapshotKind, SnapshotTaken},
};

/// How long making a slot may take. It waits for every transaction that was writing when it began (logical decoding
/// needs a point where none was), so this bounds how long such a one may live. Who is in the way is told long before.
const SLOT_WAIT: Duration = Duration::from_secs(600);

const ENTERING: &str = "entering the source's snapshot";

/// A snapshot, held by the session that exported it: it lives as long as that session stays idle.
#[derive(Debug)]
pub(super) struct Held {
    /// For SET TRANSACTION SNAPSHOT.
    name: String,
    taken: SnapshotTaken,
    keeper: Keeper,
    /// Sessions inside the snapshot that have no rows to read: logging in costs a small table many times its rows.
    idle: Mutex<Vec<RowsConnection>>,
    /// What it has of the types that values are told by.
    pub(super) typed: OnceCell<Typed>,
}

/// Dropping it ends the snapshot. Nothing is asked of it any more.
#[derive(Debug)]
#[allow(dead_code, reason = "held for its connection's life")]
enum Keeper {
    Slot(ReplicationConnection),
    Transaction(Client),
}

impl Sender {
    /// Takes a new snapshot in place of the held one.
    pub(super) async fn take_snapshot(
        &self,
        kind: SnapshotKind,
        known: Option<Known>,
    ) -> Result<SnapshotTaken, Fault> {
        let mut held = self.held.lock().await;
        if let Some(before) = held.take() {
            before.dismiss().await;
        }
        let new = match kind {
            SnapshotKind::NewSlot => {
                self.make_publications().await?;
                self.watch_schema().await?;
                self.drop_slot_if_exists().await?;
                self.snapshot_of_slot(&self.spec.objects.slot, SlotLife::Permanent, known).await?
            }
            SnapshotKind::Renewed => {
                // A name of its own: an older epoch's temporary slot lives as long as that agent's connection.
                let random = uuid::Uuid::new_v4().simple().to_string();
                let name = format!("{}_{}", self.spec.objects.slot, &random[..8]);
                self.snapshot_of_slot(&name, SlotLife::Temporary, known).await?
            }
            SnapshotKind::Offline => self.plain_snapshot().await?,
        };
        let taken = new.taken;
        *held = Some(Arc::new(new));
        Ok(taken)
    }

    /// A slot's snapshot is exported by the command that makes the slot, and lives until that connection's next one.
    async fn snapshot_of_slot(
        &self,
        slot: &str,
        life: SlotLife,
        known: Option<Known>,
    ) -> Result<Held, Fault> {
        let (endpoint, database) = (&self.spec.endpoint, &self.spec.database);
        let mut connection =
            ReplicationConnection::connect(endpoint, database, &self.purpose("snapshot")).await?;
        let server = connection.identify_system().await?;
        let (system, timeline) = (system_number(&server.system_id)?, server.timeline);
        if let Some(known) = known.filter(|known| known.system == system) {
            check_past(&mut connection, &server, known).await?;
        }
        let made = timeout(SLOT_WAIT, connection.create_slot(slot, life, Snapshot::Export)).await;
        let slot = match made {
            Ok(made) => made?,
            Err(_) => {
                let fault = self.slot_waits_too_long().await;
                // Else the walsender would go on waiting, and leave the slot behind when it is made at last.
                connection.canceller().cancel().await?;
                return Err(fault);
            }
        };
        let taken = SnapshotTaken { point: slot.consistent_point, system, timeline };
        let name = slot.snapshot.ok_or_else(no_snapshot)?;
        Ok(Held::new(name, taken, Keeper::Slot(connection)))
    }

    async fn slot_waits_too_long(&self) -> Fault {
        let blockers = match self.slot_waits_for().await {
            Ok(blockers) => blockers.join("; "),
            Err(fault) => format!("which ones could not be asked: {fault}"),
        };
        Fault::hold(
            "SlotWaits",
            format!(
                "making the replication slot on database {:?}: transactions that were writing did not end in {} s: {blockers}",
                self.spec.database,
                SLOT_WAIT.as_secs()
            ),
        )
        .remedy("end those transactions, then `whimbrel migration retry`")
    }

    async fn plain_snapshot(&self) -> Result<Held, Fault> {
        let doing = "exporting a snapshot on the source";
        let client = self.session("snapshot").await?;
        client
            .batch_execute("begin transaction isolation level repeatable read, read only")
            .await
            .doing(doing)?;
        let row = client
            .query_one(&*client.sql(include_str!("sql/plain_snapshot.sql")), &[])
            .await
            .doing(doing)?;
        let system = system_number(row.get(2))?;
        let point = Lsn(row.get::<_, PgLsn>(1).into());
        // No stream ever follows it.
        let taken = SnapshotTaken { point, system, timeline: 0 };
        let name = row.get(0);
        Ok(Held::new(name, taken, Keeper::Transaction(client)))
    }

    /// Lets go of the held snapshot.
    pub(super) async fn release(&self) {
        if let Some(held) = self.held.lock().await.take() {
            held.dismiss().await;
        }
    }

    /// The held snapshot.
    pub(super) async fn held(&self) -> Result<Arc<Held>, Fault> {
        self.held.lock().await.clone().ok_or_else(no_snapshot)
    }

    /// A session inside the held snapshot.
    pub(super) async fn session_in_snapshot(&self, purpose: &str) -> Result<Client, Fault> {
        let held = self.held().await?;
        let client = self.session(purpose).await?;
        match client.batch_execute(&held.enter()).await {
            Ok(()) => Ok(client),
            Err(error) if error.code().is_some_and(|code| is_gone(code.code())) => {
                Err(no_snapshot())
            }
            Err(error) => Err(Fault::sql(ENTERING, &error)),
        }
    }

    /// A session inside the snapshot, for rows.
    pub(super) async fn rows_in_snapshot(&self, held: &Held) -> Result<RowsConnection, Fault> {
        if let Some(session) = held.idle().pop() {
            return Ok(session);
        }
        let (endpoint, database) = (&self.spec.endpoint, &self.spec.database);
        let mut session = RowsConnection::connect(endpoint, database, &self.purpose("copy"))
            .await
            .doing("opening a session for rows on the source")?;
        match session.query(&held.enter(), ENTERING).await {
            Ok(_) => Ok(session),
            Err(ReplicationError::Server { error, .. }) if is_gone(&error.sqlstate) => {
                Err(no_snapshot())
            }
            Err(error) => Err(error).doing(ENTERING),
        }
    }
}

impl Held {
    fn new(name: String, taken: SnapshotTaken, keeper: Keeper) -> Self {
        Self { name, taken, keeper, idle: Mutex::default(), typed: OnceCell::new() }
    }

    /// A session enters it by this, or fails ([`is_gone`]): a new snapshot is taken when the task is tried again.
    fn enter(&self) -> String {
        format!(
            "begin transaction isolation level repeatable read, read only; set transaction snapshot {}",
            literal(&self.name)
        )
    }

    fn idle(&self) -> MutexGuard<'_, Vec<RowsConnection>> {
        // A panic while the lock is held leaves the list whole: every change to it is one call.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a session for the next one who needs one, with no more locks than it had when it entered the snapshot.
    /// There are never more than were in use at once.
    pub(super) fn keep(&self, session: RowsConnection) {
        self.idle().push(session);
    }

    /// Ends the sessions that wait for rows to read.
    async fn dismiss(&self) {
        let idle = std::mem::take(&mut *self.idle());
        for session in idle {
            session.close().await;
        }
    }

    /// A change stream goes on where it ends.
    pub(super) fn is_of_slot(&self) -> bool {
        matches!(self.keeper, Keeper::Slot(_))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// A system identifier as the ledger keeps it.
pub(super) fn system_number(text: &str) -> Result<u64, Fault> {
    text.parse().map_err(|_| {
        Fault::hold(
            "SourceUnknown",
            format!("the source's system identifier {text:?} is not a number"),
        )
    })
}

/// The session that exported the snapshot has ended: since 17 the server calls it an undefined object.
fn is_gone(sqlstate: &str) -> bool {
    [SqlState::INVALID_PARAMETER_VALUE.code(), SqlState::UNDEFINED_OBJECT.code()]
        .contains(&sqlstate)
}

fn no_snapshot() -> Fault {
    Fault::retry("SnapshotLost", "the snapshot of the source is not held any more")
        .remedy("it is taken anew")
}
