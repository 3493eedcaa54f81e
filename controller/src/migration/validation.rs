//! What the checks found.
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The check that connecting is, as the agents name it.
const CONNECTING: &str = "AuthenticationAndConnectivityValidation";

/// Which checks are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// What no migration can do without, whatever the goal.
    Prerequisites,
    /// Everything.
    Preflight,
}

/// The outcome of a check. Ordered: the worst is the greatest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingState {
    /// Good.
    #[default]
    Succeeded,
    /// To be read; goes on.
    Warning,
    /// Ends the migration.
    Failed,
}

/// One thing found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad.
    pub state: FindingState,
    /// Stable code.
    pub code: String,
    /// What was found.
    pub message: String,
    /// What it speaks of.
    pub object: String,
    /// What to do.
    pub remedy: String,
}

/// One check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validation {
    /// Stable name of the check.
    pub kind: String,
    /// The worst of its findings.
    pub state: FindingState,
    /// What it found.
    pub findings: Vec<Finding>,
}

/// The checks of one database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseValidation {
    /// Its name.
    pub database: String,
    /// When the first check began.
    pub started_at: Option<Timestamp>,
    /// When the last one ended.
    pub ended_at: Option<Timestamp>,
    /// The checks.
    pub validations: Vec<Validation>,
}

/// All checks of one level, of one side or of both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidationDetails {
    /// When the first check began.
    pub started_at: Option<Timestamp>,
    /// When the last one ended.
    pub ended_at: Option<Timestamp>,
    /// About the servers.
    pub server: Vec<Validation>,
    /// About each database.
    pub databases: Vec<DatabaseValidation>,
}

impl ValidationDetails {
    /// The worst state of all findings.
    #[must_use]
    pub fn status(&self) -> FindingState {
        self.validations().map(worst).max().unwrap_or_default()
    }

    /// The first finding that failed.
    #[must_use]
    pub fn first_failed(&self) -> Option<Finding> {
        let failed = self.validations().find(|v| worst(v) == FindingState::Failed)?;
        let of_check = || Finding {
            state: FindingState::Failed,
            code: failed.kind.clone(),
            message: "the check failed".to_owned(),
            ..Finding::default()
        };
        Some(
            failed
                .findings
                .iter()
                .find(|f| f.state == FindingState::Failed)
                .cloned()
                .unwrap_or_else(of_check),
        )
    }

    /// How many of the servers that were tried let the agent in, and how many were tried.
    #[must_use]
    pub fn servers_reached(&self) -> (usize, usize) {
        let tried = || self.server.iter().filter(|v| v.kind == CONNECTING);
        let reached = tried().filter(|v| worst(v) != FindingState::Failed);
        (reached.count(), tried().count())
    }

    /// Adds what the other side found.
    pub fn merge(&mut self, other: Self) {
        self.started_at = earliest(self.started_at, other.started_at);
        self.ended_at = self.ended_at.max(other.ended_at);
        self.server.extend(other.server);
        for theirs in other.databases {
            match self.databases.iter_mut().find(|ours| ours.database == theirs.database) {
                Some(ours) => {
                    ours.started_at = earliest(ours.started_at, theirs.started_at);
                    ours.ended_at = ours.ended_at.max(theirs.ended_at);
                    ours.validations.extend(theirs.validations);
                }
                None => self.databases.push(theirs),
            }
        }
    }

    fn validations(&self) -> impl Iterator<Item = &Validation> {
        self.server.iter().chain(self.databases.iter().flat_map(|d| &d.validations))
    }
}

/// The state that the agent gave the check, or the worst of its findings if that is worse: a finding is never hidden.
fn worst(validation: &Validation) -> FindingState {
    validation.findings.iter().map(|f| f.state).fold(validation.state, Ord::max)
}

fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
