//! A server's address with its password, in memory only.
use std::{fmt, sync::Arc};

use whimbrel_proto::v1;
use zeroize::Zeroizing;

/// A resolved password. Wiped when the last copy goes; never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Arc<Zeroizing<String>>);

impl Password {
    /// Takes the text over.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Arc::new(Zeroizing::new(text)))
    }

    /// The password itself, for the server or a password file; never for a log or an error.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What is asked of TLS, as libpq's `sslmode` (PostgreSQL manual, "SSL Support").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SslMode {
    /// No TLS.
    Disable,
    /// TLS if the server has it; the certificate is not looked at.
    #[default]
    Prefer,
    /// TLS; the certificate is not looked at.
    Require,
    /// TLS; the certificate must come from a CA in the root file.
    VerifyCa,
    /// As `VerifyCa`, and the certificate must be the host's.
    VerifyFull,
}

impl SslMode {
    /// libpq's word for it.
    #[must_use]
    pub const fn as_libpq(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

impl From<v1::SslMode> for SslMode {
    fn from(mode: v1::SslMode) -> Self {
        match mode {
            v1::SslMode::Disable => Self::Disable,
            // libpq's default.
            v1::SslMode::Unspecified | v1::SslMode::Prefer => Self::Prefer,
            v1::SslMode::Require => Self::Require,
            v1::SslMode::VerifyCa => Self::VerifyCa,
            v1::SslMode::VerifyFull => Self::VerifyFull,
        }
    }
}

/// A server that can be logged in to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// A host name or an address; a folder of Unix sockets when it starts with `/`.
    pub host: String,
    /// TCP port, or the number in the socket's name.
    pub port: u16,
    /// The role.
    pub user: String,
    /// Its password; none where the server asks for none.
    pub password: Option<Password>,
    /// What is asked of TLS. A Unix socket has none, whatever is asked.
    pub ssl_mode: SslMode,
}

impl Endpoint {
    /// `host:port`, for messages.
    #[must_use]
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Whether the host is a folder of Unix sockets.
    #[must_use]
    pub fn is_unix(&self) -> bool {
        self.host.starts_with('/')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let endpoint = Endpoint {
            host: "::1".into(),
            port: 5432,
            user: "u".into(),
            password: Some(Password::new("hush".into())),
            ssl_mode: SslMode::Prefer,
        };
        assert!(!format!("{endpoint:?}").contains("hush"));
        assert_eq!(endpoint.address(), "[::1]:5432");
    }
}
