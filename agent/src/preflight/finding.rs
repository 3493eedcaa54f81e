//! Findings, and how they add up.
use std::time::SystemTime;

use prost_types::Timestamp;
use whimbrel_proto::v1::{
    DatabaseValidation, Finding, FindingState, Validation, ValidationDetails,
};

use super::check::{At, Check};
use crate::{
    fault::{Fault, Policy},
    postgres::ConnectError,
};

/// Findings of one check on one server or database that are told. A report is one message on the link, and a person
/// mends classes of findings; the rest is counted.
const FINDINGS_MAX: usize = 200;

/// Names in one finding that are spelled out; the rest is counted.
const NAMES_MAX: usize = 20;

/// One thing that a check found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    state: FindingState,
    code: &'static str,
    message: String,
    object: String,
    remedy: String,
}

impl Found {
    /// The migration can't be done as it stands.
    pub(super) fn failed(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(FindingState::FindingFailed, code, message.into())
    }

    /// The migration can be done; somebody should know.
    pub(super) fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(FindingState::FindingWarning, code, message.into())
    }

    /// Nothing is wrong; somebody wants to know.
    pub(super) fn note(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(FindingState::FindingSucceeded, code, message.into())
    }

    fn new(state: FindingState, code: &'static str, message: String) -> Self {
        Self { state, code, message, object: String::new(), remedy: String::new() }
    }

    /// What it speaks of.
    #[must_use]
    pub(super) fn object(mut self, object: impl Into<String>) -> Self {
        self.object = object.into();
        self
    }

    /// What mends it.
    #[must_use]
    pub(super) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }

    /// A server or database that could not be connected to.
    pub(super) fn not_connected(error: &ConnectError, object: &str) -> Self {
        Self::failed(error.code(), error.to_string()).object(object).remedy(error.remedy())
    }

    /// A check that could not be made. Before what no migration can do without, that fails.
    pub(super) fn impossible(fault: Fault, at: At) -> Self {
        let state = match at {
            At::Prerequisites => FindingState::FindingFailed,
            At::Preflight => FindingState::FindingWarning,
        };
        let message = format!("the check could not be made: {}", fault.message);
        if fault.policy == Policy::Away {
            return Self::failed("CheckInterrupted", message).remedy(fault.remedy);
        }
        Self::new(state, "CheckImpossible", message).remedy(fault.remedy)
    }
}

impl From<Found> for Finding {
    fn from(found: Found) -> Self {
        Self {
            state: found.state.into(),
            code: found.code.to_owned(),
            message: found.message,
            object: found.object,
            remedy: found.remedy,
        }
    }
}

/// "public.a, public.b and 3 more".
pub(super) fn listed(names: &[String]) -> String {
    let shown = names.len().min(NAMES_MAX);
    let mut text = names[..shown].join(", ");
    if names.len() > shown {
        text.push_str(&format!(" and {} more", names.len() - shown));
    }
    text
}

/// What a check led to.
pub(super) fn judge(check: &Check, looked: Result<Vec<Found>, Fault>) -> Validation {
    let found = match looked {
        Ok(found) => found,
        Err(fault) => vec![Found::impossible(fault, check.at)],
    };
    validation(check.type_name, found)
}

/// A check with what it found.
pub(super) fn validation(type_name: &str, mut found: Vec<Found>) -> Validation {
    // Failures first, so that what is left out is the lesser.
    found.sort_by_key(|found| std::cmp::Reverse(found.state as i32));
    let state = worst(found.iter().map(|found| found.state as i32));
    if found.len() > FINDINGS_MAX {
        let rest = found.split_off(FINDINGS_MAX);
        let message = format!("{} more findings of this check are not listed", rest.len());
        found.push(
            Found::new(rest[0].state, rest[0].code, message).remedy("-- mend those listed first"),
        );
    }
    Validation {
        r#type: type_name.to_owned(),
        state: state.into(),
        findings: found.into_iter().map(Finding::from).collect(),
    }
}

/// All of a server's checks.
pub(super) fn details(
    start_time: Timestamp,
    server: Vec<Validation>,
    databases: Vec<DatabaseValidation>,
) -> ValidationDetails {
    let of_databases = databases.iter().flat_map(|database| &database.validations);
    let status = worst(server.iter().chain(of_databases).map(|validation| validation.state));
    ValidationDetails {
        status: status.into(),
        start_time: Some(start_time),
        end_time: Some(now()),
        server,
        databases,
    }
}

/// The states' numbers grow with how much they matter; nothing found is a success.
fn worst(states: impl Iterator<Item = i32>) -> FindingState {
    let states = states.filter_map(|state| FindingState::try_from(state).ok());
    states.fold(FindingState::FindingSucceeded, std::cmp::max)
}

/// The wall clock, for people.
pub(super) fn now() -> Timestamp {
    SystemTime::now().into()
}
