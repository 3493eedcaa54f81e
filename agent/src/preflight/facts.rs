//! What the target's checks must know of the source. The controller carries it unread, as JSON.
//!
//! Both agents may be of different versions: a field is never given another meaning, and what is not there has a default.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ask::{ask, ask_one};
use crate::{fault::Fault, postgres::Client};

/// A source server.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct SourceFacts {
    pub(super) server_version_num: u32,
    /// "15.18".
    pub(super) server_version: String,
    pub(super) identity: Option<Identity>,
    pub(super) databases: Vec<DatabaseFacts>,
    /// Server parameters that matter on the other side too.
    pub(super) settings: BTreeMap<String, String>,
}

/// Tells one running server from another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    /// `pg_control_system().system_identifier`. A physical copy has it too.
    pub(super) system_identifier: String,
    /// `pg_postmaster_start_time()`, in microseconds. A copy runs since another moment.
    pub(super) started: String,
}

/// A database of the source.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct DatabaseFacts {
    pub(super) name: String,
    /// On the source's disk.
    pub(super) bytes: u64,
    /// Tables with rows of their own.
    pub(super) tables: u64,
    pub(super) encoding: String,
    pub(super) collate: String,
    pub(super) ctype: String,
    /// `datlocprovider`: c, i or b.
    pub(super) provider: String,
    pub(super) icu_locale: Option<String>,
    pub(super) owner: String,
    pub(super) roles: Vec<RoleFacts>,
    pub(super) extensions: Vec<ExtensionFacts>,
}

/// A role that something in a database speaks of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RoleFacts {
    pub(super) name: String,
    /// It owns something; otherwise something is granted to it.
    pub(super) owns: bool,
    pub(super) login: bool,
}

/// An extension in a database.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ExtensionFacts {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) schema: String,
}

#[derive(Deserialize)]
struct Setting {
    name: String,
    value: String,
}

impl SourceFacts {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("invariant: strings and numbers always have a JSON form")
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        serde_json::from_slice(bytes).map_err(|error| {
            let message =
                format!("what the source's agent told of the source can't be read: {error}");
            Fault::hold("SourceFactsMissing", message)
                .remedy("look at the source's findings first; run agents of one version")
        })
    }
}

/// The server's own facts around those of its databases.
pub(super) async fn of_server(
    client: &Client,
    databases: Vec<DatabaseFacts>,
) -> Result<SourceFacts, Fault> {
    let settings: Vec<Setting> =
        ask(client, "reading the server's parameters", include_str!("sql/settings.sql"), &[])
            .await?;
    Ok(SourceFacts {
        server_version_num: client.server_version_num(),
        server_version: client.server_version().to_owned(),
        // Some services don't let it be asked; then the check that needs it says so.
        identity: identity(client).await.ok(),
        databases,
        settings: settings.into_iter().map(|setting| (setting.name, setting.value)).collect(),
    })
}

/// Who the server is.
pub(super) async fn identity(client: &Client) -> Result<Identity, Fault> {
    ask_one(client, "asking the server's identity", include_str!("sql/identity.sql"), &[]).await
}

/// The database that the session is in.
pub(super) async fn of_database(client: &Client) -> Result<DatabaseFacts, Fault> {
    let doing = |what| format!("reading {what} of database {}", client.database());
    let facts =
        ask_one(client, &doing("the properties"), include_str!("sql/database.sql"), &[]).await?;
    let roles = ask(client, &doing("the roles"), include_str!("sql/roles.sql"), &[]).await?;
    let extensions =
        ask(client, &doing("the extensions"), include_str!("sql/extensions.sql"), &[]).await?;
    Ok(DatabaseFacts { roles, extensions, ..facts })
}
