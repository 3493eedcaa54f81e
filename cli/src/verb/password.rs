//! From a SECRET to what goes over the wire.
use whimbrel_proto::v1::Secret;

use super::Session;
use crate::{
    args::SecretArg,
    failure::Failure,
    secret::{self, Password, Reader, Reference},
};

/// A password that an option names.
pub(crate) struct Asked<'a> {
    /// The option, for messages.
    pub(crate) option: &'static str,
    /// What the prompt says.
    pub(crate) whose: &'a str,
    /// The SECRET.
    pub(crate) text: &'a SecretArg,
}

/// A reference as it is; a password that is read here sealed to `agents` (`agents/{agent}`).
pub(crate) async fn resolve(
    session: &Session,
    reader: &mut Reader,
    asked: &Asked<'_>,
    agents: &[String],
) -> Result<Secret, Failure> {
    let password = match secret::parse(asked.option, asked.text)? {
        Reference::Agent(secret) => return Ok(secret),
        Reference::Prompt => reader.prompt(asked.option, asked.whose)?,
        Reference::Stdin => reader.stdin(asked.option)?,
    };
    seal_to(session, &password, agents).await
}

/// Seals a password to these agents.
pub(crate) async fn seal_to(
    session: &Session,
    password: &Password,
    agents: &[String],
) -> Result<Secret, Failure> {
    let recipients = secret::recipients(&session.client, agents).await?;
    Ok(secret::seal(password, &recipients)?)
}
