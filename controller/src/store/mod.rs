//! The controller's memory: a narrow trait, and what can go wrong with it.
//!
//! Whatever belongs together is one call, and one transaction: a migration's new state with its events and its commands;
//! a join token spent with the agent that it makes; an act with the request id that makes it happen once. A call that
//! fails has changed nothing.
#[cfg(test)]
mod conformance;
mod record;
mod sqlite;

use async_trait::async_trait;
use jiff::Timestamp;

pub use record::{
    Agent, Change, EventRecord, JoinToken, Memo, MigrationQuery, NewCommand, OutboxEntry, Record,
    Target,
};
pub use sqlite::SqliteStore;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The record was changed by someone else, or an older term wrote.
    #[error("{what} was changed in between: read it again, then repeat what you were doing")]
    Conflict {
        /// What.
        what: String,
    },
    /// The name is in use.
    #[error("{what} exists already: choose another name")]
    NameTaken {
        /// What.
        what: String,
    },
    /// There is no such thing.
    #[error("there is no {what}")]
    NotFound {
        /// What.
        what: String,
    },
    /// This request id was seen before.
    #[error("request {id} was taken in before")]
    RequestRepeated {
        /// The id.
        id: String,
    },
    /// A join token that is not good.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// No room.
    #[error(
        "the controller's store can't be written ({cause}): free some room on the disk of its data directory; \
         nothing was changed, and nothing needs a restart"
    )]
    Full {
        /// SQLite's words.
        cause: String,
    },
    /// Anything else.
    #[error("the controller's store failed while {doing}: {cause}")]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// The store's words.
        cause: String,
    },
}

/// Why a join token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Never made here, or forgotten.
    #[error("the join token is not known here: make one with `whimbrel agent token create`")]
    Unknown,
    /// An agent has joined with it.
    #[error(
        "the join token was used already: each is good once; make another with `whimbrel agent token create`"
    )]
    Used,
    /// Too late.
    #[error("the join token has expired: make another with `whimbrel agent token create`")]
    Expired,
}

/// The result of every call.
pub type Result<T> = std::result::Result<T, StoreError>;

/// What the controller remembers.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Takes the ownership: every commit under an earlier term is refused from now on.
    async fn begin_term(&self) -> Result<u64>;
    /// Leaves so many terms, and numbers of commands, out: a store that was restored has forgotten the last ones.
    async fn skip_terms(&self, terms: u64) -> Result<()>;
    /// The highest number of a command that was ever given; 0: none was.
    async fn last_command(&self) -> Result<u64>;

    /// Records a new migration (version 1). `NameTaken` if the target has one of that name.
    async fn create_migration(&self, change: Change, memo: Option<Memo>) -> Result<()>;
    /// The next version of a migration, with its events and commands. `Conflict` unless the version and the term are the
    /// expected ones.
    async fn commit(&self, change: Change, memo: Option<Memo>) -> Result<()>;
    /// By uid.
    async fn migration(&self, uid: &str) -> Result<Option<Record>>;
    /// By name.
    async fn migration_named(&self, target_id: &str, name: &str) -> Result<Option<Record>>;
    /// Newest first.
    async fn migrations(&self, query: MigrationQuery) -> Result<Vec<Record>>;
    /// With its events. `Conflict` unless the version is the expected one.
    async fn delete_migration(&self, uid: &str, version: u64, memo: Option<Memo>) -> Result<()>;
    /// Events after a sequence number, in order.
    async fn events(&self, uid: &str, after: u64, limit: usize) -> Result<Vec<EventRecord>>;
    /// The newest event's sequence number; 0: there is none.
    async fn last_event(&self, uid: &str) -> Result<u64>;

    /// Commands for an agent that it has not acknowledged, in order, after a position.
    async fn outbox(&self, agent: &str, after: u64, limit: usize) -> Result<Vec<OutboxEntry>>;
    /// Commands of a migration that were not acknowledged, in order.
    async fn outbox_of(&self, uid: &str) -> Result<Vec<OutboxEntry>>;
    /// A command that was not acknowledged, by its id.
    async fn undelivered(&self, command_id: &str) -> Result<Option<OutboxEntry>>;
    /// The agent has acknowledged it: gives back what it was.
    async fn delivered(&self, command_id: &str) -> Result<Option<OutboxEntry>>;

    /// `NameTaken` if there is one of that id.
    async fn create_target(&self, target: Target, memo: Option<Memo>) -> Result<()>;
    /// By id.
    async fn target(&self, id: &str) -> Result<Option<Target>>;
    /// By id, after one.
    async fn targets(&self, after: &str, limit: usize) -> Result<Vec<Target>>;
    /// The next version, and with it the next ones of its migrations, as by `commit`. `Conflict` unless `target.version` is one
    /// more than what is there.
    async fn update_target(
        &self,
        target: Target,
        changes: Vec<Change>,
        memo: Option<Memo>,
    ) -> Result<()>;
    /// With its migrations, which must be over. `Conflict` unless the version is the expected one.
    async fn delete_target(&self, id: &str, version: u64, memo: Option<Memo>) -> Result<()>;

    /// Remembers the hash of a join token's secret.
    async fn add_token(&self, token: JoinToken, memo: Option<Memo>) -> Result<()>;
    /// Spends the token and records the agent, with the token's labels under its own. The same agent with the same key
    /// again gets the record that it has: the first answer may have been lost.
    async fn enrol(&self, token_hash: &[u8], agent: Agent, now: Timestamp) -> Result<Agent>;
    /// By id.
    async fn agent(&self, id: &str) -> Result<Option<Agent>>;
    /// By id, after one.
    async fn agents(&self, after: &str, limit: usize) -> Result<Vec<Agent>>;
    /// The next version. `Conflict` unless `agent.version` is one more than what is there.
    async fn update_agent(&self, agent: Agent, memo: Option<Memo>) -> Result<()>;

    /// What was done under this request id.
    async fn request(&self, id: &str) -> Result<Option<Memo>>;
}
