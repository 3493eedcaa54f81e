//! What went wrong, and what becomes of it.
//!
//! Every error that a task can end with becomes a [`Fault`]: a stable code, what was being done to what, what to do, and
//! one [`Policy`]. The policy of a PostgreSQL error is decided in one place, [`Fault::sql`], by its SQLSTATE class.
use std::{borrow::Cow, fmt};

use tokio_postgres::error::SqlState;
use whimbrel_proto::agent::v1::Failure;

use crate::{
    postgres::{ConnectError, ConnectProblem, ErrorOrigin, ProgramsError, safe_message},
    replication::ReplicationError,
};

pub use whimbrel_proto::agent::v1::failure::Policy;

/// An error with its consequence. Its text never has a row's value or a secret: PostgreSQL's DETAIL and CONTEXT, which
/// can, are dropped in [`Fault::sql`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What the controller does about it.
    pub policy: Policy,
    /// Stable, in the documentation's table of codes.
    pub code: Cow<'static, str>,
    /// What was being done to what, and the cause.
    pub message: String,
    /// What to do.
    pub remedy: String,
    /// The table ("public.orders") that alone is at fault: the others can go on without it. Stays within the agent.
    pub table: Option<String>,
    /// The epoch that the target's ledger has, where that is what is in the way; 0 otherwise.
    pub ledger_epoch: u64,
}

/// SQLSTATEs: undefined_table, invalid_schema_name, undefined_column.
pub const GONE: [&str; 3] = ["42P01", "3F000", "42703"];

impl Fault {
    /// Made from its parts; say the remedy with [`Fault::remedy`].
    pub fn new(policy: Policy, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            policy,
            code: code.into(),
            message: message.into(),
            remedy: String::new(),
            table: None,
            ledger_epoch: 0,
        }
    }

    /// A person must mend it.
    pub fn hold(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Policy::Hold, code, message)
    }

    /// It mends itself when tried again.
    pub fn retry(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Policy::Retry, code, message)
    }

    /// It mends itself when what is away comes back, however long that takes.
    pub fn away(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Policy::Away, code, message)
    }

    /// A newer epoch owns the work.
    pub fn fenced(doing: &str) -> Self {
        Self::new(Policy::Fenced, "Fenced", format!("{doing}: a newer epoch owns the database now"))
    }

    /// With what to do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }

    /// As it is, or to be tried again where it says that a table, schema or column is gone: what was read by its name was dropped or
    /// renamed since its name was read. For the source alone: what is missing on the target does not come by itself.
    #[must_use]
    pub fn again_if_gone(mut self) -> Self {
        let is_gone = |state: &str| self.message.ends_with(&format!("(SQLSTATE {state})"));
        if self.policy == Policy::Hold && GONE.into_iter().any(is_gone) {
            self.policy = Policy::Retry;
            self.code = "CatalogChanges".into();
            self.remedy = "nothing: it is tried again with what is there now".to_owned();
        }
        self
    }

    /// Blames one table for it, if one is known.
    #[must_use]
    pub fn of_table(mut self, table: Option<&str>) -> Self {
        self.table = table.map(str::to_owned);
        self
    }

    /// An error of a PostgreSQL server or of the connection to it, while `doing` something.
    pub fn sql(doing: impl fmt::Display, error: &tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            // Only severity, SQLSTATE and primary message: DETAIL and WHERE may quote rows.
            Some(db) => Self::refused(doing, db.code(), &safe_text(db)),
            None => Self::lost(doing, chain(error)),
        }
    }

    /// The connection to a server was lost while `doing` something.
    fn lost(doing: impl fmt::Display, cause: impl fmt::Display) -> Self {
        Self::away("ConnectionLost", format!("{doing}: {cause}")).remedy(
            "it is tried again; if it goes on, look at the server's log and the network between",
        )
    }

    /// A server refused while `doing` something; `text` is fit to be told.
    fn refused(doing: impl fmt::Display, state: &SqlState, text: &str) -> Self {
        let policy = sqlstate_policy(state);
        let code = sqlstate_code(state);
        let message = format!("{doing}: {text} (SQLSTATE {})", state.code());
        let remedy = match policy {
            Policy::Retry | Policy::Away => {
                "it is tried again; if it goes on, look at the server's log"
            }
            _ => "mend the cause on the server, then `whimbrel migration retry`",
        };
        let (code, remedy) = (code.into(), remedy.into());
        Self { policy, code, message, remedy, table: None, ledger_epoch: 0 }
    }
}

/// A server's primary message, as far as it may be told.
pub(crate) fn safe_text(error: &tokio_postgres::error::DbError) -> String {
    let origin = ErrorOrigin {
        sqlstate: error.code().code(),
        routine: error.routine(),
        context: error.where_(),
    };
    safe_message(&origin, error.message())
}

/// An error and its sources in one line: a connection's own text says only that it failed.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let next = cause.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        source = cause.source();
    }
    text
}

/// Whether trying again can help, by SQLSTATE class (PostgreSQL manual, appendix "Error Codes"): 08 connection,
/// 40 rollback (deadlock, serialization), 53 resources, 55P03 lock timeout, 57P shutdown, 58 system, XX000 internal.
fn sqlstate_policy(state: &SqlState) -> Policy {
    match &state.code()[..2] {
        "08" => Policy::Away,
        // The server is going down, is starting, or an administrator ended the session.
        "57" if *state != SqlState::QUERY_CANCELED => Policy::Away,
        "40" | "58" => Policy::Retry,
        // Full disks and memory need somebody; too many connections pass.
        "53" if *state == SqlState::TOO_MANY_CONNECTIONS => Policy::Retry,
        "55" if *state == SqlState::LOCK_NOT_AVAILABLE || *state == SqlState::OBJECT_IN_USE => {
            Policy::Retry
        }
        // Two epochs made the provisional database at once: the next try sees whose it is.
        "42" if *state == SqlState::DUPLICATE_DATABASE => Policy::Retry,
        // "cache lookup failed for index", "tuple concurrently updated": somebody changed the schema while it was read.
        "XX" if *state == SqlState::INTERNAL_ERROR => Policy::Retry,
        // 57014 is a cancelled query (a statement timeout of the server's, an operator): worth another try.
        "57" => Policy::Retry,
        _ => Policy::Hold,
    }
}

fn sqlstate_code(state: &SqlState) -> &'static str {
    match &state.code()[..2] {
        "08" | "57" => "ServerUnavailable",
        "22" => "InvalidData",
        "23" => "ConstraintViolated",
        "40" => "TransactionRolledBack",
        "42" if *state == SqlState::INSUFFICIENT_PRIVILEGE => "InsufficientPrivilege",
        "42" => "SchemaMismatch",
        "53" if *state == SqlState::DISK_FULL => "DiskFull",
        "53" => "InsufficientResources",
        "55" => "ObjectNotReady",
        _ => "PostgresError",
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Fault {}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self {
            policy: fault.policy.into(),
            code: fault.code.into_owned(),
            message: fault.message,
            remedy: fault.remedy,
            ledger_epoch: fault.ledger_epoch,
        }
    }
}

impl From<ConnectError> for Fault {
    fn from(error: ConnectError) -> Self {
        let policy = match error.problem {
            // A new password mends these, and there is a verb that gives one.
            ConnectProblem::AuthenticationFailed | ConnectProblem::PasswordMissing => {
                Policy::Credentials
            }
            _ if error.is_transient() => Policy::Away,
            _ => Policy::Hold,
        };
        Self::new(policy, error.code(), error.to_string()).remedy(error.remedy())
    }
}

/// What mends a [`Policy::Resync`].
pub const RESYNC: &str = "`whimbrel migration retry`: a new slot is made, and every table whose rows are not the source's any more is copied again";

impl From<ReplicationError> for Fault {
    fn from(error: ReplicationError) -> Self {
        if let ReplicationError::Connect(error) = error {
            return error.into();
        }
        let policy = if error.is_transient() { Policy::Away } else { Policy::Hold };
        let remedy = match error.sqlstate() {
            Some("42501") => "alter role the source's user with replication; then retry",
            Some("53400") => {
                "drop slots that nobody uses, or raise max_replication_slots; then retry"
            }
            _ if policy == Policy::Away => {
                "it is tried again; if it goes on, look at the source's log"
            }
            _ => "mend the cause on the source, then `whimbrel migration retry`",
        };
        Self::new(policy, "ReplicationFailed", error.to_string()).remedy(remedy)
    }
}

impl From<ProgramsError> for Fault {
    fn from(error: ProgramsError) -> Self {
        Self::hold(error.code(), error.to_string()).remedy(error.remedy())
    }
}

/// Names what was being done when a PostgreSQL call failed.
pub trait Doing<T> {
    /// Turns the error into a [`Fault`]. `doing` reads on: "copying public.orders".
    fn doing(self, doing: impl fmt::Display) -> Result<T, Fault>;
}

impl<T> Doing<T> for Result<T, tokio_postgres::Error> {
    fn doing(self, doing: impl fmt::Display) -> Result<T, Fault> {
        self.map_err(|error| Fault::sql(doing, &error))
    }
}

/// Of statements. What is about replication itself is a `From`.
impl<T> Doing<T> for Result<T, ReplicationError> {
    fn doing(self, doing: impl fmt::Display) -> Result<T, Fault> {
        self.map_err(|error| match error {
            ReplicationError::Server { error, .. } => {
                Fault::refused(doing, &SqlState::from_code(&error.sqlstate), &error.message)
            }
            ReplicationError::Connect(error) => error.into(),
            lost if lost.is_transient() => Fault::lost(doing, lost),
            other => Fault::hold("ProtocolViolated", format!("{doing}: {other}")).remedy(
                "look what is between the agent and the server, then `whimbrel migration retry`",
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_tried_again_and_nothing_else() {
        let told = |state: &SqlState| Fault::refused("reading", state, "no").again_if_gone();
        assert_eq!(told(&SqlState::UNDEFINED_TABLE).policy, Policy::Retry);
        assert_eq!(told(&SqlState::UNDEFINED_COLUMN).code, "CatalogChanges");
        assert_eq!(told(&SqlState::UNDEFINED_FUNCTION).policy, Policy::Hold);
        assert_eq!(told(&SqlState::ADMIN_SHUTDOWN).policy, Policy::Away);
    }

    #[test]
    fn every_class_has_one_policy() {
        assert_eq!(sqlstate_policy(&SqlState::T_R_DEADLOCK_DETECTED), Policy::Retry);
        assert_eq!(sqlstate_policy(&SqlState::ADMIN_SHUTDOWN), Policy::Away);
        assert_eq!(sqlstate_policy(&SqlState::QUERY_CANCELED), Policy::Retry);
        assert_eq!(sqlstate_policy(&SqlState::INTERNAL_ERROR), Policy::Retry);
        assert_eq!(sqlstate_policy(&SqlState::DATA_CORRUPTED), Policy::Hold);
        assert_eq!(sqlstate_policy(&SqlState::DISK_FULL), Policy::Hold);
        assert_eq!(sqlstate_policy(&SqlState::UNIQUE_VIOLATION), Policy::Hold);
        assert_eq!(sqlstate_code(&SqlState::INSUFFICIENT_PRIVILEGE), "InsufficientPrivilege");
    }
}
