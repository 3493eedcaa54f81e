//! What can go wrong with agents.
use crate::{
    store::{StoreError, TokenError},
    tls::TlsError,
};

/// What can go wrong with agents.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// No such agent.
    #[error("there is no agents/{agent}: `whimbrel agent list` shows those that have joined")]
    Unknown {
        /// Its id.
        agent: String,
    },
    /// Never accepted again.
    #[error("agents/{agent} was revoked: join it again, under another name and with a new token")]
    Revoked {
        /// Its id.
        agent: String,
    },
    /// Two processes have the same identity.
    #[error(
        "AgentRunsTwice: another process of agents/{agent} is running, and answers: stop one of them; a copy of its data folder (or of its machine) is no second agent: empty it, and join it under another name with a new token"
    )]
    RunsTwice {
        /// Its id.
        agent: String,
    },
    /// It was given commands that the store does not know.
    #[error(
        "StoreIsOlder: agents/{agent} was given command {theirs}, and the last one of the controller's store is {ours}: the store was restored from a backup, or is not the one that agents work for; stop the controller, and start it once with --restored"
    )]
    StoreIsOlder {
        /// Its id.
        agent: String,
        /// The number of the last command that it was given.
        theirs: u64,
        /// The last number that the store knows.
        ours: u64,
    },
    /// It has no session.
    #[error("agents/{agent} is not connected: start it, and see that it can reach this controller")]
    NotConnected {
        /// Its id.
        agent: String,
    },
    /// It did not answer.
    #[error("agents/{agent} did not answer within {seconds} s: look at its log, then try again")]
    Silent {
        /// Its id.
        agent: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The name is another's.
    #[error("there is an agents/{agent} already: give this one another name with --name")]
    NameTaken {
        /// Its id.
        agent: String,
    },
    /// Something in the request.
    #[error("{field}: {problem}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// Stable code.
        code: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The join token.
    #[error(transparent)]
    Token(TokenError),
    /// The memory.
    #[error(transparent)]
    Store(StoreError),
    /// Keys.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl From<StoreError> for FleetError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Token(token) => Self::Token(token),
            error => Self::Store(error),
        }
    }
}
