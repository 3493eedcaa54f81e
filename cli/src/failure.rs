//! Why a verb did not do what was asked, what to say about it, and the exit status that scripts see. The one place that
//! maps errors to exit statuses.
use std::{collections::BTreeMap, fmt::Write as _, io, path::PathBuf, time::Duration};

use serde::Serialize;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::{context, properties, secret};

/// It is done.
pub(crate) const EXIT_DONE: u8 = 0;
/// It ended badly.
pub(crate) const EXIT_BAD_END: u8 = 1;
/// What was asked makes no sense.
pub(crate) const EXIT_USAGE: u8 = 2;
/// No such thing.
pub(crate) const EXIT_NOT_FOUND: u8 = 3;
/// Not in this state.
pub(crate) const EXIT_REFUSED: u8 = 4;
/// Not authenticated or not permitted.
pub(crate) const EXIT_NOT_PERMITTED: u8 = 5;
/// The controller can't be reached, or the time ran out.
pub(crate) const EXIT_UNREACHABLE: u8 = 6;

/// Why a verb failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// What was asked makes no sense; the message says what would.
    #[error("{0}")]
    Usage(String),
    /// The context file can't be used.
    #[error(transparent)]
    Context(#[from] context::ContextError),
    /// The properties file can't be used.
    #[error(transparent)]
    Properties(#[from] properties::PropertiesError),
    /// A password can't be read or sealed.
    #[error(transparent)]
    Secret(#[from] secret::SecretError),
    /// The controller said no.
    #[error("{}", said(.0))]
    Call(Box<Status>),
    /// No connection to the controller.
    #[error("can't reach the controller at {address}: {cause}")]
    Unreachable {
        /// As in the context.
        address: String,
        /// The innermost cause that says something.
        cause: String,
    },
    /// It took longer than was allowed.
    #[error("{what}: not within {}", humantime::format_duration(*.after))]
    TimedOut {
        /// What was waited for, and where it stands.
        what: String,
        /// The time that was allowed.
        after: Duration,
    },
    /// It was done, and ended badly, or stands still until somebody acts.
    #[error("{message}")]
    BadEnd {
        /// What happened.
        message: String,
        /// Stable code; may be empty.
        code: String,
        /// What to do now; may be empty.
        remedy: String,
    },
    /// The answer to a question is no, with the exit status that the contract gives it.
    #[error("{message}")]
    Answer {
        /// Exit status.
        exit: u8,
        /// The answer.
        message: String,
    },
    /// A file of ours can't be read.
    #[error("can't read {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Standard output can't be written.
    #[error("can't write to standard output: {0}")]
    Output(#[from] io::Error),
}

/// `-o json` and `-o yaml` of a failure.
#[derive(Debug, Serialize)]
pub(crate) struct Document {
    error: Told,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    message: String,
    exit_status: u8,
    /// Code, remedy, state, …: what there is.
    #[serde(flatten)]
    details: BTreeMap<String, String>,
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Call(Box::new(status))
    }
}

impl Failure {
    /// Makes a call that never reached the controller at `address` say so.
    pub(crate) fn at(self, address: &str) -> Self {
        let Self::Call(status) = &self else { return self };
        let cause = match std::error::Error::source(status.as_ref()) {
            Some(source) => Some(innermost(source)),
            None if status.code() == Code::Cancelled => Some("no answer in time".to_owned()),
            None => None,
        };
        match cause {
            Some(cause) => Self::Unreachable { address: address.to_owned(), cause },
            None => self,
        }
    }

    /// The exit status.
    pub(crate) fn exit(&self) -> u8 {
        match self {
            Self::Usage(_)
            | Self::Context(_)
            | Self::Properties(_)
            | Self::Secret(_)
            | Self::File { .. } => EXIT_USAGE,
            Self::Call(status) => exit_of(status.code()),
            Self::Unreachable { .. } | Self::TimedOut { .. } => EXIT_UNREACHABLE,
            Self::BadEnd { .. } => EXIT_BAD_END,
            Self::Answer { exit, .. } => *exit,
            // The reader went away (`| head`): that is how it wanted it.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => EXIT_DONE,
            Self::Output(_) => EXIT_BAD_END,
        }
    }

    /// Nothing is to be said about it.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The lines for standard error: what happened, then its code and what to do.
    pub(crate) fn report(&self) -> String {
        let mut text = self.to_string();
        for (label, value) in self.details() {
            if !value.is_empty() {
                // Writing to a String can't fail.
                write!(text, "\n  {label}: {value}").expect("invariant: a String can be written");
            }
        }
        text
    }

    /// The same for programs.
    pub(crate) fn document(&self) -> Document {
        let details = self.details().into_iter().filter(|(_, value)| !value.is_empty()).collect();
        Document { error: Told { message: self.to_string(), exit_status: self.exit(), details } }
    }

    fn details(&self) -> Vec<(String, String)> {
        match self {
            Self::Call(status) => details_of(status),
            Self::BadEnd { code, remedy, .. } => {
                vec![("code".into(), code.clone()), ("remedy".into(), remedy.clone())]
            }
            Self::Unreachable { .. } => vec![(
                "remedy".into(),
                "is whimbrel-controller running there, and is the context file its own admin.yaml?"
                    .into(),
            )],
            _ => Vec::new(),
        }
    }
}

/// The exit status for a gRPC status code.
pub(crate) fn exit_of(code: Code) -> u8 {
    match code {
        Code::Ok => EXIT_DONE,
        Code::InvalidArgument | Code::OutOfRange => EXIT_USAGE,
        Code::NotFound => EXIT_NOT_FOUND,
        Code::FailedPrecondition
        | Code::Aborted
        | Code::AlreadyExists
        | Code::ResourceExhausted
        | Code::Unimplemented => EXIT_REFUSED,
        Code::Unauthenticated | Code::PermissionDenied => EXIT_NOT_PERMITTED,
        // tonic tells a timeout of its own, and a connection that broke, as CANCELLED.
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => EXIT_UNREACHABLE,
        Code::Unknown | Code::Internal | Code::DataLoss => EXIT_BAD_END,
    }
}

fn said(status: &Status) -> &str {
    if status.message().is_empty() { status.code().description() } else { status.message() }
}

/// The innermost error of a chain: the outer ones of a transport say only "transport error".
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

fn details_of(status: &Status) -> Vec<(String, String)> {
    let details = status.get_error_details();
    let mut lines = Vec::new();
    if let Some(info) = details.error_info() {
        lines.push(("code".to_owned(), info.reason.clone()));
        let mut metadata: Vec<_> = info.metadata.clone().into_iter().collect();
        metadata.sort();
        lines.extend(metadata);
    }
    if let Some(bad) = details.bad_request() {
        // Not again what the message says already.
        let fields = bad.field_violations.iter();
        let fields = fields.filter(|bad| !status.message().contains(&bad.description));
        lines.extend(fields.map(|bad| (bad.field.clone(), bad.description.clone())));
        let first = bad.field_violations.first();
        lines.extend(
            first.and_then(|bad| option_of(&bad.field)).map(|o| ("option".into(), o.into())),
        );
    }
    lines
}

/// How a field of a request is said on the command line or in a properties file, where the field's name does not tell it.
fn option_of(field: &str) -> Option<&'static str> {
    match field {
        "spec.source.host" | "spec.source.port" => Some("--source HOST:PORT@USER"),
        "spec.source.user" => {
            Some("--source HOST:PORT@USER, or sourceServerUsername in the properties file")
        }
        "spec.databases" => Some("--database D, or dbsToMigrate in the properties file"),
        "endpoint.host" | "target.endpoint.host" => Some("--host H"),
        "endpoint.user" | "target.endpoint.user" => Some("--user U"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn codes_become_the_contracts_exit_statuses() {
        for (code, exit) in [
            (Code::Ok, 0),
            (Code::Internal, 1),
            (Code::InvalidArgument, 2),
            (Code::NotFound, 3),
            (Code::FailedPrecondition, 4),
            (Code::Aborted, 4),
            (Code::AlreadyExists, 4),
            (Code::Unimplemented, 4),
            (Code::Unauthenticated, 5),
            (Code::PermissionDenied, 5),
            (Code::Unavailable, 6),
            (Code::DeadlineExceeded, 6),
            (Code::Cancelled, 6),
        ] {
            assert_eq!(exit_of(code), exit, "{code:?}");
        }
    }

    #[test]
    fn a_refusal_says_the_state_and_what_is_allowed() {
        let metadata = HashMap::from([
            ("state".to_owned(), "InProgress".to_owned()),
            ("allowed".to_owned(), "cancel, pause".to_owned()),
        ]);
        let details = ErrorDetails::with_error_info("NotWaitingForCutover", "whimbrel", metadata);
        let status = Status::with_error_details(Code::FailedPrecondition, "not now", details);
        let failure = Failure::from(status);
        assert_eq!(failure.exit(), EXIT_REFUSED);
        assert_eq!(
            failure.report(),
            "not now\n  code: NotWaitingForCutover\n  allowed: cancel, pause\n  state: InProgress"
        );
    }

    #[test]
    fn a_bad_argument_is_named() {
        let details = ErrorDetails::with_bad_request_violation("spec.source.host", "is empty");
        let status = Status::with_error_details(Code::InvalidArgument, "bad", details);
        let failure = Failure::from(status);
        assert_eq!(failure.exit(), EXIT_USAGE);
        assert!(failure.report().contains("spec.source.host: is empty"));
    }

    #[test]
    fn programs_are_told_the_same() {
        let failure = Failure::BadEnd {
            message: "m ended Failed".into(),
            code: "SlotLost".into(),
            remedy: String::new(),
        };
        let document = serde_json::to_value(failure.document()).unwrap();
        let expected = serde_json::json!({
            "error": {"message": "m ended Failed", "exitStatus": 1, "code": "SlotLost"}
        });
        assert_eq!(document, expected);
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(failure.is_silent() && failure.exit() == EXIT_DONE);
    }
}
