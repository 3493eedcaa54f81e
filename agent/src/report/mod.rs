//! What is left to do by hand after a migration: what of a server no migration carries.
//!
//! The source's agent tells what it sees ([`look_around`]), the target's agent takes away what is there too and says what
//! to do about the rest ([`advise`]). Nothing is changed. What always holds: no password, no statement of an application and
//! no row is told; what our role may not read is an item itself, so that nothing is left out in silence.
mod advise;
mod looks;
mod rights;

pub use advise::{AdviceInput, advise, look_around};

use serde::{Deserialize, Serialize};
use whimbrel_proto::v1::{Finding, FindingState, ReportItem};

/// One thing to do, or to know.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Item {
    topic: String,
    /// Empty: the server.
    #[serde(default)]
    database: String,
    /// Somebody has to do something.
    to_do: bool,
    code: String,
    object: String,
    message: String,
    remedy: String,
}

impl From<Item> for ReportItem {
    fn from(item: Item) -> Self {
        let state =
            if item.to_do { FindingState::FindingWarning } else { FindingState::FindingSucceeded };
        Self {
            topic: item.topic,
            database: item.database,
            finding: Some(Finding {
                state: state.into(),
                code: item.code,
                message: item.message,
                object: item.object,
                remedy: item.remedy,
            }),
        }
    }
}
