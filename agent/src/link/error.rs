//! What ends the agent's process.
use super::{data_dir::DataDirError, token::TokenError};

/// An error that no retry of ours mends. [`LinkError::exit_status`] is the process's.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The data folder.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The join token is no join token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The join token's file can't be read.
    #[error("reading the join token {path}: {cause}")]
    TokenFile {
        /// The file.
        path: std::path::PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// There is no identity yet, and nothing to get one with.
    #[error(
        "starting for the first time: a join token is needed (--join, --join-file or WHIMBREL_JOIN_TOKEN); make one with \
         `whimbrel agent token create`"
    )]
    NotEnrolled,
    /// What was kept of the identity can't be read.
    #[error(
        "reading {file} in the data folder: {cause}; put it back, or enrol with an empty folder and a new join token"
    )]
    Identity {
        /// The file.
        file: &'static str,
        /// What is wrong.
        cause: String,
    },
    /// A key or a certificate can't be made or used.
    #[error("{doing}: {cause}")]
    Crypto {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        cause: String,
    },
    /// Who answers does not have the token's CA.
    #[error(
        "enrolling at {address}: JoinTokenWrongController: the server's CA is not the one that the token names. Check the \
         address; somebody may stand between"
    )]
    WrongController {
        /// `host:port`.
        address: String,
    },
    /// The controller said no.
    #[error("enrolling at {address}: {code}: {message}")]
    EnrolRefused {
        /// `host:port`.
        address: String,
        /// JoinTokenUsed, JoinTokenExpired, JoinTokenUnknown, AgentNameTaken…
        code: String,
        /// The controller's words.
        message: String,
    },
    /// Nobody answered.
    #[error("enrolling: no controller could be reached within {seconds} s, last {cause}")]
    Unreachable {
        /// How long was tried.
        seconds: u64,
        /// The last try's error.
        cause: String,
    },
    /// The process can't listen for signals.
    #[error("listening for signals: {cause}")]
    Signals {
        /// Why not.
        cause: std::io::Error,
    },
    /// Another process has our place, or we were revoked.
    #[error("the controller ended this agent's session: {reason}")]
    Superseded {
        /// The controller's words.
        reason: String,
    },
    /// The certificate is no longer accepted.
    #[error("the controller refuses this agent: {code}: {message} (with an empty --data-dir)")]
    Revoked {
        /// AgentRevoked, AgentUnknown…
        code: String,
        /// The controller's words.
        message: String,
    },
}

impl LinkError {
    /// The process's exit status, as CONTRACT.md lists them; 3 for a place that was taken.
    #[must_use]
    pub const fn exit_status(&self) -> u8 {
        match self {
            Self::Token(_) | Self::TokenFile { .. } | Self::NotEnrolled => 2,
            Self::Superseded { .. } => 3,
            Self::DataDir(DataDirError::Locked { .. }) => 4,
            Self::WrongController { .. } | Self::EnrolRefused { .. } | Self::Revoked { .. } => 5,
            Self::Unreachable { .. } => 6,
            Self::DataDir(DataDirError::Io { .. })
            | Self::Identity { .. }
            | Self::Crypto { .. }
            | Self::Signals { .. } => 1,
        }
    }
}
