//! The sessions of the checks: read-only, bounded.
use serde::Deserialize;

use super::{ask::ask_one, check::At, finding::Found};
use crate::{
    fault::{Doing, Fault},
    postgres::{Client, ConnectError, ConnectProblem, Endpoint, connect, identifier},
};

/// The name of the check that connecting is.
pub(super) const CONNECTING: &str = "AuthenticationAndConnectivityValidation";

/// A check changes nothing. No catalog query of ours takes seconds, even with 20,000 tables: one that takes a minute waits
/// for a lock, and is given up.
const SETTINGS: &str = "set default_transaction_read_only = on; set statement_timeout = '60s'";

/// What the role that we log in as may do.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Role {
    pub(super) name: String,
    pub(super) superuser: bool,
    pub(super) createdb: bool,
    pub(super) createrole: bool,
    pub(super) bypassrls: bool,
    /// The attribute itself.
    pub(super) own_replication: bool,
    /// By its own attribute or by a managed service's role.
    pub(super) replication: bool,
    /// A managed service's stand-in for a superuser.
    pub(super) managed_admin: bool,
}

impl Role {
    /// Quoted, for a remedy.
    pub(super) fn quoted(&self) -> String {
        identifier(&self.name)
    }
}

/// A session on the first of `databases` that lets us in, and who we are there. Another one is only tried where the
/// server itself could be reached.
pub(super) async fn open_server(
    endpoint: &Endpoint,
    databases: &[&str],
) -> Result<(Client, Role), Found> {
    let mut refused = Found::failed("DatabaseDoesNotExist", "no database is asked for");
    for database in databases {
        match connect(endpoint, database, "preflight").await {
            Ok(client) => return settle(client).await,
            Err(error) => {
                refused = not_connected(endpoint, &error, &endpoint.address(), database);
                if !error.problem.is_of_database() {
                    break;
                }
            }
        }
    }
    Err(refused)
}

async fn settle(client: Client) -> Result<(Client, Role), Found> {
    let looked = async {
        client.batch_execute(SETTINGS).await.doing("preparing the session of the checks")?;
        ask_one::<Role>(&client, "asking what our role may do", include_str!("sql/role.sql"), &[])
            .await
    };
    match looked.await {
        Ok(role) => Ok((client, role)),
        Err(fault) => {
            let address = client.endpoint().address();
            Err(Found::impossible(fault, At::Prerequisites).object(address))
        }
    }
}

/// A session in a database.
pub(super) async fn open_database(endpoint: &Endpoint, database: &str) -> Result<Client, Found> {
    let client = connect(endpoint, database, "preflight")
        .await
        .map_err(|error| not_connected(endpoint, &error, database, database))?;
    let set = client.batch_execute(SETTINGS).await.doing("preparing the session of the checks");
    set.map_err(|fault: Fault| Found::impossible(fault, At::Prerequisites).object(database))?;
    Ok(client)
}

fn not_connected(endpoint: &Endpoint, error: &ConnectError, object: &str, database: &str) -> Found {
    let found = Found::not_connected(error, object);
    match error.problem {
        ConnectProblem::ConnectionNotPermitted => found.remedy(format!(
            "grant connect on database {} to {};",
            identifier(database),
            identifier(&endpoint.user)
        )),
        _ => found,
    }
}
