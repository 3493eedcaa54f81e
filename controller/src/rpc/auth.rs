//! The operators' credential.
use sha2::{Digest as _, Sha256};
use tonic::{Code, Request, Status};

use super::status::refuse;

/// The hash of the administrator's token.
#[derive(Clone)]
pub struct Credential([u8; 32]);

impl Credential {
    /// Of a token.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// Lets the request through, if it carries the token.
    pub(super) fn check(&self, request: Request<()>) -> Result<Request<()>, Status> {
        let header = request.metadata().get("authorization").and_then(|v| v.to_str().ok());
        let token = header.and_then(|h| h.strip_prefix("Bearer "));
        if token.is_some_and(|token| self.is(token)) {
            return Ok(request);
        }
        let message = match header {
            None => {
                "no credential: send `authorization: Bearer TOKEN`, with the token of the controller's admin.yaml"
            }
            Some(_) => "the credential is not this controller's: use the token of its admin.yaml",
        };
        Err(refuse(Code::Unauthenticated, "NotAuthenticated", message))
    }

    /// In the same time whatever differs: hashes are compared, and all of them.
    fn is(&self, token: &str) -> bool {
        let given: [u8; 32] = Sha256::digest(token).into();
        self.0.iter().zip(given).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
    }
}
