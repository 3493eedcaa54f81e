//! Foreign keys: those of small tables some at a time, those of large tables beside each other.
//!
//! ADD CONSTRAINT locks both tables against each other's while it looks at the rows. NOT VALID it takes no time, and VALIDATE
//! CONSTRAINT then locks the table that refers only against changes of its schema (PostgreSQL manual, ALTER TABLE): keys of
//! different tables are checked at the same time, whatever they refer to.
use std::collections::{HashMap, HashSet, VecDeque};

use tokio::task::JoinSet;
use tokio_postgres::Transaction;
use whimbrel_points::point;

use super::{
    fact::Fact,
    in_runs::RUN,
    ledger::Ledger,
    load::run_entry,
    receive::Receiver,
    schema::{Entry, ForeignKey, Name, RESTORE_SETTINGS},
};
use crate::{
    fault::{Doing, Fault, Policy},
    postgres::{Client, identifier, qualified},
};

/// The code of a fault that is about rows, and not about what is made.
pub(crate) const CONSTRAINT_VIOLATED: &str = "ConstraintViolated";

/// A table of at least so many pages (8 MB) is worth a session of its own.
const LARGE_PAGES: i32 = 1024;

/// A key's rows are compared in this memory (ri_triggers.c, `RI_Initial_Check`).
const SETTINGS: &str = "select set_config('maintenance_work_mem', '256MB', false) \
    where pg_size_bytes(current_setting('maintenance_work_mem')) < pg_size_bytes('256MB')";

/// What becomes of a foreign key that can't be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unmade {
    /// All stops.
    Stops,
    /// Online, one that the source's own rows violate (triggers were off there once) is told and waits: the stream carries
    /// what mends the source, and the cutover tries again. Were everything held for it, no mending could arrive.
    WaitsIfViolated,
    /// As that; and another fault that a person would have to mend is left to the cutover too. The source's schema may have
    /// changed since the dump, and was carried: the cutover makes the keys of then.
    Waits,
}

/// A key of a large table, which is there unchecked.
#[derive(Debug, Clone)]
struct Unchecked {
    entry: Entry,
    key: ForeignKey,
}

/// What the target has of tables.
struct Tables {
    partitioned: HashSet<Name>,
    /// Pages of those that are large.
    large: HashMap<Name, i32>,
}

impl Receiver {
    /// Makes those that the ledger doesn't have. One that was cut off is begun again.
    pub(crate) async fn make_foreign_keys(
        &self,
        session: &mut Client,
        ledger: Ledger,
        entries: &[Entry],
        unmade: Unmade,
    ) -> Result<(), Fault> {
        let entries = not_made(session, entries).await?;
        if entries.is_empty() {
            return Ok(());
        }
        let tables = Tables::look(session).await?;
        let (large, small): (Vec<_>, Vec<_>) = entries
            .into_iter()
            .map(|entry| (tables.large_key(&entry), entry))
            .partition(|(key, _)| key.is_some());
        let small: Vec<Entry> = small.into_iter().map(|(_, entry)| entry).collect();
        for run in small.chunks(RUN) {
            self.make_run(session, ledger, run, unmade).await?;
        }
        let mut unchecked: HashMap<Name, Vec<Unchecked>> = HashMap::new();
        for (key, entry) in large {
            let Some(key) = key else { continue };
            match add_unchecked(session, ledger, &entry, &key).await {
                Ok(()) => {
                    unchecked.entry(key.table.clone()).or_default().push(Unchecked { entry, key })
                }
                Err(fault) => self.unmade(&entry, fault, unmade).await?,
            }
        }
        let mut groups: Vec<(Name, Vec<Unchecked>)> = unchecked.into_iter().collect();
        groups.sort_by_key(|(table, _)| std::cmp::Reverse(tables.large.get(table).copied()));
        let groups: VecDeque<_> = groups.into_iter().map(|(_, keys)| keys).collect();
        self.check_beside(ledger, groups, unmade).await
    }

    /// In one transaction; one by one, where what fails may wait.
    async fn make_run(
        &self,
        session: &mut Client,
        ledger: Ledger,
        run: &[Entry],
        unmade: Unmade,
    ) -> Result<(), Fault> {
        match run_together(session, ledger, run).await {
            Err(fault) if unmade != Unmade::Stops && fault.policy == Policy::Hold => {}
            done => return done,
        }
        for entry in run {
            if let Err(fault) = run_entry(session, ledger, entry).await {
                self.unmade(entry, fault, unmade).await?;
            }
        }
        Ok(())
    }

    /// Checks the keys of as many tables at once as there are workers, the largest first.
    async fn check_beside(
        &self,
        ledger: Ledger,
        mut waiting: VecDeque<Vec<Unchecked>>,
        unmade: Unmade,
    ) -> Result<(), Fault> {
        let mut running = JoinSet::new();
        loop {
            while running.len() < self.limits.jobs()
                && let Some(keys) = waiting.pop_front()
            {
                let session = self.session("keys").await?;
                running.spawn(check_keys(session, ledger, keys));
            }
            // Leaving drops the others, and with them their sessions. Their keys are begun again with the next try.
            let Some(checked) = running.join_next().await else { return Ok(()) };
            for (entry, fault) in checked.map_err(stopped)?? {
                self.unmade(&entry, fault, unmade).await?;
            }
        }
    }

    async fn unmade(&self, entry: &Entry, fault: Fault, unmade: Unmade) -> Result<(), Fault> {
        let violated = self.spec.online && fault.code == CONSTRAINT_VIOLATED;
        match unmade {
            Unmade::WaitsIfViolated | Unmade::Waits if violated => {
                let text = format!(
                    "foreign key {} waits for the cutover: rows that are on the source too violate it ({fault}); mend them \
                     there, the stream carries it",
                    entry.tag
                );
                self.tell(Fact::Milestone("ForeignKeyViolated", text)).await;
            }
            Unmade::Waits if fault.policy == Policy::Hold => {
                tracing::info!(%fault, "a foreign key is left to the cutover");
            }
            _ => return Err(fault),
        }
        Ok(())
    }
}

impl Tables {
    async fn look(client: &Client) -> Result<Self, Fault> {
        let sql = "select n.nspname::text, c.relname::text, c.relkind = 'p', c.relpages from pg_class c \
                   join pg_namespace n on n.oid = c.relnamespace \
                   where c.relkind = 'p' or c.relkind = 'r' and c.relpages >= $1";
        let rows = client
            .query(sql, &[&LARGE_PAGES])
            .await
            .doing("looking for tables whose foreign keys take long to check")?;
        let mut tables = Self { partitioned: HashSet::new(), large: HashMap::new() };
        for row in &rows {
            let name = (row.get(0), row.get(1));
            if row.get(2) {
                tables.partitioned.insert(name);
            } else {
                tables.large.insert(name, row.get(3));
            }
        }
        Ok(tables)
    }

    /// The key, if it is a large table's and can be checked later. VALIDATE leaves the shares of a partitioned table that is
    /// referred to unchecked before 18.
    fn large_key(&self, entry: &Entry) -> Option<ForeignKey> {
        ForeignKey::read(entry).filter(|key| {
            self.large.contains_key(&key.table) && !self.partitioned.contains(&key.references)
        })
    }
}

async fn not_made(client: &Client, entries: &[Entry]) -> Result<Vec<Entry>, Fault> {
    let ids: Vec<i32> = entries.iter().map(|entry| entry.dump_id).collect();
    let rows = client
        .query("select dump_id from whimbrel.entry where dump_id = any($1)", &[&ids])
        .await
        .doing("looking for foreign keys that are still to be made")?;
    let made: HashSet<i32> = rows.iter().map(|row| row.get(0)).collect();
    Ok(entries.iter().filter(|entry| !made.contains(&entry.dump_id)).cloned().collect())
}

/// Those of the dump's keys that the source has still, as far as the ledger knows: one that was dropped since would be here alone.
pub(super) async fn still_there(client: &Client, keys: &[Entry]) -> Result<Vec<Entry>, Fault> {
    let sql = "select (k ->> 'oid')::oid from whimbrel.structure s \
               cross join lateral jsonb_array_elements(s.document -> 'constraints') k \
               where s.document ->> 'kind' = 'relation' and k ->> 'type' = 'f'";
    let rows = client
        .query(sql, &[])
        .await
        .doing("looking in the ledger which foreign keys the source has")?;
    let there: HashSet<u32> = rows.iter().map(|row| row.get(0)).collect();
    Ok(keys.iter().filter(|key| there.contains(&key.oid)).cloned().collect())
}

async fn run_together(session: &mut Client, ledger: Ledger, run: &[Entry]) -> Result<(), Fault> {
    let doing = "creating foreign keys";
    let tx = session.transaction().await.doing(doing)?;
    tx.batch_execute(RESTORE_SETTINGS).await.doing(doing)?;
    for entry in run {
        tx.batch_execute(&entry.sql).await.doing(entry.creating())?;
        note(&tx, entry).await?;
    }
    point!("entry.committing");
    ledger.commit(tx, doing).await
}

/// The ledger has it once it is checked; so it may be here from a try that was cut off.
async fn add_unchecked(
    session: &mut Client,
    ledger: Ledger,
    entry: &Entry,
    key: &ForeignKey,
) -> Result<(), Fault> {
    let doing = entry.creating();
    let tx = session.transaction().await.doing(&doing)?;
    tx.batch_execute(RESTORE_SETTINGS).await.doing(&doing)?;
    tx.batch_execute(&dropping(key)).await.doing(&doing)?;
    tx.batch_execute(&key.adding_unchecked()).await.doing(&doing)?;
    ledger.commit(tx, &doing).await
}

fn dropping(key: &ForeignKey) -> String {
    let table = qualified(&key.table.0, &key.table.1);
    format!("alter table {table} drop constraint if exists {}", identifier(&key.name))
}

/// Checks one table's keys, which lock each other out; gives those that can't be made, which are gone then.
async fn check_keys(
    mut session: Client,
    ledger: Ledger,
    keys: Vec<Unchecked>,
) -> Result<Vec<(Entry, Fault)>, Fault> {
    session.batch_execute(SETTINGS).await.doing("setting up a session that checks foreign keys")?;
    let mut unmade = Vec::new();
    for Unchecked { entry, key } in keys {
        let Err(fault) = check(&mut session, ledger, &entry, &key).await else { continue };
        if fault.policy != Policy::Hold {
            return Err(fault);
        }
        let doing = format!("dropping foreign key {}, which can't be made", entry.tag);
        let tx = session.transaction().await.doing(&doing)?;
        tx.batch_execute(&dropping(&key)).await.doing(&doing)?;
        ledger.commit(tx, &doing).await?;
        unmade.push((entry, fault));
    }
    Ok(unmade)
}

async fn check(
    session: &mut Client,
    ledger: Ledger,
    entry: &Entry,
    key: &ForeignKey,
) -> Result<(), Fault> {
    let doing = entry.creating();
    let tx = session.transaction().await.doing(&doing)?;
    tx.batch_execute(RESTORE_SETTINGS).await.doing(&doing)?;
    let table = qualified(&key.table.0, &key.table.1);
    let sql = format!("alter table {table} validate constraint {}", identifier(&key.name));
    tx.batch_execute(&sql).await.doing(&doing)?;
    note(&tx, entry).await?;
    point!("entry.committing");
    ledger.commit(tx, &doing).await
}

async fn note(tx: &Transaction<'_>, entry: &Entry) -> Result<(), Fault> {
    tx.execute("insert into whimbrel.entry (dump_id) values ($1)", &[&entry.dump_id])
        .await
        .doing(entry.creating())?;
    Ok(())
}

fn stopped(error: tokio::task::JoinError) -> Fault {
    Fault::retry("WorkerStopped", format!("a session that checks foreign keys stopped: {error}"))
}
