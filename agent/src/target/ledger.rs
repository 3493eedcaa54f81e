//! The ledger: the schema `whimbrel` of the receiving database (DESIGN.md, laws 1 and 2).
//!
//! It says which epoch may write, and what of the source is here. Nothing of ours is committed in that database without
//! [`Ledger::commit`] (or the guarded UPDATE of the apply), so a stale agent that wakes up can commit nothing.
use tokio_postgres::{GenericClient, Transaction, error::SqlState, types::PgLsn};
use uuid::Uuid;
use whimbrel_points::{is_broken, point};
use whimbrel_proto::Lsn;

use crate::{
    fault::{Doing, Fault, Policy},
    postgres::{Client, as_login_role},
};

/// Version of the ledger's tables; one that is not known is not touched.
const FORMAT: i32 = 4;

const CREATING: &str = "creating the ledger (schema whimbrel) in the target database";

/// Law 2, for a test that takes it away: a transaction of an older epoch can't commit.
pub(in crate::target) const FENCE: &str = "fence";

/// Law 2 again: each life has an epoch of its own.
const NEW_EPOCH: &str = "new-epoch";

/// How often an epoch's installation is tried when an older epoch's transaction holds the row; each try ends those.
const TAKEOVER_TRIES: u32 = 5;

/// Who takes a ledger over.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    /// The migration's uid.
    pub migration: Uuid,
    /// Whose transactions count from then on.
    pub epoch: u64,
    /// The life of this process.
    pub holder: Uuid,
}

/// Proves one epoch.
#[derive(Debug, Clone, Copy)]
pub struct Ledger {
    epoch: i64,
}

/// Where the database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Rows are being copied.
    Copy,
    /// Changes are applied.
    Stream,
    /// Switched: the application's.
    Live,
}

/// The ledger's row.
#[derive(Debug, Clone, Copy)]
pub struct State {
    /// Who may write.
    pub epoch: i64,
    /// The life of the process that has that epoch.
    pub holder: Uuid,
    /// Where the database is.
    pub phase: Phase,
    /// Which server the positions are of.
    pub source_system: Option<u64>,
    /// Of which of its timelines.
    pub timeline: Option<u32>,
    /// The slot's consistent point.
    pub slot_point: Option<Lsn>,
    /// End of the last applied commit.
    pub applied: Option<Lsn>,
    /// The cutover attempt whose marker 2 is there.
    pub marker: Option<u32>,
    /// The last request to copy tables again that was taken up.
    pub copied_again: u32,
}

impl Ledger {
    /// Makes the ledger in a database that was just created.
    pub async fn create(client: &mut Client, claim: Claim) -> Result<(), Fault> {
        let tx = client.transaction().await.doing(CREATING)?;
        Self::create_in(&tx, claim).await?;
        tx.commit().await.doing(CREATING)
    }

    /// As [`Ledger::create`], within a transaction that does more.
    pub(super) async fn create_in(tx: &Transaction<'_>, claim: Claim) -> Result<(), Fault> {
        let doing = CREATING;
        tx.batch_execute(include_str!("sql/ledger.sql")).await.doing(doing)?;
        tx.execute(
            "insert into whimbrel.ledger (format, migration, epoch, holder, phase) \
             values ($1, $2::text::uuid, $3, $4::text::uuid, 'copy')",
            &[
                &FORMAT,
                &claim.migration.to_string(),
                &signed(claim.epoch)?,
                &claim.holder.to_string(),
            ],
        )
        .await
        .doing(doing)?;
        Ok(())
    }

    /// The migration that a database's ledger is of; `None` when it has no ledger.
    pub async fn owner(client: &Client) -> Result<Option<Uuid>, Fault> {
        let doing = "reading the target's ledger";
        let there = client
            .query_one("select to_regclass('whimbrel.ledger') is not null", &[])
            .await
            .doing(doing)?;
        if !there.get::<_, bool>(0) {
            return Ok(None);
        }
        let row = client
            .query_opt("select migration::text from whimbrel.ledger", &[])
            .await
            .doing(doing)?;
        Ok(row.and_then(|row| row.get::<_, String>(0).parse().ok()))
    }

    /// Installs an epoch: from here on no transaction of an older one can commit. Those that are open and hold the row
    /// are ended.
    ///
    /// # Errors
    /// `EpochOvertaken` when a newer epoch is installed, or this one by another process; `LedgerMissing`,
    /// `LedgerOfAnother`, `LedgerFormat`.
    pub async fn take_over(client: &mut Client, claim: Claim) -> Result<(Self, State), Fault> {
        match Self::owner(client).await? {
            Some(owner) if owner == claim.migration => {}
            Some(owner) => return Err(of_another(owner)),
            None => return Err(missing()),
        }
        Self::known(client).await?;
        let mut ledger = Self { epoch: signed(claim.epoch)? };
        if is_broken(NEW_EPOCH) {
            ledger.epoch = state(&**client).await?.epoch;
        }
        for _ in 1..TAKEOVER_TRIES {
            match ledger.install(client, claim.holder).await {
                Ok(state) => {
                    // One that is frozen holds its locks on, and the new epoch would wait for it without end.
                    end_older_sessions(client).await?;
                    return Ok((ledger, state));
                }
                Err(Installing::Locked) => end_older_sessions(client).await?,
                Err(Installing::Failed(fault)) => return Err(fault),
            }
        }
        ledger.install(client, claim.holder).await.map(|state| (ledger, state)).map_err(|error| {
            match error {
            Installing::Locked => Fault::retry(
                "LedgerLocked",
                "installing the epoch in the target's ledger: another session keeps its row locked",
            )
            .remedy("end the sessions that hold whimbrel.ledger (pg_locks), then retry"),
            Installing::Failed(fault) => fault,
        }
        })
    }

    /// Only a ledger as this version makes it is read any further: another one lacks what would be asked of it.
    async fn known(client: &Client) -> Result<(), Fault> {
        let row = client
            .query_one("select format from whimbrel.ledger", &[])
            .await
            .doing("reading the target's ledger")?;
        match row.get::<_, i32>(0) {
            FORMAT => Ok(()),
            other => Err(of_format(other)),
        }
    }

    async fn install(self, client: &mut Client, holder: Uuid) -> Result<State, Installing> {
        let failed = |error: &tokio_postgres::Error| match error.code() {
            Some(&SqlState::LOCK_NOT_AVAILABLE) => Installing::Locked,
            _ => {
                Installing::Failed(Fault::sql("installing the epoch in the target's ledger", error))
            }
        };
        let tx = client.transaction().await.map_err(|e| failed(&e))?;
        tx.batch_execute("set local lock_timeout = '2s'").await.map_err(|e| failed(&e))?;
        let moved = tx
            .execute(
                "update whimbrel.ledger set epoch = $1, holder = $2::text::uuid \
                 where epoch < $1 and phase <> 'live'",
                &[&self.epoch, &holder.to_string()],
            )
            .await
            .map_err(|e| failed(&e))?;
        let state = state(&tx).await.map_err(Installing::Failed)?;
        if moved > 0 {
            complete(&tx).await.map_err(|e| failed(&e))?;
        }
        // The switch itself counts the epoch up by one, and closes the ledger.
        let held_by_us =
            state.epoch == self.epoch && (state.holder == holder || is_broken(NEW_EPOCH));
        if moved == 0 && !held_by_us && state.phase != Phase::Live {
            return Err(Installing::Failed(overtaken(self.epoch, state.epoch)));
        }
        point!("epoch.installing");
        tx.commit().await.map_err(|e| failed(&e))?;
        point!("epoch.installed");
        Ok(state)
    }

    /// Commits a transaction that wrote to the database, after it has proved the epoch: the row is locked against a
    /// newer one until the commit (`FOR KEY SHARE` would not do that).
    ///
    /// # Errors
    /// `Fenced`, and the transaction is rolled back.
    pub async fn commit(self, tx: Transaction<'_>, doing: &str) -> Result<(), Fault> {
        self.prove(&tx, doing).await?;
        point!("ledger.committing");
        tx.commit().await.doing(doing)?;
        point!("ledger.committed");
        Ok(())
    }

    /// The proof alone, for acts that survive a rollback (`setval`): before the act, in its transaction.
    pub async fn prove(self, tx: &impl GenericClient, doing: &str) -> Result<(), Fault> {
        let row = tx
            .query_opt("select 1 from whimbrel.ledger where epoch = $1 for share", &[&self.epoch])
            .await
            .doing(doing)?;
        if row.is_none() && is_broken(FENCE) {
            return Ok(());
        }
        row.map(|_| ()).ok_or_else(|| Fault::fenced(doing))
    }

    /// The epoch that it proves, as PostgreSQL's bigint.
    pub fn epoch(self) -> i64 {
        self.epoch
    }
}

/// Columns that a ledger of an earlier version does not have.
async fn complete(tx: &Transaction<'_>) -> Result<(), tokio_postgres::Error> {
    let later = [
        (
            "ledger",
            "last_commit_of",
            "add last_commit pg_lsn, add last_commit_time bigint, add last_commit_of pg_lsn",
        ),
        ("structure", "changed", "add changed pg_lsn"),
        ("structure", "changed_by", "add changed_by int8"),
        ("relation", "retyped", "add retyped pg_lsn"),
    ];
    for (table, column, add) in later {
        let has = format!(
            "select exists (select from pg_attribute where attrelid = 'whimbrel.{table}'::regclass and attname = '{column}')"
        );
        if !tx.query_one(&has, &[]).await?.get::<_, bool>(0) {
            tx.batch_execute(&format!("alter table whimbrel.{table} {add}")).await?;
        }
    }
    Ok(())
}

/// Reads the ledger's row.
pub async fn state(client: &impl GenericClient) -> Result<State, Fault> {
    let row = client
        .query_one(
            "select epoch, phase, source_system::text, slot_point, applied, marker, timeline, copied_again, holder::text \
             from whimbrel.ledger",
            &[],
        )
        .await
        .doing("reading the target's ledger")?;
    let lsn = |column| row.get::<_, Option<PgLsn>>(column).map(|lsn| Lsn(lsn.into()));
    Ok(State {
        epoch: row.get(0),
        phase: match row.get(1) {
            "copy" => Phase::Copy,
            "stream" => Phase::Stream,
            _ => Phase::Live,
        },
        source_system: row.get::<_, Option<String>>(2).and_then(|text| text.parse().ok()),
        slot_point: lsn(3),
        applied: lsn(4),
        marker: row.get::<_, Option<i32>>(5).and_then(|attempt| attempt.try_into().ok()),
        timeline: row.get::<_, Option<i32>>(6).and_then(|timeline| timeline.try_into().ok()),
        copied_again: u32::try_from(row.get::<_, i32>(7)).unwrap_or_default(),
        holder: row.get::<_, &str>(8).parse().unwrap_or_default(),
    })
}

enum Installing {
    Locked,
    Failed(Fault),
}

/// One database has one migration, so every other session of ours in it belongs to an older epoch; but for those that every
/// migration has in the maintenance database, if it is that one.
async fn end_older_sessions(client: &Client) -> Result<(), Fault> {
    let end = "select pg_terminate_backend(pid) from pg_stat_activity \
        where datname = current_database() and application_name like 'whimbrel/%' and pid <> pg_backend_pid() \
          and application_name <> all ('{whimbrel/prepare,whimbrel/roles,whimbrel/preflight,whimbrel/test}')";
    as_login_role(client, end).await.doing("ending sessions of an older epoch on the target")?;
    Ok(())
}

fn signed(epoch: u64) -> Result<i64, Fault> {
    i64::try_from(epoch)
        .map_err(|_| Fault::hold("EpochOutOfRange", format!("epoch {epoch} is not a bigint")))
}

/// Ours is no newer than what is there. The controller gives the next one out after a person has looked.
fn overtaken(ours: i64, theirs: i64) -> Fault {
    let mut fault = Fault::new(
        Policy::Fenced,
        "EpochOvertaken",
        format!(
            "taking over the target's ledger: it is at epoch {theirs} of another agent process, ours is {ours}"
        ),
    )
    .remedy(
        "if the controller's store was restored from a backup, or another controller had this migration: stop whoever \
         else works on it, look at what the target has, then `whimbrel migration retry`",
    );
    fault.ledger_epoch = u64::try_from(theirs).unwrap_or_default();
    fault
}

/// A ledger that is missing is never taken for a fresh start.
pub fn missing() -> Fault {
    Fault::hold(
        "LedgerMissing",
        "the target database was made for this migration, but its ledger (schema whimbrel) is gone",
    )
    .remedy(
        "see whether the application works in that database. If it does, its cutover was made, and the controller's store is an \
         older one: cancel, and leave the database as it is. If not, and the ledger was dropped by hand: cancel, and start a new \
         migration with --overwrite",
    )
}

fn of_another(owner: Uuid) -> Fault {
    Fault::hold("LedgerOfAnother", format!("the target database's ledger is of migration {owner}"))
        .remedy("finish or cancel that migration first, or choose another target database")
}

fn of_format(format: i32) -> Fault {
    Fault::hold(
        "LedgerFormat",
        format!("the target database's ledger is of format {format}, and this agent's version knows {FORMAT}"),
    )
    .remedy(
        "give the migration to an agent of the version that began it (`whimbrel agent list` tells versions), then `whimbrel \
         migration retry`; or cancel it, and start a new one with --overwrite",
    )
}
