//! Reads a password here: from the terminal, or from standard input.
use std::io::{self, Read as _};

use zeroize::Zeroizing;

use super::{Password, SecretError};

/// Longest password that is read, so that a wrong pipe does not fill the memory. PostgreSQL itself takes less than
/// 1 kB of a password.
const PASSWORD_MAX: u64 = 64 * 1024;

/// Reads passwords, standard input once at most.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    stdin_is_read: bool,
}

impl Reader {
    /// Asks at the terminal.
    ///
    /// # Errors
    /// No terminal; nothing typed.
    pub(crate) fn prompt(
        &self,
        option: &'static str,
        whose: &str,
    ) -> Result<Password, SecretError> {
        let typed = rpassword::prompt_password(format!("{whose}: "))
            .map_err(|source| SecretError::Prompt { option, source })?;
        checked(option, Zeroizing::new(typed))
    }

    /// Reads all of standard input; one trailing newline is not part of the password.
    ///
    /// # Errors
    /// Second use; not readable; nothing there.
    pub(crate) fn stdin(&mut self, option: &'static str) -> Result<Password, SecretError> {
        if std::mem::replace(&mut self.stdin_is_read, true) {
            return Err(SecretError::StdinTwice { option });
        }
        checked(option, read_all(option, io::stdin().lock())?)
    }
}

fn read_all(option: &'static str, from: impl io::Read) -> Result<Password, SecretError> {
    let mut text = Zeroizing::new(String::new());
    let refuse = |source| SecretError::Read { option, source };
    from.take(PASSWORD_MAX + 1).read_to_string(&mut text).map_err(refuse)?;
    if text.len() as u64 > PASSWORD_MAX {
        return Err(refuse(io::Error::other("it is longer than 64 KiB")));
    }
    Ok(without_newline(text))
}

fn without_newline(mut text: Password) -> Password {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

fn checked(option: &'static str, password: Password) -> Result<Password, SecretError> {
    if password.is_empty() { Err(SecretError::Empty { option }) } else { Ok(password) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_trailing_newline_is_not_part_of_it() {
        for (given, expected) in
            [("pw", "pw"), ("pw\n", "pw"), ("pw\r\n", "pw"), ("pw\n\n", "pw\n")]
        {
            assert_eq!(read_all("o", given.as_bytes()).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn too_much_or_nothing_is_refused() {
        let endless = io::repeat(b'x');
        assert!(matches!(read_all("o", endless), Err(SecretError::Read { .. })));
        assert!(matches!(checked("o", Password::default()), Err(SecretError::Empty { .. })));
    }

    #[test]
    fn standard_input_is_read_once() {
        let mut reader = Reader { stdin_is_read: true };
        assert!(matches!(reader.stdin("o"), Err(SecretError::StdinTwice { .. })));
    }
}
