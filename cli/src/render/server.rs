//! Targets, tests of servers, and a source's databases.
use serde::Serialize;
use whimbrel_proto::v1;

use super::{bytes, clock, filled, short, time};
use crate::{
    screen::{Paint, Screen, table_text},
    words,
};

/// What port 0 stands for in an `Endpoint`.
const PORT_OF_ZERO: u32 = 5432;

/// `target show -o json`. Never a password: only how it is named.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Target {
    pub(crate) name: String,
    host: Option<String>,
    port: u32,
    user: Option<String>,
    password_kind: Option<&'static str>,
    ssl_mode: Option<&'static str>,
    agent: Option<String>,
    created_at: Option<String>,
    updated_at: Option<String>,
}

/// `source test -o json`, `target test -o json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServerTest {
    pub(crate) ok: bool,
    pub(crate) code: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) remedy: Option<String>,
    server_version: Option<String>,
    server_version_num: Option<u32>,
    tls: bool,
    latency_seconds: f64,
    wal_level: Option<String>,
}

/// One of `source databases -o json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SourceDatabase {
    name: String,
    size_bytes: u64,
    encoding: Option<String>,
    collate: Option<String>,
    owner: Option<String>,
}

/// The port that is meant.
pub(crate) fn port(endpoint: &v1::Endpoint) -> u32 {
    if endpoint.port == 0 { PORT_OF_ZERO } else { endpoint.port }
}

impl From<v1::Target> for Target {
    fn from(target: v1::Target) -> Self {
        let endpoint = target.endpoint.unwrap_or_default();
        let password = endpoint.password.as_ref().and_then(|secret| secret.kind.as_ref());
        Self {
            name: short(&target.name).to_owned(),
            host: filled(&endpoint.host),
            port: port(&endpoint),
            user: filled(&endpoint.user),
            password_kind: password.map(words::secret_kind),
            ssl_mode: words::ssl_mode(endpoint.ssl_mode()),
            agent: filled(short(&target.agent)),
            created_at: time(target.create_time.as_ref()),
            updated_at: time(target.update_time.as_ref()),
        }
    }
}

impl From<v1::ServerTest> for ServerTest {
    fn from(test: v1::ServerTest) -> Self {
        Self {
            ok: test.ok,
            code: filled(&test.code),
            message: filled(&test.message),
            remedy: filled(&test.remedy),
            server_version: filled(&test.server_version),
            server_version_num: (test.server_version_num != 0).then_some(test.server_version_num),
            tls: test.tls,
            latency_seconds: test.latency_seconds,
            wal_level: filled(&test.wal_level),
        }
    }
}

impl From<v1::SourceDatabase> for SourceDatabase {
    fn from(database: v1::SourceDatabase) -> Self {
        Self {
            name: database.name,
            size_bytes: database.size_bytes,
            encoding: filled(&database.encoding),
            collate: filled(&database.collate),
            owner: filled(&database.owner),
        }
    }
}

impl Target {
    /// For people.
    pub(crate) fn page(&self) -> String {
        let or_dash = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
        [
            ("Name", self.name.clone()),
            ("Server", self.server()),
            ("User", or_dash(&self.user)),
            ("Password", self.password_kind.unwrap_or("-").to_owned()),
            ("SSL mode", self.ssl_mode.unwrap_or("-").to_owned()),
            ("Agent", or_dash(&self.agent)),
            ("Created", clock(self.created_at.as_ref())),
        ]
        .map(|(label, value)| format!("{label:<9} {value}\n"))
        .concat()
    }

    fn server(&self) -> String {
        format!("{}:{}", self.host.as_deref().unwrap_or("-"), self.port)
    }
}

impl ServerTest {
    /// For people.
    pub(crate) fn page(&self, screen: &Screen) -> String {
        if !self.ok {
            return format!("{}\n", screen.paint("not usable", Paint::Bad));
        }
        format!(
            "{}: PostgreSQL {}, {}, wal_level {}, round trip {:.1} ms\n",
            screen.paint("ok", Paint::Good),
            self.server_version.as_deref().unwrap_or("?"),
            if self.tls { "TLS" } else { "no TLS" },
            self.wal_level.as_deref().unwrap_or("?"),
            self.latency_seconds * 1000.0,
        )
    }
}

/// A line a target.
pub(crate) fn targets(targets: &[Target], screen: &Screen) -> String {
    let mut table = screen.table(&["Name", "Server", "User", "Password", "SSL mode", "Agent"]);
    for target in targets {
        table.add_row(vec![
            target.name.clone(),
            target.server(),
            target.user.clone().unwrap_or_else(|| "-".into()),
            target.password_kind.unwrap_or("-").to_owned(),
            target.ssl_mode.unwrap_or("-").to_owned(),
            target.agent.clone().unwrap_or_else(|| "-".into()),
        ]);
    }
    table_text(&table)
}

/// A line a database.
pub(crate) fn databases(databases: &[SourceDatabase], screen: &Screen) -> String {
    let mut table = screen.table(&["Name", "Size", "Encoding", "Collation", "Owner"]);
    for database in databases {
        let or_dash = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
        table.add_row(vec![
            database.name.clone(),
            bytes(database.size_bytes),
            or_dash(&database.encoding),
            or_dash(&database.collate),
            or_dash(&database.owner),
        ]);
    }
    table_text(&table)
}
