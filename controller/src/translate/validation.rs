//! Findings, both ways.
use whimbrel_proto::v1;

use super::{time_in, time_out};
use crate::migration::{DatabaseValidation, Finding, FindingState, Validation, ValidationDetails};

/// What an agent found.
#[must_use]
pub fn validation_in(details: v1::ValidationDetails) -> ValidationDetails {
    let databases = details.databases.into_iter().map(|d| DatabaseValidation {
        database: d.database,
        started_at: d.start_time.as_ref().and_then(time_in),
        ended_at: d.end_time.as_ref().and_then(time_in),
        validations: d.validations.into_iter().map(check_in).collect(),
    });
    ValidationDetails {
        started_at: details.start_time.as_ref().and_then(time_in),
        ended_at: details.end_time.as_ref().and_then(time_in),
        server: details.server.into_iter().map(check_in).collect(),
        databases: databases.collect(),
    }
}

fn check_in(check: v1::Validation) -> Validation {
    let findings = check.findings.into_iter().map(|f| Finding {
        state: state_in(f.state),
        code: f.code,
        message: f.message,
        object: f.object,
        remedy: f.remedy,
    });
    Validation { kind: check.r#type, state: state_in(check.state), findings: findings.collect() }
}

fn state_in(state: i32) -> FindingState {
    match v1::FindingState::try_from(state) {
        // A check that says nothing has nothing to say against going on.
        Ok(v1::FindingState::Unspecified | v1::FindingState::FindingSucceeded) => {
            FindingState::Succeeded
        }
        Ok(v1::FindingState::FindingWarning) => FindingState::Warning,
        // A state that a newer agent invented is not taken for a success.
        Ok(v1::FindingState::FindingFailed) | Err(_) => FindingState::Failed,
    }
}

/// For operators.
#[must_use]
pub fn validation_out(details: &ValidationDetails) -> v1::ValidationDetails {
    let databases = details.databases.iter().map(|d| v1::DatabaseValidation {
        database: d.database.clone(),
        start_time: d.started_at.map(time_out),
        end_time: d.ended_at.map(time_out),
        validations: d.validations.iter().map(check_out).collect(),
    });
    v1::ValidationDetails {
        status: state_out(details.status()),
        start_time: details.started_at.map(time_out),
        end_time: details.ended_at.map(time_out),
        server: details.server.iter().map(check_out).collect(),
        databases: databases.collect(),
    }
}

fn check_out(check: &Validation) -> v1::Validation {
    let findings = check.findings.iter().map(|f| v1::Finding {
        state: state_out(f.state),
        code: f.code.clone(),
        message: f.message.clone(),
        object: f.object.clone(),
        remedy: f.remedy.clone(),
    });
    v1::Validation {
        r#type: check.kind.clone(),
        state: state_out(check.state),
        findings: findings.collect(),
    }
}

fn state_out(state: FindingState) -> i32 {
    let state = match state {
        FindingState::Succeeded => v1::FindingState::FindingSucceeded,
        FindingState::Warning => v1::FindingState::FindingWarning,
        FindingState::Failed => v1::FindingState::FindingFailed,
    };
    state.into()
}
