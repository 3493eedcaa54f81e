//! What is remembered.
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::migration::{Command, Endpoint, Migration, Note};

/// A migration with its version, which is its etag.
#[derive(Clone, Debug)]
pub struct Record {
    /// From 1.
    pub version: u64,
    /// The document.
    pub migration: Migration,
}

/// The next version of a migration, and all that goes with it.
#[derive(Clone, Debug)]
pub struct Change {
    /// What is there now; 0 for a new one.
    pub expected_version: u64,
    /// The owner's.
    pub term: u64,
    /// When.
    pub at: Timestamp,
    /// The document.
    pub migration: Migration,
    /// For the event log.
    pub notes: Vec<Note>,
    /// Into the outbox.
    pub commands: Vec<NewCommand>,
    /// Out of the outbox, by command id.
    pub dropped: Vec<String>,
}

/// A command with its id.
#[derive(Clone, Debug)]
pub struct NewCommand {
    /// A UUID: agents know it again by it.
    pub id: String,
    /// What.
    pub command: Command,
}

/// A command that waits to be acknowledged.
#[derive(Clone, Debug)]
pub struct OutboxEntry {
    /// Order.
    pub position: u64,
    /// A UUID.
    pub id: String,
    /// Whose.
    pub migration_uid: String,
    /// What.
    pub command: Command,
}

/// An event, as it was logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord {
    /// From 1, without gaps, a migration.
    pub sequence: u64,
    /// When.
    pub at: Timestamp,
    /// Empty: the whole migration.
    pub database: String,
    /// Stable.
    pub kind: String,
    /// Stable code of an error.
    pub code: String,
    /// In words.
    pub message: String,
    /// "operator", "controller", "agents/{agent}".
    pub actor: String,
}

/// Which migrations to list.
#[derive(Clone, Debug, Default)]
pub struct MigrationQuery {
    /// Of one target only.
    pub target_id: Option<String>,
    /// Those only that are not over.
    pub active: bool,
    /// Older than this one: its creation in microseconds, and its uid.
    pub before: Option<(i64, String)>,
    /// At most so many.
    pub limit: usize,
}

/// A server that databases are moved to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its id.
    pub id: String,
    /// A UUID.
    pub uid: String,
    /// From 1; its etag.
    #[serde(skip)]
    pub version: u64,
    /// How it is reached.
    pub endpoint: Endpoint,
    /// The agent (id) that reaches it.
    pub agent: String,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// An agent that has enrolled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Its id.
    pub id: String,
    /// A UUID; its certificate carries it.
    pub uid: String,
    /// From 1; its etag.
    #[serde(skip)]
    pub version: u64,
    /// Given at enrolment.
    pub labels: BTreeMap<String, String>,
    /// Of its program.
    pub program_version: String,
    /// The present life of its process; empty before the first session.
    pub incarnation: String,
    /// Earlier lives, newest last, bounded: one that comes back is told that it is superseded.
    pub past_incarnations: Vec<String>,
    /// SHA-256 of the public key that its certificate was made for; empty: it joined before this was kept.
    #[serde(default)]
    pub key_hash: Vec<u8>,
    /// X25519, 32 bytes.
    pub sealing_key: Vec<u8>,
    /// "pg_dump 15.18 /usr/lib/postgresql/15/bin".
    pub postgres_programs: Vec<String>,
    /// Takes nothing new.
    pub draining: bool,
    /// Never accepted again.
    pub revoked: bool,
    /// When it enrolled.
    pub created_at: Timestamp,
    /// When its last session began or ended.
    pub last_seen_at: Option<Timestamp>,
}

/// A join token, of which only the hash is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinToken {
    /// SHA-256 of the secret.
    pub hash: Vec<u8>,
    /// Given to the agent.
    pub labels: BTreeMap<String, String>,
    /// Not good after.
    pub expires_at: Timestamp,
}

/// That a request was taken in: the same id again has no second effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memo {
    /// The request's id.
    pub id: String,
    /// The call.
    pub method: String,
    /// SHA-256 of the request.
    pub request_hash: Vec<u8>,
    /// What the answer is made from: the name of the resource that was acted on.
    pub subject: String,
    /// When.
    pub at: Timestamp,
}
