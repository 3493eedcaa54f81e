//! Sets on the source what an online migration needs and no restart does, where the operator asked for it
//! (`setupLogicalReplicationOnSourceDbIfNeeded`). What needs a restart, or would take a protection of the server's away
//! (`max_slot_wal_keep_size`), stays as it is: the checks tell of it, with the remedy.
use serde::Deserialize;

use crate::{
    fault::{Doing, Fault},
    postgres::{Client, Endpoint, connect, identifier},
};

/// What is there, and what could be done.
#[derive(Debug, Deserialize)]
struct Now {
    role: String,
    replicates: bool,
    /// A service's role in the place of the attribute.
    service_role: Option<String>,
    /// `wal_sender_timeout` is so short that it breaks quiet streams off, and a role may have one of its own.
    timeout_short: bool,
}

/// What came of it, each for an event.
#[derive(Debug, Default)]
pub struct SetUp {
    /// What was changed.
    pub changed: Vec<String>,
    /// What the server refused.
    pub refused: Vec<Fault>,
}

/// Does what is needed and can be done by our role; doing it again changes nothing.
///
/// # Errors
/// When the server could not even be asked. What it refuses is told in the result.
pub async fn set_up(endpoint: &Endpoint, database: &str) -> Result<SetUp, Fault> {
    let client = connect(endpoint, database, "set-up").await?;
    let doing = "asking what logical replication lacks on the source";
    let row = client.query_one(include_str!("sql/set_up.sql"), &[]).await.doing(doing)?;
    let text: &str = row.try_get(0).doing(doing)?;
    let now: Now = serde_json::from_str(text)
        .map_err(|error| Fault::hold("UnexpectedAnswer", format!("{doing}: {error}")))?;
    let role = identifier(&now.role);
    let mut done = SetUp::default();
    if !now.replicates {
        let (sql, back) = match &now.service_role {
            Some(service) => {
                let service = identifier(service);
                (format!("grant {service} to {role}"), format!("revoke {service} from {role}"))
            }
            None => (
                format!("alter role {role} with replication"),
                format!("alter role {role} with noreplication"),
            ),
        };
        done.take(change(&client, sql, back).await);
    }
    if now.timeout_short {
        let sql = format!("alter role {role} set wal_sender_timeout = '60s'");
        let back = format!("alter role {role} reset wal_sender_timeout");
        done.take(change(&client, sql, back).await);
    }
    Ok(done)
}

impl SetUp {
    fn take(&mut self, result: Result<String, Fault>) {
        match result {
            Ok(changed) => self.changed.push(changed),
            Err(fault) => self.refused.push(fault),
        }
    }
}

/// Tells what was done, and what would undo it: it stays when the migration is over.
async fn change(client: &Client, sql: String, back: String) -> Result<String, Fault> {
    client.batch_execute(&sql).await.doing(format!("setting the source up ({sql})"))?;
    Ok(format!("{sql}; it stays so after the migration, until: {back}"))
}
