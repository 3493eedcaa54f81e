//! When to let messages gather before more of them are read.
//!
//! A walsender writes every message to the socket by itself (`WalSndWriteData` flushes whenever it can), and wakes a reader that
//! waits for it. Over a backlog of small transactions that is two context switches and a frame of its own for each message, which
//! costs the server as much as us. A reader that looks away for a moment finds hundreds of them.
//!
//! It never looks away from a stream that is as thin as one of a few thousand transactions a second, so what is live stays at the
//! latency of the network.
use std::time::Duration;

use tokio::time::Instant;

/// How long it looks away: the timer's granularity. At the rate that a walsender reaches (100 MB/s or so) a hundred kilobytes come
/// meanwhile, which the socket's buffer holds, so the server need not wait.
const PAUSE: Duration = Duration::from_millis(1);

/// What comes within [`PAUSE`] when there is a backlog: 2,000 transactions a second with a change each make half a kilobyte, a
/// walsender at work over the smallest changes 20.
const BACKLOG_BYTES: usize = 4 << 10;

/// What came since when.
#[derive(Debug)]
pub(super) struct Pace {
    since: Instant,
    bytes: usize,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), bytes: 0 }
    }

    /// This many bytes were read.
    pub(super) const fn count(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// Nothing more is here: how long to look away. Zero unless there is a backlog.
    pub(super) fn pause(&mut self) -> Duration {
        self.pause_at(Instant::now())
    }

    fn pause_at(&mut self, now: Instant) -> Duration {
        let (bytes, passed) = (self.bytes, now.duration_since(self.since));
        if passed < PAUSE && bytes < BACKLOG_BYTES {
            return Duration::ZERO;
        }
        *self = Self { since: now, bytes: 0 };
        // Above the rate, however long the window grew: 4 kB in a second are no backlog.
        let rate = bytes as u128 * PAUSE.as_nanos() >= BACKLOG_BYTES as u128 * passed.as_nanos();
        if rate { PAUSE } else { Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages of `bytes`, `every` so often; how many of the first thousand are followed by a pause.
    fn pauses(bytes: usize, every: Duration) -> usize {
        let mut now = Instant::now();
        let mut pace = Pace { since: now, bytes: 0 };
        let mut pauses = 0;
        for _ in 0..1000 {
            now += every;
            pace.count(bytes);
            let pause = pace.pause_at(now);
            pauses += usize::from(!pause.is_zero());
        }
        pauses
    }

    #[test]
    fn what_is_live_is_never_kept_waiting() {
        // 2,000 transactions a second with 600 bytes; 1,000 a second with 2 kB; one that is large by itself.
        assert_eq!(pauses(600, Duration::from_micros(500)), 0);
        assert_eq!(pauses(2 << 10, Duration::from_millis(1)), 0);
        assert_eq!(pauses(64 << 10, Duration::from_secs(1)), 0);
    }

    #[test]
    fn a_backlog_is_let_gather() {
        // A message of 150 bytes every 4 µs, as a walsender sends small inserts.
        assert!(pauses(150, Duration::from_micros(4)) > 0);
        assert!(pauses(4 << 10, Duration::from_micros(100)) > 50);
    }
}
