//! Debug for the messages that carry a secret: what they are, without what they hide.
use std::fmt;

use crate::{agent::v1::EnrolRequest, v1::JoinToken, v1::SealedCopy};

impl fmt::Debug for SealedCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedCopy").field("agent", &self.agent).finish_non_exhaustive()
    }
}

impl fmt::Debug for EnrolRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnrolRequest").field("agent_name", &self.agent_name).finish_non_exhaustive()
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken").field("expire_time", &self.expire_time).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_tells_no_secret() {
        let token = JoinToken { token: "hush".into(), ..Default::default() };
        let enrol = EnrolRequest { secret: b"hush".to_vec(), ..Default::default() };
        let copy = SealedCopy { ciphertext: b"hush".to_vec(), ..Default::default() };
        for text in [format!("{token:?}"), format!("{enrol:?}"), format!("{copy:?}")] {
            assert!(!text.contains("hush") && !text.contains("104"), "{text}");
        }
    }
}
