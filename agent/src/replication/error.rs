//! What can go wrong on a replication connection.
use std::io;

use super::{reader::ReadError, server_error::ServerError};
use crate::postgres::ConnectError;

/// An error of a replication connection. After any but [`ReplicationError::Server`] on a command, the connection is of
/// no more use.
#[derive(Debug, thiserror::Error)]
pub enum ReplicationError {
    /// It was not made.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server refused, or ended the stream with an error.
    #[error("{doing}: {error}")]
    Server {
        /// What was being done.
        doing: String,
        /// What the server says.
        error: ServerError,
    },
    /// The network, or the server's end, broke off.
    #[error("{doing}: {error}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The cause.
        error: io::Error,
    },
    /// The server closed the connection.
    #[error("{doing}: the server closed the connection")]
    Closed {
        /// What was being done.
        doing: &'static str,
    },
    /// The server takes longer than it may.
    #[error("{doing}: no answer within {seconds} s")]
    Timeout {
        /// What was being done.
        doing: &'static str,
        /// The bound.
        seconds: u64,
    },
    /// A message that does not belong here.
    #[error("{doing}: the server sent message {tag:?}, which does not belong there")]
    Unexpected {
        /// What was being done.
        doing: &'static str,
        /// Its type.
        tag: char,
    },
    /// A message that is not well formed.
    #[error("{doing}: {cause}")]
    Malformed {
        /// What was being done.
        doing: &'static str,
        /// What is wrong with it.
        cause: ReadError,
    },
    /// A message longer than PostgreSQL can make one.
    #[error("reading from the server: a message of {length} bytes, more than {max}")]
    TooLong {
        /// What it says.
        length: usize,
        /// The bound.
        max: usize,
    },
    /// An answer that does not say what it must.
    #[error("{doing}: {problem}")]
    Answer {
        /// What was being done.
        doing: String,
        /// What is missing.
        problem: &'static str,
    },
}

impl ReplicationError {
    /// The server's SQLSTATE, when it is the server that refused.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Server { error, .. } => Some(&error.sqlstate),
            _ => None,
        }
    }

    /// Whether a new connection may do better.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect(error) => error.is_transient(),
            Self::Server { error, .. } => error.is_transient(),
            Self::Io { .. } | Self::Closed { .. } | Self::Timeout { .. } => true,
            Self::Unexpected { .. }
            | Self::Malformed { .. }
            | Self::TooLong { .. }
            | Self::Answer { .. } => false,
        }
    }
}
