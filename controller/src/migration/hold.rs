//! A hold: why something stands still, beside the phase that it stands in.
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::event::{Failure, Policy};

/// What kind of standing still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldKind {
    /// The operator asked for it. `resume` ends it.
    Paused,
    /// A retry or a person can mend it. `retry` ends it.
    Held,
    /// The source's slot no longer has what the ledger needs.
    NeedsResync,
    /// No agent that may take the work has the password. `update` ends it.
    NeedsCredentials,
}

impl HoldKind {
    /// As the contract writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Paused => "Paused",
            Self::Held => "Held",
            Self::NeedsResync => "NeedsResync",
            Self::NeedsCredentials => "NeedsCredentials",
        }
    }
}

/// Why, since when, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Kind.
    pub kind: HoldKind,
    /// Stable code; empty for a pause.
    pub code: String,
    /// What was being done to what, and the cause.
    pub message: String,
    /// What to do.
    pub remedy: String,
    /// When it began.
    pub since: Timestamp,
}

impl Hold {
    /// The operator's pause.
    #[must_use]
    pub fn paused(since: Timestamp) -> Self {
        Self {
            kind: HoldKind::Paused,
            code: String::new(),
            message: "paused by the operator".to_owned(),
            remedy: "whimbrel migration resume".to_owned(),
            since,
        }
    }

    /// What an agent's failure leads to.
    #[must_use]
    pub fn of_failure(failure: &Failure, since: Timestamp) -> Self {
        let kind = match failure.policy {
            Policy::Resync => HoldKind::NeedsResync,
            Policy::Credentials => HoldKind::NeedsCredentials,
            Policy::Retry | Policy::Away | Policy::Hold | Policy::Fail | Policy::Fenced => {
                HoldKind::Held
            }
        };
        let Failure { code, message, remedy, .. } = failure.clone();
        Self { kind, code, message, remedy, since }
    }
}
