//! How old a commit is, though the source's clock and ours differ.
use std::time::{Duration, Instant};

/// The difference between the clocks is at most the smallest time that a message seemed to be under way, for as long as the
/// source's clock goes forward: one that was set back differs by more, and each message would seem older than it is.
#[derive(Debug)]
pub(super) struct Clock {
    start: Instant,
    offset_us: Option<i64>,
    /// By the source's clock, when the last message was sent.
    sent_us: i64,
}

impl Default for Clock {
    fn default() -> Self {
        Self { start: Instant::now(), offset_us: None, sent_us: i64::MIN }
    }
}

impl Clock {
    /// A message is here that the source sent at `sent_us`, by its clock.
    pub(super) fn observe(&mut self, sent_us: i64) {
        let offset = self.now().saturating_sub(sent_us);
        let set_back = sent_us < self.sent_us;
        self.sent_us = sent_us;
        let known = self.offset_us.filter(|_| !set_back);
        self.offset_us = Some(known.map_or(offset, |known| known.min(offset)));
    }

    /// How long ago the source's clock showed `time_us`.
    pub(super) fn age(&self, time_us: i64) -> Duration {
        let source_now = self.now().saturating_sub(self.offset_us.unwrap_or_default());
        Duration::from_micros(u64::try_from(source_now.saturating_sub(time_us)).unwrap_or_default())
    }

    fn now(&self) -> i64 {
        i64::try_from(self.start.elapsed().as_micros()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_differ_do_not_matter() {
        for skew in [-3_600_000_000_i64, 0, 3_600_000_000] {
            let mut clock = Clock::default();
            clock.observe(skew + 1_000);
            let age = clock.age(skew);
            assert!(age >= Duration::from_micros(1_000) && age < Duration::from_secs(1), "{age:?}");
        }
    }

    #[test]
    fn a_source_whose_clock_is_set_back_is_no_later_for_it() {
        let mut clock = Clock::default();
        clock.observe(3_600_000_000);
        clock.observe(1_000);
        let age = clock.age(0);
        assert!(age < Duration::from_secs(1), "{age:?}");
    }
}
