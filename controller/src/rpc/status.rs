//! Errors, as gRPC tells them: one ErrorInfo with a stable reason, and the field that is at fault where one is.
use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use whimbrel_proto::ERROR_DOMAIN;

use crate::{
    driver::DriverError,
    fleet::FleetError,
    migration::{Refusal, RefusalKind},
    store::{StoreError, TokenError},
    tls::TlsError,
    translate::InvalidField,
};

/// An error with its reason.
pub(super) fn refuse(code: Code, reason: &str, message: impl Into<String>) -> Status {
    with_metadata(code, reason, message, HashMap::new())
}

fn with_metadata(
    code: Code,
    reason: &str,
    message: impl Into<String>,
    metadata: HashMap<String, String>,
) -> Status {
    let details = ErrorDetails::with_error_info(reason, ERROR_DOMAIN, metadata);
    Status::with_error_details(code, message, details)
}

/// A wrong argument.
pub(super) fn invalid(field: &InvalidField) -> Status {
    let mut details = ErrorDetails::with_error_info(field.code, ERROR_DOMAIN, HashMap::new());
    details.add_bad_request_violation(&field.field, &field.problem);
    Status::with_error_details(Code::InvalidArgument, field.to_string(), details)
}

pub(super) fn invalid_field(field: impl Into<String>, problem: impl Into<String>) -> Status {
    invalid(&InvalidField::new(field, problem))
}

/// What the driver says.
pub(super) fn of_driver(error: DriverError) -> Status {
    use DriverError as E;
    let message = error.to_string();
    let (code, reason) = match error {
        E::MigrationNotFound { .. } => (Code::NotFound, "MigrationNotFound"),
        E::TargetNotFound { .. } => (Code::NotFound, "TargetNotFound"),
        E::MigrationNameTaken { .. } => (Code::AlreadyExists, "MigrationNameTaken"),
        E::TargetNameTaken { .. } => (Code::AlreadyExists, "TargetNameTaken"),
        E::EtagMismatch { .. } => (Code::Aborted, "EtagMismatch"),
        E::TwoAgentsNotBuilt { .. } => (Code::FailedPrecondition, "TwoAgentsNotBuilt"),
        E::WindowInvalid { .. } => (Code::InvalidArgument, "WindowInvalid"),
        E::DatabaseBusy { .. } => (Code::FailedPrecondition, "DatabaseBusy"),
        E::TargetBusy { .. } => (Code::FailedPrecondition, "TargetBusy"),
        E::AgentDraining { .. } => (Code::FailedPrecondition, "AgentDraining"),
        E::RequestReused { .. } => (Code::InvalidArgument, "RequestIdReused"),
        E::NotOver { state, .. } => {
            let metadata = HashMap::from([
                ("state".to_owned(), state),
                ("allowed".to_owned(), "cancel".to_owned()),
            ]);
            return with_metadata(Code::FailedPrecondition, "MigrationNotOver", message, metadata);
        }
        E::Refused(refusal) => return of_refusal(refusal),
        E::Fleet(error) => return of_fleet(error),
        E::Store(error) => return of_store(&error),
    };
    refuse(code, reason, message)
}

fn of_refusal(refusal: Refusal) -> Status {
    let code = match refusal.kind {
        RefusalKind::State => Code::FailedPrecondition,
        RefusalKind::Argument => Code::InvalidArgument,
        RefusalKind::Bug => {
            tracing::error!(error = refusal.message, "an illegal transition was refused");
            Code::Internal
        }
    };
    let metadata = HashMap::from([
        ("state".to_owned(), refusal.state),
        ("allowed".to_owned(), refusal.allowed.join(", ")),
    ]);
    with_metadata(code, refusal.code, refusal.message, metadata)
}

/// What the fleet says.
pub(super) fn of_fleet(error: FleetError) -> Status {
    use FleetError as E;
    let message = error.to_string();
    match error {
        E::Unknown { .. } => refuse(Code::NotFound, "AgentNotFound", message),
        E::Revoked { .. } => refuse(Code::FailedPrecondition, "AgentRevoked", message),
        E::StoreIsOlder { .. } => refuse(Code::FailedPrecondition, "StoreIsOlder", message),
        E::RunsTwice { .. } => refuse(Code::FailedPrecondition, "AgentRunsTwice", message),
        E::NotConnected { .. } => refuse(Code::FailedPrecondition, "AgentNotConnected", message),
        E::Silent { .. } => refuse(Code::DeadlineExceeded, "AgentSilent", message),
        E::NameTaken { .. } => refuse(Code::AlreadyExists, "AgentNameTaken", message),
        E::Invalid { field, code, problem } => {
            invalid(&InvalidField { field: field.to_owned(), code, problem })
        }
        E::Token(TokenError::Unknown) => refuse(Code::Unauthenticated, "JoinTokenUnknown", message),
        E::Token(TokenError::Used) => refuse(Code::Unauthenticated, "JoinTokenUsed", message),
        E::Token(TokenError::Expired) => refuse(Code::Unauthenticated, "JoinTokenExpired", message),
        E::Store(error) => of_store(&error),
        E::Tls(TlsError::Request(problem)) => invalid_field("csr_pem", problem),
        E::Tls(error) => {
            tracing::error!(%error, "keys failed");
            refuse(Code::Internal, "CertificateFailed", message)
        }
    }
}

fn of_store(error: &StoreError) -> Status {
    use StoreError as E;
    let message = error.to_string();
    let (code, reason) = match error {
        E::Conflict { .. } => (Code::Aborted, "ChangedMeanwhile"),
        E::NameTaken { .. } => (Code::AlreadyExists, "NameTaken"),
        E::NotFound { .. } => (Code::NotFound, "NotFound"),
        // Two at once: the other one has done it.
        E::RequestRepeated { .. } => (Code::Aborted, "RequestRepeated"),
        E::Token(token) => return of_fleet(FleetError::Token(*token)),
        E::Full { .. } => (Code::ResourceExhausted, "StoreFull"),
        E::Failed { .. } => {
            tracing::error!(%error, "the store failed");
            (Code::Internal, "StoreFailed")
        }
    };
    refuse(code, reason, message)
}
