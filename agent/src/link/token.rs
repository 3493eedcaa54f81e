//! The join token: where the controller is, which CA it must have, and a secret that is good once.
use std::fmt;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use zeroize::Zeroizing;

const PREFIX: &str = "whj1.";
/// SHA-256.
const FINGERPRINT_BYTES: usize = 32;

/// The text is not a join token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("reading the join token: {problem}; make one with `whimbrel agent token create`")]
pub struct TokenError {
    problem: &'static str,
}

/// A join token, read.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// `host:port` of the controller, in the order to be tried.
    pub addresses: Vec<String>,
    /// SHA-256 of the CA's certificate (DER).
    pub ca_fingerprint: [u8; FINGERPRINT_BYTES],
    /// Spent by enrolment.
    pub(super) secret: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// The token's JSON. `expires` is not looked at here: the controller's clock decides.
#[derive(Deserialize)]
struct Document {
    v: u32,
    addresses: Vec<String>,
    ca: String,
    secret: String,
}

impl JoinToken {
    /// Reads `whj1.…`; space around it is not part of it.
    ///
    /// # Errors
    /// [`TokenError`], which does not repeat the token.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let refuse = |problem| TokenError { problem };
        let body =
            text.trim().strip_prefix(PREFIX).ok_or(refuse("it does not start with whj1."))?;
        let json = BASE64_URL_SAFE_NO_PAD
            .decode(body.trim_end_matches('='))
            .map(Zeroizing::new)
            .map_err(|_| refuse("it is damaged (not base64url): copy it whole"))?;
        let document: Document =
            serde_json::from_slice(&json).map_err(|_| refuse("it is damaged: copy it whole"))?;
        let secret = Zeroizing::new(document.secret);
        if document.v != 1 {
            return Err(refuse("it is of a later version: use a newer agent"));
        }
        if document.addresses.is_empty() {
            return Err(refuse("it names no controller"));
        }
        let ca_fingerprint =
            fingerprint(&document.ca).ok_or(refuse("its CA fingerprint is damaged"))?;
        let secret = BASE64_URL_SAFE_NO_PAD
            .decode(secret.trim_end_matches('='))
            .map(Zeroizing::new)
            .map_err(|_| refuse("its secret is damaged"))?;
        Ok(Self { addresses: document.addresses, ca_fingerprint, secret })
    }
}

fn fingerprint(hex: &str) -> Option<[u8; FINGERPRINT_BYTES]> {
    let mut bytes = [0; FINGERPRINT_BYTES];
    let digits = hex.as_bytes();
    if digits.len() != 2 * FINGERPRINT_BYTES {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |d: u8| char::from(d).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(json: &str) -> String {
        format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(json))
    }

    #[test]
    fn a_token_is_read() {
        let ca = "0aff".repeat(16);
        let json = format!(
            r#"{{"v":1,"addresses":["c:7443"],"ca":"{ca}","secret":"aHVzaA","expires":1}}"#
        );
        let read = JoinToken::parse(&format!(" {}\n", token(&json))).unwrap();
        assert_eq!(read.addresses, ["c:7443"]);
        assert_eq!(read.ca_fingerprint[..2], [0x0a, 0xff]);
        assert_eq!(read.secret.as_slice(), b"hush");
        assert!(!format!("{read:?}").contains("104"));
    }

    #[test]
    fn what_is_no_token_is_refused_without_being_told() {
        for text in ["", "whj1.", "whj1.%%%", "whj2.abc", &token("{}"), &token("[1]")] {
            let error = JoinToken::parse(text).unwrap_err().to_string();
            assert!(text.is_empty() || text.len() < 6 || !error.contains(text));
        }
    }
}
