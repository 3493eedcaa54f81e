//! Reads the server's roles. The passwords' verifiers go nowhere but into the pipe.
use std::collections::HashMap;

use tokio_postgres::error::SqlState;

use super::{catalog::parse, sender::Sender};
use crate::{
    fault::{Doing, Fault},
    postgres::{Client, SYSTEM_ROLES},
    wire::{Role, Roles, Verifier},
};

const DOING: &str = "reading the source's roles";

impl Sender {
    pub(super) async fn read_roles(&self) -> Result<Roles, Fault> {
        let client = self.control().await?;
        let mut roles: Vec<Role> = documents(&client, include_str!("sql/roles.sql")).await?;
        let mut verifiers = verifiers(&client).await?;
        for role in &mut roles {
            role.verifier = verifiers.remove(&role.name);
        }
        let memberships = documents(&client, include_str!("sql/memberships.sql")).await?;
        let parameters = if client.server_major() >= 15 {
            documents(&client, include_str!("sql/parameter_grants.sql")).await?
        } else {
            Vec::new()
        };
        Ok(Roles { roles, memberships, parameters })
    }
}

async fn documents<T: serde::de::DeserializeOwned>(
    client: &Client,
    sql: &str,
) -> Result<Vec<T>, Fault> {
    let rows = client.query(sql, &[&SYSTEM_ROLES]).await.doing(DOING)?;
    rows.iter().map(|row| parse(row.get(0))).collect()
}

/// None at all where `pg_authid` is closed to our role: the preflight has said so.
async fn verifiers(client: &Client) -> Result<HashMap<String, Verifier>, Fault> {
    let sql = "select rolname, rolpassword from pg_authid where rolpassword is not null";
    match client.query(sql, &[]).await {
        Ok(rows) => Ok(rows.iter().map(|row| (row.get(0), Verifier::new(row.get(1)))).collect()),
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Ok(HashMap::new()),
        Err(error) => Err(Fault::sql(DOING, &error)),
    }
}
