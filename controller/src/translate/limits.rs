//! What a migration may take of its servers.
use whimbrel_proto::v1;

use super::InvalidField;
use crate::migration::Limits;

/// The operator's limits; none are none.
///
/// # Errors
/// [`InvalidField`].
pub fn limits_in(limits: Option<&v1::Limits>) -> Result<Limits, InvalidField> {
    let Some(limits) = limits else { return Ok(Limits::default()) };
    let seconds = match &limits.snapshot_age {
        None => 0,
        // A part of a second is a second: 0 would be no limit.
        Some(age) if age.seconds >= 0 && age.nanos >= 0 => {
            let seconds = age.seconds.saturating_add(i64::from(age.nanos > 0));
            u32::try_from(seconds).unwrap_or(u32::MAX)
        }
        Some(_) => return Err(InvalidField::new("spec.limits.snapshot_age", "is negative")),
    };
    Ok(Limits {
        copy_jobs: limits.copy_jobs,
        copy_bytes_per_second: limits.copy_bytes_per_second,
        snapshot_seconds: seconds,
        retained_wal_bytes: limits.retained_wal_bytes,
    })
}

/// As an operator reads them.
#[must_use]
pub(super) fn limits_out(limits: Limits) -> Option<v1::Limits> {
    (limits != Limits::default()).then_some(v1::Limits {
        copy_jobs: limits.copy_jobs,
        copy_bytes_per_second: limits.copy_bytes_per_second,
        snapshot_age: age_out(limits.snapshot_seconds),
        retained_wal_bytes: limits.retained_wal_bytes,
    })
}

/// 0: none.
#[must_use]
pub(super) fn age_out(seconds: u32) -> Option<prost_types::Duration> {
    (seconds > 0).then_some(prost_types::Duration { seconds: seconds.into(), nanos: 0 })
}
