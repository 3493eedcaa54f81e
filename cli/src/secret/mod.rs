//! SECRET: a password by reference. What the agent looks up goes as a name; what is read here is sealed to the agents
//! that take the work before it leaves this process. A password is never printed, logged or put in an error.
mod read;
mod seal;

use std::io;

use whimbrel_proto::v1::{Pgpass, Secret, secret::Kind};
use zeroize::Zeroizing;

use crate::args::SecretArg;
pub(crate) use read::Reader;
pub(crate) use seal::{recipient, seal};

/// A password, wiped when dropped.
pub(crate) type Password = Zeroizing<String>;

/// What a SECRET says.
#[derive(Debug, PartialEq)]
pub(crate) enum Reference {
    /// For the agent to look up.
    Agent(Secret),
    /// To be asked for, here.
    Prompt,
    /// To be read from standard input, here.
    Stdin,
}

/// A password can't be read or sealed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    /// Not one of the forms. The text is not repeated: it may be the password.
    #[error(
        "{option} takes a reference, not a password: env:VAR, file:PATH or pgpass (looked up by the agent, on its machine), prompt or stdin (read here and sealed)"
    )]
    Form {
        /// The option.
        option: &'static str,
    },
    /// Two passwords from one standard input.
    #[error(
        "{option}: standard input was already read for another password; use prompt or a reference"
    )]
    StdinTwice {
        /// The option.
        option: &'static str,
    },
    /// Reading failed.
    #[error("can't read the password for {option}: {source}")]
    Read {
        /// The option.
        option: &'static str,
        /// Why.
        source: io::Error,
    },
    /// There is nobody to ask.
    #[error(
        "can't ask for the password for {option} at a terminal ({source}): use stdin, or a reference (env:VAR, file:PATH, pgpass)"
    )]
    Prompt {
        /// The option.
        option: &'static str,
        /// Why.
        source: io::Error,
    },
    /// Nothing was given.
    #[error("the password for {option} is empty")]
    Empty {
        /// The option.
        option: &'static str,
    },
    /// The agent has no key that can be sealed to.
    #[error(
        "can't seal a password to {agent}: its sealing key is not an X25519 key; use env:VAR, file:PATH or pgpass, or let the agent join again"
    )]
    Key {
        /// `agents/{agent}`.
        agent: String,
    },
}

/// Reads what a SECRET says.
///
/// # Errors
/// [`SecretError::Form`].
pub(crate) fn parse(option: &'static str, text: &SecretArg) -> Result<Reference, SecretError> {
    match text.expose() {
        "prompt" => Ok(Reference::Prompt),
        "stdin" => Ok(Reference::Stdin),
        text => reference(text).map(Reference::Agent).ok_or(SecretError::Form { option }),
    }
}

/// The reference for an agent that the text is, if it is one.
pub(crate) fn reference(text: &str) -> Option<Secret> {
    let kind = match text.split_once(':') {
        Some(("env", name)) if is_variable(name) => Kind::Env(name.to_owned()),
        Some(("file", path)) if !path.is_empty() => Kind::File(path.to_owned()),
        None if text == "pgpass" => Kind::Pgpass(Pgpass {}),
        _ => return None,
    };
    Some(Secret { kind: Some(kind) })
}

fn is_variable(name: &str) -> bool {
    let head = name.bytes().next();
    head.is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Reference, SecretError> {
        parse("--password", &text.parse().unwrap())
    }

    #[test]
    fn references_go_to_the_agent_as_they_are() {
        for (text, kind) in [
            ("env:PW", Kind::Env("PW".into())),
            ("file:/run/pw", Kind::File("/run/pw".into())),
            ("pgpass", Kind::Pgpass(Pgpass {})),
        ] {
            assert_eq!(parsed(text).unwrap(), Reference::Agent(Secret { kind: Some(kind) }));
        }
        assert_eq!(parsed("prompt").unwrap(), Reference::Prompt);
        assert_eq!(parsed("stdin").unwrap(), Reference::Stdin);
    }

    #[test]
    fn a_password_is_refused_and_not_repeated() {
        for text in ["hunter2", "", "env:", "env:1x", "env:a-b", "file:", "PGPASS", "vault:x"] {
            let message = parsed(text).unwrap_err().to_string();
            assert!(text.is_empty() || !message.contains("hunter2"), "{message}");
            assert!(message.starts_with("--password takes a reference"), "{message}");
        }
    }
}
