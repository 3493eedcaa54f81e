//! The certificate's life: asked for anew at two thirds of it.
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{error::LinkError, identity::Identity};

/// A renewal that was not answered is asked for again after this.
const AGAIN: Duration = Duration::from_secs(3600);
/// Certificates are looked at this often at least, since a machine's clock may be set.
const LOOK: Duration = Duration::from_secs(24 * 3600);

struct Life {
    from: u64,
    to: u64,
}

fn life(identity: &Identity) -> Result<Life, LinkError> {
    let der = identity.certificate()?;
    let (_, parsed) = x509_parser::parse_x509_certificate(&der)
        .map_err(|error| LinkError::Identity { file: "agent.crt", cause: error.to_string() })?;
    let seconds = |time: i64| u64::try_from(time).unwrap_or_default();
    let from = seconds(parsed.validity().not_before.timestamp());
    let to = seconds(parsed.validity().not_after.timestamp());
    Ok(Life { from, to })
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Whether it is too late to renew it.
pub(super) fn is_expired(identity: &Identity) -> bool {
    life(identity).is_ok_and(|life| life.to < now())
}

/// How long until the certificate should be renewed; zero when it is time.
pub(super) fn due_in(identity: &Identity) -> Result<Duration, LinkError> {
    let Life { from, to } = life(identity)?;
    Ok(wait(from, to, now()))
}

const fn wait(from: u64, to: u64, now: u64) -> Duration {
    let at = from + to.saturating_sub(from) / 3 * 2;
    let left = at.saturating_sub(now);
    Duration::from_secs(if left < LOOK.as_secs() { left } else { LOOK.as_secs() })
}

/// When to look again after a renewal was asked for.
pub(super) const fn again() -> Duration {
    AGAIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_at_two_thirds() {
        let day = 24 * 3600;
        assert_eq!(wait(0, 90 * day, 60 * day), Duration::ZERO);
        assert_eq!(wait(0, 90 * day, 60 * day - 5), Duration::from_secs(5));
        assert_eq!(wait(0, 90 * day, 0), LOOK);
        assert_eq!(wait(0, 90 * day, 100 * day), Duration::ZERO);
    }
}
