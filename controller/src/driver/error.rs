//! What can go wrong with an order or an act.
use crate::{fleet::FleetError, migration::Refusal, store::StoreError};

/// What can go wrong with an order or an act.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// No such migration.
    #[error("there is no {name}: `whimbrel migration list --filter all` shows what there is")]
    MigrationNotFound {
        /// Its resource name.
        name: String,
    },
    /// No such target.
    #[error("there is no {name}: `whimbrel target list` shows what there is")]
    TargetNotFound {
        /// Its resource name.
        name: String,
    },
    /// The migration's name is in use.
    #[error("the target has a migration of that name already: {name}")]
    MigrationNameTaken {
        /// Its resource name.
        name: String,
    },
    /// The target's name is in use.
    #[error("there is a target of that name already: {name}")]
    TargetNameTaken {
        /// Its resource name.
        name: String,
    },
    /// The etag is not the current one.
    #[error(
        "{what} was changed since it was read (its etag is {now} now): read it again, then decide"
    )]
    EtagMismatch {
        /// What.
        what: String,
        /// The current one.
        now: String,
    },
    /// Another migration is at it.
    #[error(
        "database {database} of this server is being migrated by {by}: wait for it, or cancel it"
    )]
    DatabaseBusy {
        /// Which.
        database: String,
        /// The other migration's resource name.
        by: String,
    },
    /// The rows would have to go from one agent to another.
    #[error(
        "source agent {source_agent} and agent {target_agent} differ: rows between two agents are not carried yet; name one agent that reaches both servers"
    )]
    TwoAgentsNotBuilt {
        /// Who would read.
        source_agent: String,
        /// Who would write.
        target_agent: String,
    },
    /// Nothing could ever begin in the window.
    #[error("spec.window_end_time: the window {problem}: name another, or none")]
    WindowInvalid {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Migrations of the target are not over.
    #[error("{target} has migrations that are not over ({by}): wait for them, or cancel them")]
    TargetBusy {
        /// Its resource name.
        target: String,
        /// One of them.
        by: String,
    },
    /// The migration is not over.
    #[error("{name} is not over: cancel it, then delete it")]
    NotOver {
        /// Its resource name.
        name: String,
        /// Its state.
        state: String,
    },
    /// The agent takes nothing new.
    #[error("agents/{agent} is draining: it takes nothing new; name another agent")]
    AgentDraining {
        /// Its id.
        agent: String,
    },
    /// The state does not allow it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The id was used for something else.
    #[error("request id {id} was used for another request: make a new UUID for each")]
    RequestReused {
        /// The id.
        id: String,
    },
    /// Agents.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// The memory.
    #[error(transparent)]
    Store(#[from] StoreError),
}
