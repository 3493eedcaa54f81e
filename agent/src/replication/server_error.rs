//! The server's ErrorResponse, without DETAIL, HINT and CONTEXT.
use bytes::Bytes;

use super::reader::{ReadError, Reader};
use crate::postgres::{ErrorOrigin, safe_message};

/// What the server says went wrong (PostgreSQL manual, "Error and Notice Message Fields").
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{severity}: {message} (SQLSTATE {sqlstate})")]
pub struct ServerError {
    /// ERROR, FATAL or PANIC; never translated where the server tells it so (9.6 and later).
    pub severity: String,
    /// Five characters.
    pub sqlstate: String,
    /// The primary message, made fit for a log by [`safe_message`].
    pub message: String,
}

impl ServerError {
    /// Reads the body of an ErrorResponse.
    pub(super) fn read(body: Bytes) -> Result<Self, ReadError> {
        let mut reader = Reader::new(body);
        let (mut translated, mut severity) = (String::new(), None);
        let (mut sqlstate, mut message) = (String::new(), String::new());
        let (mut routine, mut context) = (None, None);
        loop {
            let field = reader.u8("error field")?;
            if field == 0 {
                break;
            }
            let bytes = reader.cstr("error field")?;
            // Before the session has its encoding, the server may speak another one: better a mark than no error.
            let text = || String::from_utf8_lossy(&bytes).into_owned();
            match field {
                b'S' => translated = text(),
                b'V' => severity = Some(text()),
                b'C' => sqlstate = text(),
                b'M' => message = text(),
                b'R' => routine = Some(text()),
                b'W' => context = Some(text()),
                _ => {}
            }
        }
        let origin = ErrorOrigin {
            sqlstate: &sqlstate,
            routine: routine.as_deref(),
            context: context.as_deref(),
        };
        let message = safe_message(&origin, &message);
        Ok(Self { severity: severity.unwrap_or(translated), sqlstate, message })
    }

    /// Whether a new connection may do better: connection, resources, an object in use (a slot that another connection
    /// holds still), shutdown, a cancelled statement.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        let class = self.sqlstate.get(..2).unwrap_or_default();
        matches!(class, "08" | "40" | "57" | "58")
            || matches!(self.sqlstate.as_str(), "53300" | "55006" | "55P03")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detail_and_context_are_dropped() {
        let body = b"SERROR\0VERROR\0C55006\0Mslot is active\0Drow hush\0Wcontext hush\0\0";
        let error = ServerError::read(Bytes::from_static(body)).unwrap();
        assert_eq!(error.to_string(), "ERROR: slot is active (SQLSTATE 55006)");
        assert!(error.is_transient());
        assert!(ServerError::read(Bytes::from_static(b"Mno end")).is_err());
    }
}
