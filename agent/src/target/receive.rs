//! The receiver: from an empty target to a live one, as far as it is told to.
use std::sync::{Arc, OnceLock};

use tokio::sync::{mpsc, watch};
use tokio_postgres::types::PgLsn;
use uuid::Uuid;
use whimbrel_proto::{
    Lsn,
    agent::v1::{CopyAgain, CopyLimits, SourceObjects},
};

use super::{
    Progress, documents,
    fact::Fact,
    ledger::{self, Claim, Ledger, Phase},
    limits::Limits,
    load::Drawing,
    schema::Plan,
};
use crate::{
    fault::{Doing, Fault},
    link::Lease,
    postgres::{Client, Endpoint, Programs, connect},
    selection::Selected,
    wire::{Ask, Caller, Catalog},
};

/// What the receiver is to make.
#[derive(Debug, Clone)]
pub struct ReceiverSpec {
    /// The target server.
    pub endpoint: Endpoint,
    /// The migration's uid.
    pub migration: Uuid,
    /// The database, on both sides.
    pub database: String,
    /// Whose transactions count.
    pub epoch: u64,
    /// The life of this process.
    pub life: Uuid,
    /// Which of the database's objects.
    pub selected: Selected,
    /// With a change stream.
    pub online: bool,
    /// Our names on the source; the slot's also names what is provisional here.
    pub objects: SourceObjects,
    /// OID of the database that may be overwritten; 0: none.
    pub overwrite_oid: u32,
    /// OID of the database that was made already; 0: not yet.
    pub target_oid: u32,
    /// Make the source's roles that are missing.
    pub migrate_roles: bool,
    /// Cutover attempts that are over.
    pub past_attempts: u32,
    /// Requests to copy tables again; the ledger knows which were taken up.
    pub copy_again: Vec<CopyAgain>,
    /// pg_restore, of every version that is here.
    pub programs: Arc<Programs>,
}

impl ReceiverSpec {
    /// As whom it takes the ledger over.
    pub(super) fn claim(&self) -> Claim {
        Claim { migration: self.migration, epoch: self.epoch, holder: self.life }
    }
}

/// Where a receiver stands once its database is there.
pub enum Begun {
    /// The base copy is complete.
    Copied(Copied),
    /// The database is switched: it is the application's.
    Live,
}

/// What following and cutting over need.
pub struct Copied {
    /// Proves the epoch.
    pub ledger: Ledger,
    /// The source's catalog, as it was dumped.
    pub catalog: Arc<Catalog>,
    /// What is still to be made.
    pub plan: Arc<Plan>,
}

/// For a controller that does not know that the switch was made.
const TARGET_IS_LIVE: &str = "TargetIsLive";

/// The receiving end.
pub struct Receiver {
    pub(crate) spec: ReceiverSpec,
    pub(crate) caller: Caller,
    pub(crate) progress: Arc<Progress>,
    pub(crate) lease: Lease,
    pub(super) limits: Limits,
    facts: mpsc::Sender<Fact>,
    plan: OnceLock<Arc<Plan>>,
}

impl Receiver {
    /// Connects to nothing yet.
    pub fn new(
        spec: ReceiverSpec,
        caller: Caller,
        progress: Arc<Progress>,
        lease: Lease,
        limits: watch::Receiver<CopyLimits>,
        facts: mpsc::Sender<Fact>,
    ) -> Self {
        let limits = Limits::new(limits);
        Self { spec, caller, progress, lease, limits, facts, plan: OnceLock::new() }
    }

    /// Makes the database and its base copy, or what is missing of them.
    ///
    /// # Errors
    /// What stopped it.
    pub async fn begin(&self) -> Result<Begun, Fault> {
        if self.spec.migrate_roles && self.spec.target_oid == 0 {
            self.make_roles().await?;
        }
        self.progress.operation("preparing the target database");
        let (oid, drawn) = self.prepare_and_draw().await?;
        self.tell(Fact::Prepared { oid }).await;
        let mut client = self.session_of_ledger("ledger").await?;
        let (ledger, state) = Ledger::take_over(&mut client, self.spec.claim()).await?;
        if drawn.is_some() && state.phase != Phase::Copy {
            self.caller.ask(Ask::Release).await?;
        }
        if state.phase == Phase::Live {
            let message = "the target database is live: its cutover was made".to_owned();
            self.tell(Fact::Milestone(TARGET_IS_LIVE, message)).await;
            return Ok(Begun::Live);
        }
        let state = self.take_up_requests(&mut client, ledger, state).await?;
        if state.phase == Phase::Copy {
            Box::pin(self.load(&mut client, ledger, drawn.transpose()?)).await?;
        } else if self.spec.online {
            self.refill(&mut client, ledger).await?;
        } else {
            Box::pin(self.refill_emptied(&mut client, ledger)).await?;
        }
        let catalog = self.catalog(&client).await?;
        let (plan, (tables, rows, bytes)) =
            tokio::try_join!(self.plan(&client, &catalog), self.restore_counts(&client, &catalog))?;
        self.tell(Fact::CopyFinished { tables, rows, bytes }).await;
        Ok(Begun::Copied(Copied { ledger, catalog, plan }))
    }

    /// The database's OID, and what was drawn of an offline migration's source meanwhile, if it was.
    async fn prepare_and_draw(&self) -> Result<(u32, Option<Result<Drawing, Fault>>), Fault> {
        if self.spec.online || self.spec.target_oid != 0 {
            return Ok((self.prepare().await?, None));
        }
        // What goes wrong in drawing is told once the database is recorded, and matters only where the copy is not there yet.
        let drawing = async { Ok(Some(self.draw_ahead().await)) };
        tokio::try_join!(self.prepare(), drawing)
    }

    /// Tells the controller. Nobody listening means that the task was stopped, and is dropped next.
    pub(crate) async fn tell(&self, fact: Fact) {
        if self.facts.send(fact).await.is_err() {
            tracing::debug!("nobody listens to the receiver's facts any more");
        }
    }

    /// A session on the target database.
    pub(crate) async fn session(&self, purpose: &str) -> Result<Client, Fault> {
        // With the epoch, so that a person can see whose it is.
        let purpose = format!("{purpose} {}", self.spec.epoch);
        Ok(connect(&self.spec.endpoint, &self.spec.database, &purpose).await?)
    }

    /// As [`Receiver::session`], when the database may be switched already: with the switch come settings, `role` among them, which
    /// makes who logs in somebody who has no right to the ledger.
    pub(crate) async fn session_of_ledger(&self, purpose: &str) -> Result<Client, Fault> {
        let client = self.session(purpose).await?;
        let doing = "becoming the role whose the ledger is";
        client.query(include_str!("sql/become_owner.sql"), &[]).await.doing(doing)?;
        Ok(client)
    }

    /// The source's catalog, as it was dumped.
    pub(crate) async fn catalog(&self, client: &Client) -> Result<Arc<Catalog>, Fault> {
        Ok(Arc::new(documents::get_json(&**client, "catalog").await?))
    }

    /// The dump's entries. Read once: the cutover must not wait for pg_restore.
    pub(super) async fn plan(
        &self,
        client: &Client,
        catalog: &Catalog,
    ) -> Result<Arc<Plan>, Fault> {
        if let Some(plan) = self.plan.get() {
            return Ok(Arc::clone(plan));
        }
        let dump = documents::get(&**client, "dump").await?;
        Ok(self.keep_plan(self.read_dump(client.server_major(), catalog, &dump).await?))
    }

    /// The plan of the dump that the ledger has.
    pub(super) fn keep_plan(&self, plan: Plan) -> Arc<Plan> {
        Arc::clone(self.plan.get_or_init(|| Arc::new(plan)))
    }

    /// The entries of a dump.
    pub(super) async fn read_dump(
        &self,
        target_major: u32,
        catalog: &Catalog,
        dump: &[u8],
    ) -> Result<Plan, Fault> {
        let source_major = catalog.server_version / 10_000;
        let tools = self.spec.programs.dump_for(source_major, target_major)?;
        let objects = &self.spec.objects;
        let ours = [objects.publication.as_str(), objects.keyless_publication.as_str()];
        Plan::read(&tools.restore, dump, catalog, &ours, target_major).await
    }

    /// Counts of what is copied, from the ledger, for an agent that did not copy it all itself.
    async fn restore_counts(
        &self,
        client: &Client,
        catalog: &Catalog,
    ) -> Result<(u32, u64, u64), Fault> {
        let rows = client
            .query("select source_oid, rows, bytes, held from whimbrel.relation where done", &[])
            .await
            .doing("counting what is copied")?;
        let done: Vec<(u32, i64, i64)> =
            rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
        self.progress.tables(catalog);
        let held: Vec<_> =
            rows.iter().filter(|row| row.get::<_, Option<&str>>(3).is_some()).collect();
        let (mut rows, mut bytes) = (0, 0);
        for (oid, table_rows, table_bytes) in &done {
            let (table_rows, table_bytes) = (unsigned(*table_rows), unsigned(*table_bytes));
            self.progress.table_done(*oid, table_rows, table_bytes);
            rows += table_rows;
            bytes += table_bytes;
        }
        for row in &held {
            let why = row.get::<_, Option<&str>>(3).unwrap_or_default();
            self.progress.table_held(row.get(0), why);
        }
        Ok((u32::try_from(done.len()).unwrap_or(u32::MAX), rows, bytes))
    }
}

impl Ledger {
    /// The next phase of the database: the base copy is there, and the stream begins at `from`.
    pub(super) async fn begin_stream(
        self,
        client: &mut Client,
        from: Option<Lsn>,
    ) -> Result<(), Fault> {
        let doing = "recording in the ledger that the base copy is complete";
        let tx = client.transaction().await.doing(doing)?;
        tx.execute(
            "update whimbrel.ledger set phase = 'stream', applied = coalesce(applied, $1) where epoch = $2",
            &[&from.map(|lsn| PgLsn::from(lsn.0)), &self.epoch()],
        )
        .await
        .doing(doing)?;
        self.commit(tx, doing).await
    }
}

/// A count that PostgreSQL keeps as bigint.
pub(super) fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

/// The ledger's state now.
pub(crate) async fn current(client: &Client) -> Result<ledger::State, Fault> {
    ledger::state(&**client).await
}
