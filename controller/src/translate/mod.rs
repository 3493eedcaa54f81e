//! Between the wire's words and ours. No decision, no state: a wrong value is refused with its field's name.
mod command;
mod endpoint;
mod limits;
mod report;
mod source_type;
mod spec;
mod status;
mod validation;

use jiff::Timestamp;
use prost_types::{Duration as WireDuration, Timestamp as WireTime};

pub use command::{link_command, selection_out};
pub use endpoint::{endpoint_in, endpoint_out, endpoint_raw, port_in, secret_in, ssl_mode_in};
pub use limits::limits_in;
pub use report::{UnknownReport, link_report};
pub use spec::{Defaults, spec_in};
pub use status::{Observed, agent_out, etag, event_out, migration_out, target_out};
pub use validation::{validation_in, validation_out};

/// A field of a request that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct InvalidField {
    /// Its path.
    pub field: String,
    /// Stable code.
    pub code: &'static str,
    /// What is wrong with it, and what would do.
    pub problem: String,
}

impl InvalidField {
    /// With the code for any argument.
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), code: "InvalidArgument", problem: problem.into() }
    }
}

impl From<whimbrel_proto::name::InvalidName> for InvalidField {
    fn from(invalid: whimbrel_proto::name::InvalidName) -> Self {
        let problem = format!("{:?} {}", invalid.value, invalid.problem);
        Self { field: invalid.field.to_owned(), code: "InvalidName", problem }
    }
}

/// A time, for the wire.
#[must_use]
pub fn time_out(time: Timestamp) -> WireTime {
    // The nanoseconds of a jiff timestamp before 1970 are negative; ours are all after.
    WireTime { seconds: time.as_second(), nanos: time.subsec_nanosecond() }
}

/// A time from the wire; `None` when it is out of range.
#[must_use]
pub fn time_in(time: &WireTime) -> Option<Timestamp> {
    Timestamp::new(time.seconds, time.nanos).ok()
}

/// A duration, for the wire.
#[must_use]
pub fn duration_out(duration: std::time::Duration) -> WireDuration {
    WireDuration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        // Less than 10^9 always.
        nanos: duration.subsec_nanos().cast_signed(),
    }
}
