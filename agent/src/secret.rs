//! Passwords by reference, resolved on this machine: an environment variable, a file, the password file, or bytes sealed
//! to this agent's key. An error names the reference, never what it holds.
use std::{env, fs, io::Read as _, path::Path};

use crypto_box::{PublicKey, SecretKey};
use whimbrel_proto::{
    name,
    v1::{self, secret::Kind},
};
use zeroize::Zeroizing;

use crate::{
    fault::{Fault, Policy},
    postgres::{Endpoint, MAINTENANCE_DATABASE, Password, pgpass},
};

/// A password is short; a larger file is not one.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// PostgreSQL's port when none is given.
const PORT_DEFAULT: u16 = 5432;

/// A password that can't be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The endpoint has no reference.
    #[error("resolving the password for {user}: no reference is given")]
    Missing {
        /// The role.
        user: String,
    },
    /// The endpoint itself can't be used.
    #[error("reading the endpoint: {field} {problem}")]
    Endpoint {
        /// The field.
        field: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
    /// `env:VAR` is not set, or is not UTF-8.
    #[error("resolving the password env:{variable}: {problem}")]
    Variable {
        /// The variable.
        variable: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// `file:PATH` can't be read.
    #[error("resolving the password file:{path}: {problem}")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// The password file can't be used.
    #[error("resolving the password pgpass: {0}")]
    Pgpass(#[from] pgpass::PgpassError),
    /// The password file has no line for it.
    #[error(
        "resolving the password pgpass: no line matches {address}, database {database}, user {user}"
    )]
    NoPgpassLine {
        /// `host:port`.
        address: String,
        /// Database.
        database: String,
        /// Role.
        user: String,
    },
    /// Sealed, but not to this agent, or not to the key that it has now.
    #[error("opening the sealed password: it was not sealed for the key of {agent}")]
    OtherKey {
        /// `agents/{agent}`: this one.
        agent: String,
    },
    /// Sealed to this key, but damaged.
    #[error("opening the sealed password: the bytes are damaged")]
    Damaged,
}

impl SecretError {
    /// Stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::OtherKey { .. } => "SealedForOtherKey",
            Self::Endpoint { .. } => "InvalidEndpoint",
            _ => "SecretNotResolvable",
        }
    }

    /// What to do.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Missing { .. } => {
                "give a password reference: env:VAR, file:PATH, pgpass, prompt or stdin"
            }
            Self::Endpoint { .. } => "give host, port and user of the server",
            Self::Variable { .. } => {
                "set the variable in the agent's environment and restart the agent"
            }
            Self::File { .. } => {
                "make the file on the agent's machine, readable by the agent's user"
            }
            Self::Pgpass(_) | Self::NoPgpassLine { .. } => {
                "add a line host:port:database:user:password to the password file of the agent's user (chmod 600)"
            }
            Self::OtherKey { .. } | Self::Damaged => {
                "give the password again: `whimbrel migration update NAME --target T --source-password prompt`, or \
                 `whimbrel target update T --password prompt`"
            }
        }
    }
}

impl From<SecretError> for Fault {
    fn from(error: SecretError) -> Self {
        Self::new(Policy::Credentials, error.code(), error.to_string()).remedy(error.remedy())
    }
}

/// What resolves references: this agent's name and its sealing key.
#[derive(Clone)]
pub struct Secrets {
    agent: String,
    key: SecretKey,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets").field("agent", &self.agent).finish_non_exhaustive()
    }
}

impl Secrets {
    /// `agent` is the bare name.
    #[must_use]
    pub fn new(agent: &str, key: SecretKey) -> Self {
        Self { agent: name::agent(agent), key }
    }

    /// The public half, which clients seal to.
    #[must_use]
    pub fn sealing_key(&self) -> PublicKey {
        self.key.public_key()
    }

    /// The endpoint with its password, for `database` (the password file can have one for each).
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn endpoint(
        &self,
        endpoint: &v1::Endpoint,
        database: &str,
    ) -> Result<Endpoint, SecretError> {
        let refuse = |field, problem| SecretError::Endpoint { field, problem };
        let port = match u16::try_from(endpoint.port) {
            Ok(0) => PORT_DEFAULT,
            Ok(port) => port,
            Err(_) => return Err(refuse("port", "is above 65535")),
        };
        if endpoint.host.is_empty() {
            return Err(refuse("host", "is empty"));
        }
        if endpoint.user.is_empty() {
            return Err(refuse("user", "is empty"));
        }
        let mut resolved = Endpoint {
            host: endpoint.host.clone(),
            port,
            user: endpoint.user.clone(),
            password: None,
            ssl_mode: endpoint.ssl_mode().into(),
        };
        resolved.password = Some(self.password(endpoint, &resolved, database)?);
        Ok(resolved)
    }

    /// As [`Secrets::endpoint`], for the server's own database and `databases`: the password file may have a line for one of those alone.
    ///
    /// # Errors
    /// [`SecretError`], of the server's own database.
    pub fn endpoint_of(
        &self,
        endpoint: &v1::Endpoint,
        databases: &[String],
    ) -> Result<Endpoint, SecretError> {
        let first = self.endpoint(endpoint, MAINTENANCE_DATABASE);
        if !matches!(first, Err(SecretError::NoPgpassLine { .. })) {
            return first;
        }
        let other = databases.iter().find_map(|database| self.endpoint(endpoint, database).ok());
        other.map_or(first, Ok)
    }

    fn password(
        &self,
        endpoint: &v1::Endpoint,
        at: &Endpoint,
        database: &str,
    ) -> Result<Password, SecretError> {
        let kind = endpoint.password.as_ref().and_then(|secret| secret.kind.as_ref());
        match kind.ok_or_else(|| SecretError::Missing { user: at.user.clone() })? {
            Kind::Env(variable) => from_variable(variable),
            Kind::File(path) => from_file(Path::new(path)),
            Kind::Pgpass(_) => from_pgpass(at, database),
            Kind::Sealed(sealed) => self.unseal(sealed),
        }
    }

    fn unseal(&self, sealed: &v1::SealedSecret) -> Result<Password, SecretError> {
        let ours = self.sealing_key();
        let copy = sealed
            .copies
            .iter()
            .find(|copy| copy.agent == self.agent && copy.sealing_key == ours.as_bytes())
            .ok_or_else(|| SecretError::OtherKey { agent: self.agent.clone() })?;
        let bytes = self.key.unseal(&copy.ciphertext).map_err(|_| SecretError::Damaged)?;
        String::from_utf8(bytes).map(Password::new).map_err(|error| {
            drop(Zeroizing::new(error.into_bytes()));
            SecretError::Damaged
        })
    }
}

fn from_variable(variable: &str) -> Result<Password, SecretError> {
    let refuse = |problem| SecretError::Variable { variable: variable.to_owned(), problem };
    // `var` panics on no name, but these are never the name of a variable.
    if variable.is_empty() || variable.contains(['=', '\0']) {
        return Err(refuse("is not the name of a variable"));
    }
    match env::var(variable) {
        Ok(text) => Ok(Password::new(text)),
        Err(env::VarError::NotPresent) => Err(refuse("is not set for the agent")),
        Err(env::VarError::NotUnicode(_)) => Err(refuse("is not UTF-8")),
    }
}

fn from_file(path: &Path) -> Result<Password, SecretError> {
    let refuse = |problem: String| SecretError::File { path: path.display().to_string(), problem };
    let file = fs::File::open(path).map_err(|error| refuse(error.to_string()))?;
    let mut text = Zeroizing::new(String::new());
    file.take(FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|error| refuse(error.to_string()))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(refuse("is longer than any password".to_owned()));
    }
    let password = text.strip_suffix('\n').unwrap_or(&text);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.is_empty() {
        return Err(refuse("is empty".to_owned()));
    }
    Ok(Password::new(password.to_owned()))
}

fn from_pgpass(at: &Endpoint, database: &str) -> Result<Password, SecretError> {
    // As libpq: the folders that servers are built to have their sockets in stand for this machine.
    let host = match at.host.as_str() {
        "/tmp" | "/var/run/postgresql" | "/run/postgresql" => "localhost",
        other => other,
    };
    let wanted = pgpass::Wanted { host, port: at.port, database, user: &at.user };
    pgpass::look_up(wanted)?.ok_or_else(|| SecretError::NoPgpassLine {
        address: at.address(),
        database: database.to_owned(),
        user: at.user.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(kind: Option<Kind>) -> v1::Endpoint {
        v1::Endpoint {
            host: "h".into(),
            user: "u".into(),
            password: Some(v1::Secret { kind }),
            ..Default::default()
        }
    }

    fn secrets() -> Secrets {
        Secrets::new("a", SecretKey::from_bytes([7; 32]))
    }

    fn sealed_to(agent: &str, key: &PublicKey, text: &[u8]) -> Kind {
        let copy = v1::SealedCopy {
            agent: agent.into(),
            sealing_key: key.as_bytes().to_vec(),
            ciphertext: key.seal(&mut crypto_box::aead::OsRng, text).unwrap(),
        };
        Kind::Sealed(v1::SealedSecret { copies: vec![copy] })
    }

    #[test]
    fn a_sealed_password_opens_only_here() {
        let ours = secrets();
        let kind = sealed_to("agents/a", &ours.sealing_key(), b"hush");
        let resolved = ours.endpoint(&endpoint(Some(kind)), "d").unwrap();
        assert_eq!(resolved.password.unwrap().expose(), "hush");
        assert_eq!(resolved.port, 5432);

        let other = SecretKey::from_bytes([8; 32]).public_key();
        for kind in [
            sealed_to("agents/a", &other, b"hush"),
            sealed_to("agents/b", &ours.sealing_key(), b"hush"),
        ] {
            let error = ours.endpoint(&endpoint(Some(kind)), "d").unwrap_err();
            assert_eq!(error.code(), "SealedForOtherKey");
        }
    }

    #[test]
    fn a_file_loses_one_newline() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().display().to_string();
        let read = || {
            let kind = Kind::File(path.clone());
            secrets().endpoint(&endpoint(Some(kind)), "d").map(|e| e.password.unwrap())
        };
        fs::write(file.path(), " hush \n\n").unwrap();
        assert_eq!(read().unwrap().expose(), " hush \n");
        fs::write(file.path(), "\n").unwrap();
        assert_eq!(read().unwrap_err().code(), "SecretNotResolvable");
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = |kind| secrets().endpoint(&endpoint(kind), "d").unwrap_err().to_string();
        assert!(error(Some(Kind::Env("NO_SUCH_VAR_HERE".into()))).contains("NO_SUCH_VAR_HERE"));
        assert!(error(Some(Kind::Env("A=B".into()))).contains("A=B"));
        assert!(error(Some(Kind::File("/no/such".into()))).contains("/no/such"));
        assert!(error(None).contains("no reference"));
        let fault = Fault::from(SecretError::Damaged);
        assert_eq!(fault.policy, Policy::Credentials);
    }
}
