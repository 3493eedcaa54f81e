//! Why a server could not be connected to: a code, a cause, a remedy.
use std::io;

use tokio_postgres::error::SqlState;

use super::{Endpoint, ErrorOrigin, safe_message};

/// The kinds of refusal, each with its stable code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectProblem {
    /// The name has no address.
    HostUnresolvable,
    /// Nothing listens there.
    ConnectionRefused,
    /// Nobody took the connection in time.
    ConnectTimeout,
    /// The connection was taken, and nothing came after it in time.
    ServerSilent,
    /// The network or the server broke the connection off.
    ConnectionFailed,
    /// TLS is asked for, and the server has none.
    TlsNotSupported,
    /// The handshake failed, or the certificate was not accepted.
    TlsFailed,
    /// The root certificates can't be read.
    RootCertificatesMissing,
    /// The password or the role is wrong.
    AuthenticationFailed,
    /// The server asks for a way to authenticate that is not built here (GSS, SSPI…).
    AuthenticationMethodUnsupported,
    /// The server asks for a password, and none was given.
    PasswordMissing,
    /// `pg_hba.conf` has no line that lets us in.
    NoPgHbaEntry,
    /// No such database.
    DatabaseDoesNotExist,
    /// The role may not connect to the database.
    ConnectionNotPermitted,
    /// All of the server's, the role's or the database's connections are taken.
    TooManyConnections,
    /// The server starts, recovers or shuts down.
    ServerStarting,
    /// The server is older than any that can be worked with.
    ServerTooOld,
    /// The server refused for another reason.
    ConnectionRejected,
    /// What answers does not speak PostgreSQL's protocol.
    NotPostgres,
}

impl ConnectProblem {
    /// Stable code, as in the documentation.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::HostUnresolvable => "HostUnresolvable",
            Self::ConnectionRefused => "ConnectionRefused",
            Self::ConnectTimeout => "ConnectTimeout",
            Self::ServerSilent => "ServerSilent",
            Self::ConnectionFailed => "ConnectionFailed",
            Self::TlsNotSupported => "TlsNotSupported",
            Self::TlsFailed => "TlsFailed",
            Self::RootCertificatesMissing => "RootCertificatesMissing",
            Self::AuthenticationFailed => "AuthenticationFailed",
            Self::AuthenticationMethodUnsupported => "AuthenticationMethodUnsupported",
            Self::PasswordMissing => "PasswordMissing",
            Self::NoPgHbaEntry => "NoPgHbaEntry",
            Self::DatabaseDoesNotExist => "DatabaseDoesNotExist",
            Self::ConnectionNotPermitted => "ConnectionNotPermitted",
            Self::TooManyConnections => "TooManyConnections",
            Self::ServerStarting => "ServerStarting",
            Self::ServerTooOld => "ServerTooOld",
            Self::ConnectionRejected => "ConnectionRejected",
            Self::NotPostgres => "NotPostgres",
        }
    }

    /// Whether it can pass by itself.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(
            self,
            Self::HostUnresolvable
                | Self::ConnectionRefused
                | Self::ConnectTimeout
                | Self::ServerSilent
                | Self::ConnectionFailed
                | Self::TooManyConnections
                | Self::ServerStarting
        )
    }

    /// Whether the refusal is about the database, and another one may let us in.
    #[must_use]
    pub const fn is_of_database(self) -> bool {
        matches!(
            self,
            Self::DatabaseDoesNotExist
                | Self::ConnectionNotPermitted
                | Self::NoPgHbaEntry
                | Self::ConnectionRejected
        )
    }

    /// What to do about it.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::HostUnresolvable => {
                "check the host's name, and that the agent's machine can resolve it (getent hosts NAME)"
            }
            Self::ConnectionRefused => {
                "check the port, that the server runs, and that listen_addresses lets the agent's machine in"
            }
            Self::ConnectTimeout => {
                "check host and port, and that no firewall stands between the agent and the server"
            }
            Self::ServerSilent => {
                "the server is there and does not answer: look whether its machine is overloaded, or the server stopped or hanging"
            }
            Self::ConnectionFailed => {
                "check the network between the agent and the server, and the server's log"
            }
            Self::TlsNotSupported => {
                "turn TLS on at the server (ssl = on), or ask for ssl mode Prefer or Disable"
            }
            Self::TlsFailed => {
                "check the server's certificate against the root file and the host's name; ssl mode Require does not look at it"
            }
            Self::RootCertificatesMissing => {
                "put the CA's certificate at ~/.postgresql/root.crt of the agent's user, or name its file in PGSSLROOTCERT"
            }
            Self::AuthenticationFailed => {
                "check user and password; `whimbrel migration update` gives a new one"
            }
            Self::AuthenticationMethodUnsupported => {
                "let the role log in by scram-sha-256, md5 or password in pg_hba.conf"
            }
            Self::PasswordMissing => "give a password reference (env:VAR, file:PATH or pgpass)",
            Self::NoPgHbaEntry => {
                "add a line for this user, this database and the agent's address to pg_hba.conf, then select \
                 pg_reload_conf()"
            }
            Self::DatabaseDoesNotExist => "check the database's name",
            Self::ConnectionNotPermitted => "grant connect on the database to the role",
            Self::TooManyConnections => {
                "raise max_connections, or the role's or database's connection limit"
            }
            Self::ServerStarting => "wait until the server has started",
            Self::ServerTooOld => "upgrade the server to PostgreSQL 9.6 or later",
            Self::ConnectionRejected => "look at the server's log",
            Self::NotPostgres => {
                "check host and port: a PostgreSQL server must be there, not a pooler or proxy"
            }
        }
    }
}

/// A connection that was not made. Its text has no secret.
#[derive(Debug, Clone, thiserror::Error)]
#[error("connecting to {address} as {user}, database {database}: {cause}")]
pub struct ConnectError {
    /// What kind of refusal.
    pub problem: ConnectProblem,
    address: String,
    user: String,
    database: String,
    cause: String,
}

impl ConnectError {
    pub(crate) fn new(
        problem: ConnectProblem,
        endpoint: &Endpoint,
        database: &str,
        cause: impl Into<String>,
    ) -> Self {
        Self {
            problem,
            address: endpoint.address(),
            user: endpoint.user.clone(),
            database: database.to_owned(),
            cause: cause.into(),
        }
    }

    /// Stable code, as in the documentation.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.problem.code()
    }

    /// What to do about it.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        self.problem.remedy()
    }

    /// Whether it can pass by itself.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        self.problem.is_transient()
    }

    pub(crate) fn from_io(endpoint: &Endpoint, database: &str, error: &io::Error) -> Self {
        let problem = match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
                ConnectProblem::ConnectionRefused
            }
            io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable => {
                ConnectProblem::ConnectTimeout
            }
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => ConnectProblem::NotPostgres,
            _ => ConnectProblem::ConnectionFailed,
        };
        Self::new(problem, endpoint, database, error.to_string())
    }

    /// From the server's refusal at login.
    pub(crate) fn from_server(
        endpoint: &Endpoint,
        database: &str,
        sqlstate: &str,
        message: &str,
    ) -> Self {
        let state = SqlState::from_code(sqlstate);
        let problem = if state == SqlState::INVALID_PASSWORD {
            ConnectProblem::AuthenticationFailed
        } else if state == SqlState::INVALID_AUTHORIZATION_SPECIFICATION {
            // One SQLSTATE for "no pg_hba.conf entry", "pg_hba.conf rejects", "role does not exist", "not permitted
            // to log in"; a server may say it in its own language, but the file's name stays.
            if message.contains("pg_hba.conf") {
                ConnectProblem::NoPgHbaEntry
            } else {
                ConnectProblem::AuthenticationFailed
            }
        } else if state == SqlState::UNDEFINED_DATABASE {
            ConnectProblem::DatabaseDoesNotExist
        } else if state == SqlState::INSUFFICIENT_PRIVILEGE {
            ConnectProblem::ConnectionNotPermitted
        } else if state == SqlState::TOO_MANY_CONNECTIONS {
            ConnectProblem::TooManyConnections
        } else if state == SqlState::CANNOT_CONNECT_NOW
            || state == SqlState::ADMIN_SHUTDOWN
            || state == SqlState::CRASH_SHUTDOWN
        {
            ConnectProblem::ServerStarting
        } else {
            ConnectProblem::ConnectionRejected
        };
        // At login nothing of a row is said, and no function has run.
        let origin = ErrorOrigin { sqlstate, routine: None, context: None };
        let cause = format!("{} (SQLSTATE {sqlstate})", safe_message(&origin, message));
        Self::new(problem, endpoint, database, cause)
    }

    /// From tokio-postgres' login.
    pub(crate) fn from_login(
        endpoint: &Endpoint,
        database: &str,
        error: &tokio_postgres::Error,
    ) -> Self {
        if let Some(refusal) = error.as_db_error() {
            let code = refusal.code().code();
            return Self::from_server(endpoint, database, code, refusal.message());
        }
        let source = std::error::Error::source(error);
        if let Some(io) = source.and_then(|s| s.downcast_ref::<io::Error>()) {
            return Self::from_io(endpoint, database, io);
        }
        let text = error.to_string();
        let cause = source.map_or_else(|| text.clone(), |s| format!("{text}: {s}"));
        let problem = if cause.contains("password missing") {
            ConnectProblem::PasswordMissing
        } else if text.contains("authentication") {
            if cause.contains("unsupported") {
                ConnectProblem::AuthenticationMethodUnsupported
            } else {
                ConnectProblem::AuthenticationFailed
            }
        } else if error.is_closed() {
            ConnectProblem::ConnectionFailed
        } else {
            ConnectProblem::NotPostgres
        };
        Self::new(problem, endpoint, database, cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::SslMode;

    fn endpoint() -> Endpoint {
        Endpoint {
            host: "h".into(),
            port: 1,
            user: "u".into(),
            password: None,
            ssl_mode: SslMode::Prefer,
        }
    }

    #[test]
    fn refusals_have_codes() {
        let code =
            |state, message| ConnectError::from_server(&endpoint(), "d", state, message).code();
        assert_eq!(code("28P01", "password authentication failed"), "AuthenticationFailed");
        assert_eq!(code("28000", "no pg_hba.conf entry for host"), "NoPgHbaEntry");
        assert_eq!(code("28000", "role \"u\" does not exist"), "AuthenticationFailed");
        assert_eq!(code("3D000", "database \"d\" does not exist"), "DatabaseDoesNotExist");
        assert_eq!(code("53300", "too many clients already"), "TooManyConnections");
        assert_eq!(code("57P03", "the database system is starting up"), "ServerStarting");
        assert_eq!(code("XX000", "?"), "ConnectionRejected");
    }

    #[test]
    fn what_passes_by_itself_is_transient() {
        let error = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert!(ConnectError::from_io(&endpoint(), "d", &error).is_transient());
        assert!(!ConnectError::from_server(&endpoint(), "d", "28P01", "").is_transient());
    }
}
