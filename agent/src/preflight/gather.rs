//! Asks for the facts.
use std::collections::BTreeMap;

use serde::{Deserialize, de::DeserializeOwned};

use super::{
    ask::{ask, ask_one},
    facts::{CollationFacts, DatabaseFacts, Identity, Parameter, RoleAttributes, SourceFacts},
};
use crate::{
    fault::Fault,
    postgres::{Client, Endpoint, SYSTEM_ROLES, connect_as_anybody},
    selection::Selected,
};

/// Users of a collation that are told: enough to find them, and a table of thousands of columns does not fill a report.
const COLLATION_USERS_MAX: i64 = 20;

/// What a server's own settings are: not those that our sessions have.
#[derive(Debug, Default)]
pub(super) struct OwnSettings {
    /// That matter to applications.
    pub(super) settings: BTreeMap<String, String>,
    /// That somebody set.
    pub(super) parameters: Vec<Parameter>,
}

#[derive(Deserialize)]
struct Setting {
    name: String,
    value: String,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Described {
    what: String,
}

#[derive(Deserialize)]
struct Locks {
    switch: u64,
}

/// Opens a session of its own for it.
pub(super) async fn own_settings(
    endpoint: &Endpoint,
    database: &str,
) -> Result<OwnSettings, Fault> {
    let client = connect_as_anybody(endpoint, database, "preflight").await.map_err(Fault::from)?;
    let doing = "reading the server's parameters";
    let settings: Vec<Setting> = ask(&client, doing, include_str!("sql/settings.sql"), &[]).await?;
    let parameters = ask(&client, doing, include_str!("sql/parameters.sql"), &[]).await?;
    let settings = settings.into_iter().map(|setting| (setting.name, setting.value)).collect();
    Ok(OwnSettings { settings, parameters })
}

/// The server's own facts around those of its databases.
pub(super) async fn of_server(
    client: &Client,
    databases: Vec<DatabaseFacts>,
    migrate_roles: bool,
) -> Result<SourceFacts, Fault> {
    // What identifies the server must reach the target even if this does not.
    let own = own_settings(client.endpoint(), client.database()).await;
    let settings_unknown = own.as_ref().err().map(|fault| fault.message.clone());
    let own = own.unwrap_or_default();
    let all = role_names(client).await?;
    let roles = databases.iter().flat_map(|database| &database.roles);
    let mut names: Vec<String> = roles.map(|role| role.name.clone()).collect();
    if migrate_roles {
        names.extend(all.iter().cloned());
    }
    names.sort();
    names.dedup();
    Ok(SourceFacts {
        server_version_num: client.server_version_num(),
        server_version: client.server_version().to_owned(),
        // Some services don't let it be asked; then the check that needs it says so.
        identity: identity(client).await.ok(),
        settings: own.settings,
        settings_unknown,
        parameters: own.parameters,
        role_attributes: role_attributes(client, &names).await?,
        role_names: all,
        databases,
    })
}

/// Who the server is.
pub(super) async fn identity(client: &Client) -> Result<Identity, Fault> {
    ask_one(client, "asking the server's identity", include_str!("sql/identity.sql"), &[]).await
}

/// All roles but PostgreSQL's own, and a service's.
pub(super) async fn role_names(client: &Client) -> Result<Vec<String>, Fault> {
    let sql = "select rolname as name from pg_roles where rolname !~ $1 order by 1 limit 2000";
    let names: Vec<Named> = ask(client, "listing the roles", sql, &[&SYSTEM_ROLES]).await?;
    Ok(names.into_iter().map(|role| role.name).collect())
}

/// Those of `names` that are there.
pub(super) async fn role_attributes(
    client: &Client,
    names: &[String],
) -> Result<Vec<RoleAttributes>, Fault> {
    let doing = "reading the attributes of roles";
    let sql = include_str!("sql/role_attributes.sql");
    let mut roles: Vec<RoleAttributes> = ask(client, doing, sql, &[&names]).await?;
    // Only a superuser may ask; another one's migration carries no passwords.
    let sql =
        "select 'pg_authid' as name where has_table_privilege('pg_catalog.pg_authid', 'select')";
    let may_ask: Vec<Named> = ask(client, doing, sql, &[]).await?;
    let sql = "select rolname as name from pg_authid where rolpassword ~ '^md5' and rolname = any ($1::text[])";
    let md5: Vec<Named> = match may_ask[..] {
        [] => Vec::new(),
        _ => ask(client, doing, sql, &[&names]).await?,
    };
    for role in &mut roles {
        role.md5 = md5.iter().any(|found| found.name == role.name);
    }
    Ok(roles)
}

/// Collations that the database made or uses.
pub(super) async fn collations(
    client: &Client,
    selected: &Selected,
) -> Result<Vec<CollationFacts>, Fault> {
    let doing = format!("reading the collations of database {}", client.database());
    let sql = selected.sql(include_str!("sql/collations.sql"));
    ask(client, &doing, &sql, &[&COLLATION_USERS_MAX]).await
}

/// The database that the session is in.
pub(super) async fn of_database(
    client: &Client,
    selected: &Selected,
) -> Result<DatabaseFacts, Fault> {
    let database = Looking { client, selected };
    let Locks { switch } = database.row("the size", include_str!("sql/locks.sql")).await?;
    let facts: DatabaseFacts =
        database.row("the properties", include_str!("sql/database.sql")).await?;
    Ok(DatabaseFacts {
        roles: database.rows("the roles", include_str!("sql/roles.sql")).await?,
        extensions: database.rows("the extensions", include_str!("sql/extensions.sql")).await?,
        collations: collations(client, selected).await?,
        tablespaces: database.rows("tablespaces", include_str!("sql/tablespaces.sql")).await?,
        privileged: privileged(&database).await?,
        owners_apart: database.rows("owners", include_str!("sql/owners_apart.sql")).await?,
        libraries: database.rows("the libraries", include_str!("sql/libraries.sql")).await?,
        locks: switch,
        breaks: database
            .rows("what later versions don't take", include_str!("sql/version_breaks.sql"))
            .await?,
        system_columns: database
            .rows("views of the system's", include_str!("sql/system_columns.sql"))
            .await?,
        settings: database.rows("the settings", include_str!("sql/set_by_objects.sql")).await?,
        compressed: database
            .rows("compressed columns", include_str!("sql/compressed_columns.sql"))
            .await?,
        xml: xml(&database).await?,
        labels: database.rows("security labels", include_str!("sql/security_labels.sql")).await?,
        dictionaries: database
            .rows("text search dictionaries", include_str!("sql/search_files.sql"))
            .await?,
        ..facts
    })
}

async fn xml(database: &Looking<'_>) -> Result<Vec<String>, Fault> {
    #[derive(Deserialize)]
    struct Column {
        name: String,
    }
    let sql = include_str!("sql/xml_columns.sql");
    let columns: Vec<Column> = database.rows("columns of XML", sql).await?;
    Ok(columns.into_iter().map(|column| column.name).collect())
}

/// A session in a database, with what is said of it when a question fails.
struct Looking<'a> {
    client: &'a Client,
    selected: &'a Selected,
}

impl Looking<'_> {
    fn doing(&self, what: &str) -> String {
        format!("reading {what} of database {}", self.client.database())
    }

    async fn rows<T: DeserializeOwned>(&self, what: &str, sql: &str) -> Result<Vec<T>, Fault> {
        ask(self.client, &self.doing(what), &self.selected.sql(sql), &[]).await
    }

    async fn row<T: DeserializeOwned>(&self, what: &str, sql: &str) -> Result<T, Fault> {
        ask_one(self.client, &self.doing(what), &self.selected.sql(sql), &[]).await
    }
}

/// What only a superuser can make again.
async fn privileged(database: &Looking<'_>) -> Result<Vec<String>, Fault> {
    let client = database.client;
    let doing = format!("reading what needs a superuser in database {}", client.database());
    let mut found: Vec<Described> =
        database.rows("what needs a superuser", include_str!("sql/superuser_objects.sql")).await?;
    if client.server_major() >= 15 {
        let sql = include_str!("sql/schema_publications.sql");
        found.extend(ask::<Described>(client, &doing, sql, &[]).await?);
    }
    let sql = include_str!("sql/system_grants.sql");
    let sql = format!(
        "select format('%s of %s on %s', case when taken then 'revoked right' else 'right' end, grantee, object) as what from ({sql}) g"
    );
    found.extend(ask::<Described>(client, &doing, &sql, &[]).await?);
    Ok(found.into_iter().map(|described| described.what).collect())
}
