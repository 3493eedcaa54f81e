//! How long the controller is known to believe that we are alive.
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::fault::Fault;

/// The lease is not held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lease is lost: the controller has not been heard of")]
pub struct LeaseLost;

impl From<LeaseLost> for Fault {
    fn from(lost: LeaseLost) -> Self {
        Self::retry("LeaseLost", lost.to_string())
            .remedy("it goes on when the controller can be reached again")
    }
}

/// Gives liveness, not safety (fencing does): an act that destroys something asks for it first; the stream does not.
/// Counted on the monotonic clock, from when the heartbeat that it answers was sent.
#[derive(Debug, Clone, Default)]
pub struct Lease {
    until: Arc<Mutex<Option<Instant>>>,
}

impl Lease {
    /// One that is not held yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Refuses when the lease is not held now.
    ///
    /// # Errors
    /// [`LeaseLost`].
    pub fn require(&self) -> Result<(), LeaseLost> {
        if self.left().is_zero() { Err(LeaseLost) } else { Ok(()) }
    }

    /// What is left of it; zero when it is lost.
    #[must_use]
    pub fn left(&self) -> Duration {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    /// Extends it, never shortens it: answers may come out of order.
    pub fn grant(&self, sent: Instant, ttl: Duration) {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        let granted = sent.checked_add(ttl);
        *until = (*until).max(granted);
    }

    /// Gives it up: the controller said that our place is taken.
    pub(super) fn give_up(&self) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_from_the_heartbeat() {
        let lease = Lease::new();
        assert_eq!(lease.require(), Err(LeaseLost));
        let long_ago = Instant::now().checked_sub(Duration::from_secs(20)).unwrap();
        lease.grant(long_ago, Duration::from_secs(15));
        assert_eq!(lease.require(), Err(LeaseLost));
        lease.grant(Instant::now(), Duration::from_secs(15));
        lease.grant(long_ago, Duration::from_secs(15));
        assert_eq!(lease.require(), Ok(()), "an old answer does not shorten it");
        lease.give_up();
        assert_eq!(lease.require(), Err(LeaseLost));
    }
}
