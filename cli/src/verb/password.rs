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

/// What an option's SECRET turned out to be.
pub(crate) enum Found {
    /// For the agent to look up.
    Reference(Secret),
    /// Read here, still to be sealed.
    Password(Password),
}

/// Reads what is to be read here.
///
/// # Errors
/// Not a SECRET; nothing to read.
pub(crate) fn find(reader: &mut Reader, asked: &Asked<'_>) -> Result<Found, Failure> {
    Ok(match secret::parse(asked.option, asked.text)? {
        Reference::Agent(secret) => Found::Reference(secret),
        Reference::Prompt => Found::Password(reader.prompt(asked.option, asked.whose)?),
        Reference::Stdin => Found::Password(reader.stdin(asked.option)?),
    })
}

/// Seals a password to the agent (`agents/{agent}`) that is to open it.
///
/// # Errors
/// No such agent; a key that can't be sealed to.
pub(crate) async fn seal_to(
    session: &Session,
    password: &Password,
    agent: &str,
) -> Result<Secret, Failure> {
    let recipient = secret::recipient(&session.client, agent).await?;
    Ok(secret::seal(password, &[recipient])?)
}
