//! From a wire to a session: startup, authentication, parameters.
use std::collections::HashMap;

use bytes::Bytes;
use postgres_protocol::{
    authentication::{
        md5_hash,
        sasl::{ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256},
    },
    message::frontend,
};

use super::{
    error::ReplicationError,
    frames::{Frame, Frames},
    reader::{ReadError, Reader},
    server_error::ServerError,
};
use crate::postgres::{ConnectError, ConnectProblem, Endpoint, Password, SESSION_OPTIONS};

const DOING: &str = "logging in";

/// What the server tells at login.
#[derive(Debug, Default)]
pub(super) struct LoggedIn {
    pub(super) parameters: HashMap<String, String>,
    /// Process and secret key, for cancelling.
    pub(super) key: (i32, i32),
}

/// What answers at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    /// A walsender, of a database.
    Walsender,
    /// An ordinary backend.
    Backend,
}

/// Logs in.
pub(super) async fn login(
    frames: &mut Frames,
    endpoint: &Endpoint,
    database: &str,
    purpose: &str,
    peer: Peer,
) -> Result<LoggedIn, ReplicationError> {
    let application = format!("whimbrel/{purpose}");
    // A walsender needs REPLICATION and nothing else, and who has no such right of its own can't log in as one.
    let options = match peer {
        Peer::Walsender => format!("{SESSION_OPTIONS} -c role=none"),
        Peer::Backend => SESSION_OPTIONS.to_owned(),
    };
    let mut parameters = vec![
        ("user", endpoint.user.as_str()),
        ("database", database),
        ("client_encoding", "UTF8"),
        ("application_name", &application),
        ("options", &options),
    ];
    if peer == Peer::Walsender {
        parameters.push(("replication", "database"));
    }
    let mut login = Login { frames, endpoint, database };
    frontend::startup_message(parameters, login.frames.outbox())
        .map_err(|error| ReplicationError::Io { doing: DOING, error })?;
    login.frames.flush(DOING).await?;
    login.authenticate().await?;
    login.until_ready().await
}

struct Login<'a> {
    frames: &'a mut Frames,
    endpoint: &'a Endpoint,
    database: &'a str,
}

/// What the server asks for, by the number in an Authentication message.
mod request {
    pub(super) const OK: u32 = 0;
    pub(super) const CLEARTEXT: u32 = 3;
    pub(super) const MD5: u32 = 5;
    pub(super) const SASL: u32 = 10;
    pub(super) const SASL_CONTINUE: u32 = 11;
    pub(super) const SASL_FINAL: u32 = 12;
}

impl Login<'_> {
    fn problem(&self, problem: ConnectProblem, cause: impl Into<String>) -> ReplicationError {
        ConnectError::new(problem, self.endpoint, self.database, cause).into()
    }

    fn malformed(cause: ReadError) -> ReplicationError {
        ReplicationError::Malformed { doing: DOING, cause }
    }

    /// A refusal at login is a [`ConnectError`], as for ordinary sessions.
    fn refuse(&self, frame: Frame) -> ReplicationError {
        if frame.tag != b'E' {
            return frame.refuse(DOING);
        }
        match ServerError::read(frame.body) {
            Ok(ServerError { sqlstate, message, .. }) => {
                ConnectError::from_server(self.endpoint, self.database, &sqlstate, &message).into()
            }
            Err(cause) => Self::malformed(cause),
        }
    }

    async fn request(&mut self) -> Result<(u32, Reader), ReplicationError> {
        loop {
            let frame = self.frames.next(DOING).await?;
            match frame.tag {
                b'R' => {
                    let mut reader = Reader::new(frame.body);
                    let kind = reader.u32("authentication request").map_err(Self::malformed)?;
                    return Ok((kind, reader));
                }
                b'N' => {}
                _ => return Err(self.refuse(frame)),
            }
        }
    }

    fn password(&self) -> Result<Password, ReplicationError> {
        self.endpoint.password.clone().ok_or_else(|| {
            self.problem(ConnectProblem::PasswordMissing, "the server asks for a password")
        })
    }

    async fn send_password(&mut self, text: &[u8]) -> Result<(), ReplicationError> {
        frontend::password_message(text, self.frames.outbox())
            .map_err(|error| ReplicationError::Io { doing: DOING, error })?;
        self.frames.flush(DOING).await
    }

    async fn authenticate(&mut self) -> Result<(), ReplicationError> {
        let (kind, mut reader) = self.request().await?;
        match kind {
            request::OK => return Ok(()),
            request::CLEARTEXT => {
                let password = self.password()?;
                self.send_password(password.expose().as_bytes()).await?;
            }
            request::MD5 => {
                let salt = reader.take("md5 salt", 4).map_err(Self::malformed)?;
                let salt = [salt[0], salt[1], salt[2], salt[3]];
                let password = self.password()?;
                let user = self.endpoint.user.as_bytes();
                let hash = md5_hash(user, password.expose().as_bytes(), salt);
                self.send_password(hash.as_bytes()).await?;
            }
            request::SASL => self.scram(reader).await?,
            other => {
                let cause = format!("the server asks for authentication method {other}");
                let problem = ConnectProblem::AuthenticationMethodUnsupported;
                return Err(self.problem(problem, cause));
            }
        }
        match self.request().await? {
            (request::OK, _) => Ok(()),
            (other, _) => {
                let cause = format!("unexpected authentication request {other}");
                Err(self.problem(ConnectProblem::NotPostgres, cause))
            }
        }
    }

    /// SCRAM-SHA-256, bound to the TLS channel where both sides can.
    async fn scram(&mut self, reader: Reader) -> Result<(), ReplicationError> {
        let offered = mechanisms(reader).map_err(Self::malformed)?;
        let (plus, plain) = (
            offered.iter().any(|name| name == SCRAM_SHA_256_PLUS),
            offered.iter().any(|name| name == SCRAM_SHA_256),
        );
        let (binding, mechanism) = match self.frames.wire().channel_binding() {
            Some(hash) if plus => (ChannelBinding::tls_server_end_point(hash), SCRAM_SHA_256_PLUS),
            // We could, the server says it can't: it checks that nobody made it say so.
            Some(_) if plain => (ChannelBinding::unrequested(), SCRAM_SHA_256),
            None if plain => (ChannelBinding::unsupported(), SCRAM_SHA_256),
            _ => {
                let cause = "the server offers no SASL mechanism that is known here";
                let problem = ConnectProblem::AuthenticationMethodUnsupported;
                return Err(self.problem(problem, cause));
            }
        };
        let password = self.password()?;
        let mut scram = ScramSha256::new(password.expose().as_bytes(), binding);
        let lost = |error| ReplicationError::Io { doing: DOING, error };
        frontend::sasl_initial_response(mechanism, scram.message(), self.frames.outbox())
            .map_err(lost)?;
        self.frames.flush(DOING).await?;
        let challenge = self.sasl(request::SASL_CONTINUE).await?;
        scram.update(&challenge).map_err(|error| self.scram_failed(&error))?;
        frontend::sasl_response(scram.message(), self.frames.outbox()).map_err(lost)?;
        self.frames.flush(DOING).await?;
        let last = self.sasl(request::SASL_FINAL).await?;
        scram.finish(&last).map_err(|error| self.scram_failed(&error))
    }

    fn scram_failed(&self, error: &std::io::Error) -> ReplicationError {
        self.problem(ConnectProblem::AuthenticationFailed, format!("SCRAM: {error}"))
    }

    async fn sasl(&mut self, wanted: u32) -> Result<Bytes, ReplicationError> {
        match self.request().await? {
            (kind, mut reader) if kind == wanted => Ok(reader.rest()),
            (other, _) => {
                let cause = format!("unexpected authentication request {other}");
                Err(self.problem(ConnectProblem::NotPostgres, cause))
            }
        }
    }

    async fn until_ready(&mut self) -> Result<LoggedIn, ReplicationError> {
        let mut told = LoggedIn::default();
        loop {
            let frame = self.frames.next(DOING).await?;
            match frame.tag {
                b'S' => {
                    let mut reader = Reader::new(frame.body);
                    let name = reader.name("parameter").map_err(Self::malformed)?;
                    let value = reader.name("parameter").map_err(Self::malformed)?;
                    told.parameters.insert(name, value);
                }
                b'K' => {
                    let mut reader = Reader::new(frame.body);
                    let process = reader.i32("process").map_err(Self::malformed)?;
                    told.key = (process, reader.i32("secret key").map_err(Self::malformed)?);
                }
                b'N' => {}
                b'Z' => return Ok(told),
                _ => return Err(self.refuse(frame)),
            }
        }
    }
}

fn mechanisms(mut reader: Reader) -> Result<Vec<String>, ReadError> {
    let mut names = Vec::new();
    loop {
        let name = reader.name("SASL mechanism")?;
        if name.is_empty() {
            return Ok(names);
        }
        names.push(name);
    }
}
