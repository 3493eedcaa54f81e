//! Heartbeats, and the lease that their answers give.
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Each heartbeat is answered: this many in a row that are not, and the session is dead.
pub(super) const UNANSWERED_MAX: u32 = 4;

/// The heartbeats of one session.
#[derive(Debug, Default)]
pub(super) struct Heartbeats {
    sequence: u64,
    /// It is time for the next one.
    pub(super) due: bool,
    /// The last tick was one's time.
    beaten: bool,
    sent: VecDeque<(u64, Instant)>,
}

impl Heartbeats {
    /// A period is over. Who has nothing running beats every other time: that still keeps its lease for when something comes,
    /// and of ten thousand agents nearly all are idle.
    pub(super) fn tick(&mut self, idle: bool) {
        self.beaten = !(idle && self.beaten);
        self.due |= self.beaten;
    }

    /// The next one's number, sent now.
    pub(super) fn next(&mut self) -> u64 {
        self.due = false;
        self.sequence += 1;
        self.sent.push_back((self.sequence, Instant::now()));
        if self.sent.len() > UNANSWERED_MAX as usize {
            self.sent.pop_front();
        }
        self.sequence
    }

    /// When the answered one was sent; what was sent before it needs no answer any more.
    pub(super) fn answered(&mut self, sequence: u64) -> Option<Instant> {
        let at = self.sent.iter().position(|(sent, _)| *sent == sequence)?;
        self.sent.drain(..=at).next_back().map(|(_, sent)| sent)
    }
}

/// The controller's wish, within what makes sense: a tenth of a second for tests, a minute at most.
pub(super) fn period(wished: Duration) -> Duration {
    wished.clamp(Duration::from_millis(100), Duration::from_secs(60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_idle_beats_every_other_time() {
        let mut beats = Heartbeats::default();
        let mut at_tick = |idle| {
            beats.tick(idle);
            std::mem::take(&mut beats.due)
        };
        let idle: Vec<bool> = (0..5).map(|_| at_tick(true)).collect();
        assert_eq!(idle, [true, false, true, false, true], "at once, then every other time");
        let busy: Vec<bool> = (0..3).map(|_| at_tick(false)).collect();
        assert_eq!(busy, [true; 3]);
    }

    #[test]
    fn an_answer_counts_from_its_own_heartbeat() {
        let mut beats = Heartbeats::default();
        let before = Instant::now();
        let (one, two) = (beats.next(), beats.next());
        let sent = beats.answered(two).unwrap();
        assert!(sent >= before && sent <= Instant::now());
        assert_eq!(beats.answered(two), None, "once");
        assert_eq!(beats.answered(one), None, "an older one is of no use");
        for _ in 0..100 {
            beats.next();
        }
        assert_eq!(beats.sent.len(), UNANSWERED_MAX as usize);
    }
}
