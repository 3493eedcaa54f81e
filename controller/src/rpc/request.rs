//! Request ids: the same one again has no second effect.
use jiff::Timestamp;
use prost::Message;
use sha2::{Digest as _, Sha256};
use tonic::Status;
use uuid::Uuid;

use super::{
    Rpc,
    status::{invalid_field, of_driver},
};
use crate::store::{Memo, StoreError};

/// What is known of a request with an id.
pub(super) enum Repeated {
    /// New, or without an id: do it, and remember it.
    No(Option<Memo>),
    /// Done before: answer from this subject.
    Yes(String),
}

impl Rpc {
    /// Whether the request was taken in before. `subject` is what its answer is made from.
    pub(super) async fn repeated(
        &self,
        id: &str,
        method: &str,
        content: &[u8],
        subject: String,
    ) -> Result<Repeated, Status> {
        let Some(uuid) = uuid(id)? else { return Ok(Repeated::No(None)) };
        let memo = Memo {
            id: uuid.to_string(),
            method: method.to_owned(),
            request_hash: Sha256::digest(content).to_vec(),
            subject,
            at: Timestamp::now(),
        };
        match self.driver.replayed(&memo).await.map_err(of_driver)? {
            Some(subject) => Ok(Repeated::Yes(subject)),
            None => Ok(Repeated::No(Some(memo))),
        }
    }

    /// As `repeated`, for a message whose encoding is always the same (one without maps).
    pub(super) async fn repeated_message(
        &self,
        id: &str,
        method: &str,
        message: &impl Message,
        subject: &str,
    ) -> Result<Repeated, Status> {
        self.repeated(id, method, &message.encode_to_vec(), subject.to_owned()).await
    }
}

/// The same request was under way when this one was looked up, and has done it: that is as good.
pub(super) fn done_by_another(error: &StoreError) -> bool {
    matches!(error, StoreError::RequestRepeated { .. })
}

/// The id, when there is one.
pub(super) fn uuid(id: &str) -> Result<Option<Uuid>, Status> {
    if id.is_empty() {
        return Ok(None);
    }
    Uuid::try_parse(id).map(Some).map_err(|_| invalid_field("request_id", "is not a UUID"))
}
