//! Pauses between tries.
use std::time::Duration;

use rand::Rng as _;

/// The first pause's ceiling: a controller that restarts is back within a second or two.
const FIRST: Duration = Duration::from_millis(500);
const FACTOR: f64 = 1.6;
/// Longest ceiling: an agent is back within half a minute after its controller.
const MAX: Duration = Duration::from_secs(30);

/// Grows with every try, up to [`MAX`]; each pause is anything up to the ceiling (full jitter), so that a thousand
/// agents don't come back at once.
#[derive(Debug)]
pub(super) struct Backoff {
    ceiling: Duration,
}

impl Backoff {
    pub(super) const fn new() -> Self {
        Self { ceiling: FIRST }
    }

    /// After a success.
    pub(super) const fn reset(&mut self) {
        self.ceiling = FIRST;
    }

    pub(super) fn next(&mut self) -> Duration {
        let pause = self.ceiling.mul_f64(rand::rng().random::<f64>());
        self.ceiling = self.ceiling.mul_f64(FACTOR).min(MAX);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound() {
        let mut backoff = Backoff::new();
        assert!(backoff.next() <= FIRST);
        for _ in 0..20 {
            assert!(backoff.next() <= MAX);
        }
        assert_eq!(backoff.ceiling, MAX);
        backoff.reset();
        assert_eq!(backoff.ceiling, FIRST);
    }
}
