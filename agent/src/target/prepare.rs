//! Makes the target database, so that the name that the application will use never stands for a half-made one.
//!
//! It is created under a provisional name, gets its ledger there, and is then renamed. A database of the wanted name
//! without our ledger is somebody else's. One that may be overwritten is renamed away first, in a transaction that proves
//! its OID, and dropped under that name (law 2).
use std::time::Duration;

use tokio::time::sleep;
use tokio_postgres::{GenericClient, error::SqlState};
use uuid::Uuid;
use whimbrel_points::point;

use super::{create_database::create_statement, ledger, ledger::Ledger, receive::Receiver};
use crate::{
    fault::{Doing, Fault, Policy},
    postgres::{Client, MAINTENANCE_DATABASE, as_login_role, connect, identifier},
    wire::DatabaseProperties,
};

/// Tries to rename a database that others are connected to; each ends their sessions first. A pool that reconnects at
/// once can win a few of these.
const RENAME_TRIES: u32 = 50;

/// Between the tries.
const RENAME_PAUSE: Duration = Duration::from_millis(100);

impl Receiver {
    /// The database's OID; it is there, under its name, with our ledger in it.
    pub(super) async fn prepare(&self) -> Result<u32, Fault> {
        if self.spec.database == MAINTENANCE_DATABASE {
            return self.prepare_in_place().await;
        }
        let mut admin = connect(&self.spec.endpoint, MAINTENANCE_DATABASE, "prepare").await?;
        let provisional = format!("{}_new", self.spec.objects.slot);
        if self.spec.target_oid != 0 {
            return self.find_made(&mut admin, &provisional).await;
        }
        if let Some(oid) = oid_of(&admin, &self.spec.database).await? {
            if self.is_ours(&admin, &self.spec.database).await? {
                return Ok(oid);
            }
            if oid != self.spec.overwrite_oid {
                return Err(exists(&self.spec.database, oid));
            }
            self.lease.require()?;
            self.move_away(&mut admin, oid).await?;
        }
        self.drop_moved_away(&admin).await?;
        let oid = self.make(&admin, &provisional).await?;
        point!("prepare.made");
        rename(&mut admin, oid, &self.spec.database).await?;
        point!("prepare.renamed");
        Ok(oid)
    }

    /// The database that an earlier epoch made.
    async fn find_made(&self, admin: &mut Client, provisional: &str) -> Result<u32, Fault> {
        let oid = self.spec.target_oid;
        let doing = "looking for the database that was made for this migration";
        let row = admin
            .query_opt("select datname from pg_database where oid = $1", &[&oid])
            .await
            .doing(doing)?;
        match row.as_ref().map(|row| row.get::<_, &str>(0)) {
            Some(name) if name == self.spec.database => Ok(oid),
            Some(name) if name == provisional => {
                rename(admin, oid, &self.spec.database).await?;
                Ok(oid)
            }
            Some(name) => Err(Fault::hold(
                "TargetDatabaseRenamed",
                format!("the target database (OID {oid}) is now named {name:?}"),
            )
            .remedy(format!(
                "alter database {} rename to {}; then retry",
                identifier(name),
                identifier(&self.spec.database)
            ))),
            None => Err(Fault::hold(
                "TargetDatabaseGone",
                format!("the target database (OID {oid}), made for this migration, was dropped"),
            )
            .remedy("cancel, and start a new migration")),
        }
    }

    /// One whose DROP was cut has nothing that can be read, and is nobody's.
    async fn is_ours(&self, admin: &Client, database: &str) -> Result<bool, Fault> {
        let cut = "select from pg_database where datname = $1 and datconnlimit = -2";
        let doing = format!("looking whether database {database:?} on the target is whole");
        if admin.query_opt(cut, &[&database]).await.doing(&doing)?.is_some() {
            return Ok(false);
        }
        let client = connect(&self.spec.endpoint, database, "prepare").await?;
        Ok(Ledger::owner(&client).await? == Some(self.spec.migration))
    }

    /// Renames the database that is overwritten, if it is still the one that the controller recorded.
    async fn move_away(&self, admin: &mut Client, oid: u32) -> Result<(), Fault> {
        rename(admin, oid, &moved_away(oid)).await
    }

    async fn drop_moved_away(&self, admin: &Client) -> Result<(), Fault> {
        if self.spec.overwrite_oid == 0 {
            return Ok(());
        }
        self.lease.require()?;
        drop_database(admin, &moved_away(self.spec.overwrite_oid)).await
    }

    /// Creates the provisional database with its ledger; its OID.
    async fn make(&self, admin: &Client, provisional: &str) -> Result<u32, Fault> {
        if oid_of(admin, provisional).await?.is_some() && !self.is_ours(admin, provisional).await? {
            // Cut between CREATE DATABASE and its ledger, or in this very DROP: nothing is in it.
            drop_database(admin, provisional).await?;
        }
        if oid_of(admin, provisional).await?.is_none() {
            let properties = self.database_properties().await?;
            admin
                .batch_execute(&create_statement(provisional, &properties, admin.server_major())?)
                .await
                .map_err(|error| {
                    not_made(format!("creating database {provisional:?} on the target"), &error)
                })?;
            point!("prepare.created");
            set_properties(&**admin, provisional, &properties).await?;
            let mut client = connect(&self.spec.endpoint, provisional, "prepare").await?;
            Ledger::create(&mut client, self.spec.claim()).await?;
        }
        oid_of(admin, provisional).await?.ok_or_else(|| {
            Fault::retry(
                "TargetDatabaseGone",
                format!("database {provisional:?} was dropped while it was made"),
            )
        })
    }
}

/// An older epoch that was making it at that moment is seen by the index of the names only. The next try sees whose it is.
fn not_made(doing: String, error: &tokio_postgres::Error) -> Fault {
    let fault = Fault::sql(doing, error);
    if error.code() != Some(&SqlState::UNIQUE_VIOLATION) {
        return fault;
    }
    Fault { policy: Policy::Retry, code: "ObjectNotReady".into(), ..fault }
        .remedy("it is tried again")
}

async fn oid_of(admin: &Client, name: &str) -> Result<Option<u32>, Fault> {
    let row = admin
        .query_opt("select oid from pg_database where datname = $1", &[&name])
        .await
        .doing(format!("looking for database {name:?} on the target"))?;
    Ok(row.map(|row| row.get(0)))
}

/// Our own, as who they are, and others'. Who has no role is the server's own (autovacuum): only a superuser may end it, and RENAME
/// does by itself.
async fn end_sessions(admin: &Client, oid: u32) -> Result<(), tokio_postgres::Error> {
    let end = format!(
        "select pg_terminate_backend(pid) from pg_stat_activity where datid = {oid} and usesysid is not null and"
    );
    as_login_role(admin, &format!("{end} application_name like 'whimbrel/%'")).await?;
    admin.execute(&format!("{end} application_name not like 'whimbrel/%'"), &[]).await?;
    Ok(())
}

/// Renames a database by its OID, ending the sessions in it.
async fn rename(admin: &mut Client, oid: u32, to: &str) -> Result<(), Fault> {
    let doing = format!("renaming database with OID {oid} to {to:?} on the target");
    for _ in 0..RENAME_TRIES {
        end_sessions(admin, oid).await.doing(format!("{doing}: ending its sessions"))?;
        let tx = admin.transaction().await.doing(&doing)?;
        let row = tx
            .query_opt("select datname from pg_database where oid = $1", &[&oid])
            .await
            .doing(&doing)?;
        let Some(row) = row else {
            return Err(Fault::retry("TargetDatabaseGone", format!("{doing}: it is gone")));
        };
        let from: String = row.get(0);
        let statement =
            format!("alter database {} rename to {}", identifier(&from), identifier(to));
        match tx.batch_execute(&statement).await {
            Ok(()) => {
                // ALTER DATABASE goes by name: what has the new name now must be what was meant.
                let row = tx
                    .query_opt("select oid from pg_database where datname = $1", &[&to])
                    .await
                    .doing(&doing)?;
                if row.map(|row| row.get::<_, u32>(0)) != Some(oid) {
                    return Err(Fault::retry(
                        "TargetDatabaseRenamed",
                        format!("{doing}: another one was renamed meanwhile"),
                    ));
                }
                return tx.commit().await.doing(&doing);
            }
            Err(error) if error.code() == Some(&SqlState::OBJECT_IN_USE) => {
                tx.rollback().await.doing(&doing)?;
                sleep(RENAME_PAUSE).await;
            }
            Err(error) => return Err(Fault::sql(&doing, &error)),
        }
    }
    Err(Fault::hold("TargetDatabaseInUse", format!("{doing}: others keep connecting to it"))
        .remedy("stop what connects to that database, then `whimbrel migration retry`"))
}

async fn drop_database(admin: &Client, name: &str) -> Result<(), Fault> {
    admin
        .batch_execute(&format!("drop database if exists {} with (force)", identifier(name)))
        .await
        .doing(format!("dropping database {name:?} on the target"))
}

fn moved_away(oid: u32) -> String {
    format!("whimbrel_drop_{oid}")
}

pub(super) async fn set_properties(
    admin: &impl GenericClient,
    name: &str,
    properties: &DatabaseProperties,
) -> Result<(), Fault> {
    let name = identifier(name);
    let owner = identifier(&properties.owner);
    admin
        .batch_execute(&format!("alter database {name} owner to {owner}"))
        .await
        .doing(format!("giving database {name} on the target to {owner}"))?;
    admin
        .batch_execute(&format!(
            "alter database {name} connection limit {}",
            properties.connection_limit
        ))
        .await
        .doing(format!("setting the connection limit of database {name} on the target"))
}

pub(super) fn exists(database: &str, oid: u32) -> Fault {
    Fault::new(
        Policy::Fail,
        "TargetDatabaseExists",
        format!("database {database:?} (OID {oid}) is on the target, and is not the one that was to be overwritten"),
    )
    .remedy("drop or rename it, or start a new migration with --overwrite")
}

/// Drops the ledger once the controller has recorded the switch. Done already is done.
pub async fn remove_ledger(client: &mut Client, migration: Uuid) -> Result<(), Fault> {
    let doing = "removing the ledger (schema whimbrel) from the target";
    match Ledger::owner(client).await? {
        None => return Ok(()),
        Some(owner) if owner != migration => {
            return Err(Fault::hold(
                "LedgerOfAnother",
                format!("{doing}: it is of migration {owner}"),
            ));
        }
        Some(_) => {}
    }
    let tx = client.transaction().await.doing(doing)?;
    if ledger::state(&tx).await?.phase != ledger::Phase::Live {
        return Err(Fault::hold("NotSwitched", format!("{doing}: the database is not switched")).remedy(
            "the target has lost the switch (a standby that was promoted without it?): its triggers, rules, policies and settings are \
             not there. Let the application go on at the source, cancel, and start a new migration with --overwrite",
        ));
    }
    tx.batch_execute("drop schema whimbrel cascade").await.doing(doing)?;
    tx.commit().await.doing(doing)
}
