//! Takes what is ours off the source, however the migration ended.
use std::time::Duration;

use tokio::time::sleep;
use whimbrel_points::point;
use whimbrel_proto::agent::v1::SourceObjects;

use super::{ddl, epoch::our_sessions, publication::drop_publications, sender::Sender};
use crate::{
    fault::{Doing, Fault},
    postgres::{
        Client, ConnectProblem, Endpoint, MAINTENANCE_DATABASE, as_login_role, connect, literal,
    },
};

/// Tries to drop a slot that a walsender still holds; each ends that walsender first. It goes within milliseconds, unless
/// it is stuck in a write to a dead peer.
const DROP_TRIES: u32 = 500;

/// Between the tries.
const DROP_PAUSE: Duration = Duration::from_millis(10);

/// Slot first: without it nothing needs the publications, and a slot left behind fills the source's disk.
///
/// # Errors
/// What kept it from being done. Doing it again is right, also when it is done already.
pub async fn remove_objects(
    endpoint: &Endpoint,
    database: &str,
    objects: &SourceObjects,
) -> Result<(), Fault> {
    let client = match connect(endpoint, database, "clean").await {
        Err(error) if error.problem == ConnectProblem::DatabaseDoesNotExist => {
            match renamed(endpoint, &objects.slot).await? {
                Some(client) => client,
                // With the database its slots and publications are gone.
                None => return Ok(()),
            }
        }
        client => client?,
    };
    end_sessions(&client, &objects.slot).await?;
    drop_slot(&client, &objects.slot).await?;
    point!("clean.slot_dropped");
    ddl::remove(&client, objects).await?;
    drop_publications(&client, [&objects.publication, &objects.keyless_publication]).await
}

/// The database that the slot is of, which has another name by now: people rename one so that nobody writes to it any more.
async fn renamed(endpoint: &Endpoint, slot: &str) -> Result<Option<Client>, Fault> {
    let doing = format!("looking for the database that replication slot {slot} is of");
    let client = connect(endpoint, MAINTENANCE_DATABASE, "clean").await?;
    let row = client
        .query_opt(
            "select database::text from pg_replication_slots where slot_name = $1 and database is not null",
            &[&slot],
        )
        .await
        .doing(&doing)?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(connect(endpoint, row.get(0), "clean").await?))
}

/// Ends what a task that was stopped has left running on the server: a walsender that is making the slot goes on though
/// its client is gone, and would leave the slot behind.
async fn end_sessions(client: &Client, slot: &str) -> Result<(), Fault> {
    let doing = "ending our own sessions on the source";
    let end = format!("select pg_terminate_backend(pid) from ({}) ours", our_sessions(slot));
    for _ in 0..DROP_TRIES {
        if as_login_role(client, &end).await.doing(doing)? == 0 {
            return Ok(());
        }
        sleep(DROP_PAUSE).await;
    }
    Err(Fault::retry("SessionsLeft", format!("{doing}: some do not end"))
        .remedy("it is tried again"))
}

impl Sender {
    /// A slot of our name that has never served: made by a try that was cut before the ledger knew of it.
    pub(super) async fn drop_slot_if_exists(&self) -> Result<(), Fault> {
        let client = self.control().await?;
        self.refuse_if_older(&client).await?;
        drop_slot(&client, &self.spec.objects.slot).await
    }
}

async fn drop_slot(client: &Client, slot: &str) -> Result<(), Fault> {
    let doing = format!("dropping replication slot {slot}");
    let drop = format!("select pg_drop_replication_slot({})", literal(slot));
    for _ in 0..DROP_TRIES {
        let row = client
            .query_opt("select active_pid from pg_replication_slots where slot_name = $1", &[&slot])
            .await
            .doing(&doing)?;
        let Some(row) = row else { return Ok(()) };
        if let Some(pid) = row.get::<_, Option<i32>>(0) {
            as_login_role(client, &format!("select pg_terminate_backend({pid})"))
                .await
                .doing(format!("ending the walsender of slot {slot}"))?;
            sleep(DROP_PAUSE).await;
            continue;
        }
        match as_login_role(client, &drop).await {
            Ok(_) => return Ok(()),
            // Taken again, or gone, between the two statements.
            Err(error)
                if error.code().is_some_and(|code| ["55006", "42704"].contains(&code.code())) =>
            {
                sleep(DROP_PAUSE).await;
            }
            Err(error) => return Err(Fault::sql(&doing, &error)),
        }
    }
    Err(Fault::retry("SlotInUse", format!("{doing}: a walsender keeps it"))
        .remedy("it is tried again; end the walsender by pg_terminate_backend if it stays"))
}
