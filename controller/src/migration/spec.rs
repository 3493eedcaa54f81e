//! What the operator asked for, complete: every default has been filled in.
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Whether the source is written to while it is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A copy; the application stands still.
    Offline,
    /// A copy, then the stream of changes, until a cutover.
    Online,
}

/// How far to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Check only.
    Validate,
    /// Move without the checks of the preflight. What no migration can do without is checked all the same.
    Migrate,
    /// Check, and move unless a check failed.
    ValidateAndMigrate,
}

/// libpq's `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SslMode {
    /// No TLS.
    Disable,
    /// TLS if the server has it.
    Prefer,
    /// TLS, unverified.
    Require,
    /// TLS, chain verified.
    VerifyCa,
    /// TLS, chain and name verified.
    VerifyFull,
}

/// A password by reference, or sealed to agents. Never the password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    /// An environment variable of the agent's process.
    Env(String),
    /// A path on the agent's machine.
    File(String),
    /// The agent's password file.
    Pgpass,
    /// One ciphertext an agent.
    Sealed(Vec<SealedCopy>),
}

/// A password sealed to one agent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedCopy {
    /// The agent's id.
    pub agent: String,
    /// The public key that it was sealed to.
    #[serde(with = "base64_bytes")]
    pub sealing_key: Vec<u8>,
    /// Readable by that agent only.
    #[serde(with = "base64_bytes")]
    pub ciphertext: Vec<u8>,
}

impl fmt::Debug for SealedCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedCopy").field("agent", &self.agent).finish_non_exhaustive()
    }
}

/// A PostgreSQL server as an agent reaches it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Role.
    pub user: String,
    /// How the agent finds the password.
    pub password: Secret,
    /// What is asked of TLS.
    pub ssl_mode: SslMode,
}

/// Patterns of names, as pg_dump's: which objects of the databases are moved (`whimbrel.v1.Selection`). None: all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Selection {
    /// Schemas that are moved.
    pub include_schemas: Vec<String>,
    /// Schemas that stay.
    pub exclude_schemas: Vec<String>,
    /// Tables, views and sequences that are moved.
    pub include_tables: Vec<String>,
    /// Tables, views and sequences that stay.
    pub exclude_tables: Vec<String>,
}

/// The order of one migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// Offline or online.
    pub mode: Mode,
    /// How far to go.
    pub goal: Goal,
    /// "OnPremises" and the like; only told back.
    pub source_type: String,
    /// Where from.
    pub source: Endpoint,
    /// Where to: the target's own endpoint with this migration's overrides in it.
    pub target: Endpoint,
    /// Names on both sides.
    pub databases: Vec<String>,
    /// Which objects of them.
    #[serde(default)]
    pub selection: Selection,
    /// A database of that name on the target may be replaced.
    pub overwrite: bool,
    /// Move roles too.
    pub migrate_roles: bool,
    /// The agent (id) that acts on the source.
    pub source_agent: String,
    /// The agent (id) that acts on the target.
    pub target_agent: String,
    /// Set on the source what needs no restart.
    pub setup_logical_replication: bool,
    /// Event triggers on the source tell changes of its schema.
    #[serde(default = "follow_by_default")]
    pub follow_schema_changes: bool,
    /// What it may take of its servers.
    #[serde(default)]
    pub limits: Limits,
    /// The copy begins not before.
    pub window_start: Option<Timestamp>,
    /// The copy begins before, or not at all; what was begun goes on.
    pub window_end: Option<Timestamp>,
}

/// What a migration may take of its servers; 0: no limit, or the agent's own choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Copies and index builds at once, in each database.
    pub copy_jobs: u32,
    /// Of each database's base copy.
    pub copy_bytes_per_second: u64,
    /// Seconds that one snapshot of the source is held.
    pub snapshot_seconds: u32,
    /// WAL that the source may keep for a slot.
    pub retained_wal_bytes: u64,
}

/// Orders that are older than the question.
fn follow_by_default() -> bool {
    true
}

/// Bytes in a JSON document.
pub(crate) mod base64_bytes {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    use super::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD.decode(text).map_err(serde::de::Error::custom)
    }
}
