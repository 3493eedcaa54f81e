//! Options that say how a PostgreSQL server is reached.
use clap::{Args, ValueEnum};
use whimbrel_proto::v1;

use super::SecretArg;

/// A server of which everything must be said.
#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// Host name or address, as the agent reaches it
    #[arg(long, value_name = "H")]
    pub(crate) host: String,
    /// Port
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
    /// Role to log in as
    #[arg(long, value_name = "U")]
    pub(crate) user: String,
    /// Where the password is: env:VAR, file:PATH or pgpass on the agent's machine; prompt or stdin here
    #[arg(long, value_name = "SECRET")]
    pub(crate) password: SecretArg,
    /// What the connection asks of TLS
    #[arg(long, value_name = "M", ignore_case = true)]
    pub(crate) ssl_mode: Option<SslModeArg>,
}

/// A server of which some things change.
#[derive(Debug, Args)]
pub(crate) struct ServerChange {
    /// Host name or address, as the agent reaches it
    #[arg(long, value_name = "H")]
    pub(crate) host: Option<String>,
    /// Port
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
    /// Role to log in as
    #[arg(long, value_name = "U")]
    pub(crate) user: Option<String>,
    /// Where the password is: env:VAR, file:PATH or pgpass on the agent's machine; prompt or stdin here
    #[arg(long, value_name = "SECRET")]
    pub(crate) password: Option<SecretArg>,
    /// What the connection asks of TLS
    #[arg(long, value_name = "M", ignore_case = true)]
    pub(crate) ssl_mode: Option<SslModeArg>,
}

/// libpq's `sslmode`, in its own spelling or in the field's (VerifyCA).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SslModeArg {
    /// No TLS
    Disable,
    /// TLS if the server offers it
    Prefer,
    /// TLS, any certificate
    Require,
    /// TLS, certificate of a known CA
    #[value(alias = "verifyca")]
    VerifyCa,
    /// TLS, certificate of a known CA for this host
    #[value(alias = "verifyfull")]
    VerifyFull,
}

impl From<SslModeArg> for v1::SslMode {
    fn from(mode: SslModeArg) -> Self {
        match mode {
            SslModeArg::Disable => Self::Disable,
            SslModeArg::Prefer => Self::Prefer,
            SslModeArg::Require => Self::Require,
            SslModeArg::VerifyCa => Self::VerifyCa,
            SslModeArg::VerifyFull => Self::VerifyFull,
        }
    }
}
