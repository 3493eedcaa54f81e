//! When to let messages gather before more of them are read.
//!
//! A walsender writes every message to the socket by itself (`WalSndWriteData` flushes whenever it can), and wakes a reader that
//! waits for it. Over a backlog of small transactions that is two context switches and a frame of its own for each message, which
//! costs the server as much as us. A reader that looks away for a moment finds hundreds of them.
//!
//! A busy application's live stream is the same on a smaller scale: taken one by one, its transactions cost both servers several
//! times what they cost in a group, and that is taken from the application. There the moment is longer, since fewer come in it.
//!
//! It never looks away from a stream that is as thin as one of two thousand transactions a second, so what is live stays at the
//! latency of the network.
use std::time::Duration;

use tokio::time::Instant;

/// How long it looks away over a backlog. At the rate that a walsender reaches (100 MB/s or so) two hundred kilobytes come meanwhile:
/// what the reader's buffer has no room for waits on the server's side, in one piece (`replication/near.rs`).
const PAUSE: Duration = Duration::from_millis(2);

/// The same where the server has no room for it: a socket of its own machine holds a few hundred small messages, and the timer's
/// granularity is how long these take.
const SHORT_PAUSE: Duration = Duration::from_millis(1);

/// What comes within [`BACKLOG_WINDOW`] when there is a backlog: 2,000 transactions a second with a change each make half a kilobyte, a
/// walsender at work over the smallest changes 20.
const BACKLOG_BYTES: usize = 4 << 10;
const BACKLOG_WINDOW: Duration = Duration::from_millis(1);

/// Whoever found so much at once has emptied a buffer that was full: more is behind it, in one piece, and is on its way. Looking
/// away from that only keeps the server waiting.
const THICK_BYTES: usize = 8 << 10;

/// How long it looks away from a busy live stream: ten transactions or more come meanwhile. It is what the latency grows by, at most.
const BUSY_PAUSE: Duration = Duration::from_millis(4);

/// How long transactions are counted for their rate: a burst of a few is no busy stream.
const BUSY_WINDOW: Duration = Duration::from_millis(50);

/// Transactions within [`BUSY_WINDOW`] of a busy stream: 2,500 a second.
const BUSY_TRANSACTIONS: u32 = 125;

/// pgoutput's Commit.
const COMMIT: u8 = b'C';

/// What came since when.
#[derive(Debug)]
pub(super) struct Pace {
    /// Over a backlog.
    pause: Duration,
    /// Read since it was asked last.
    burst: usize,
    since: Instant,
    bytes: usize,
    window: Instant,
    transactions: u32,
    busy: bool,
}

impl Pace {
    /// `has_room`: whether the server's side of the socket holds what is not read at once.
    pub(super) fn new(has_room: bool) -> Self {
        Self::at(Instant::now(), if has_room { PAUSE } else { SHORT_PAUSE })
    }

    fn at(now: Instant, pause: Duration) -> Self {
        let (burst, bytes, transactions) = (0, 0, 0);
        Self { pause, burst, since: now, bytes, window: now, transactions, busy: false }
    }

    /// This message was read.
    pub(super) fn count(&mut self, message: &[u8]) {
        self.bytes += message.len();
        self.burst += message.len();
        self.transactions += u32::from(message.first() == Some(&COMMIT));
    }

    /// Nothing more is here: how long to look away. Zero unless there is a backlog, or much is live.
    pub(super) fn pause(&mut self) -> Duration {
        self.pause_at(Instant::now())
    }

    fn pause_at(&mut self, now: Instant) -> Duration {
        let passed = now.duration_since(self.window);
        if passed >= BUSY_WINDOW {
            let count = u128::from(self.transactions) * BUSY_WINDOW.as_nanos();
            self.busy = count >= u128::from(BUSY_TRANSACTIONS) * passed.as_nanos();
            (self.window, self.transactions) = (now, 0);
        }
        let thick = std::mem::take(&mut self.burst) >= THICK_BYTES;
        match (self.is_backlog(now), self.busy) {
            (true, _) if thick => Duration::ZERO,
            (true, _) => self.pause,
            (false, true) => BUSY_PAUSE,
            (false, false) => Duration::ZERO,
        }
    }

    fn is_backlog(&mut self, now: Instant) -> bool {
        let (bytes, passed) = (self.bytes, now.duration_since(self.since));
        if passed < BACKLOG_WINDOW && bytes < BACKLOG_BYTES {
            return false;
        }
        (self.since, self.bytes) = (now, 0);
        // Above the rate, however long the window grew: 4 kB in a second are no backlog.
        bytes as u128 * BACKLOG_WINDOW.as_nanos() >= BACKLOG_BYTES as u128 * passed.as_nanos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Transactions of one message of `bytes` each, `every` so often; the pauses behind the first thousand of them.
    fn pauses(bytes: usize, every: Duration) -> Vec<Duration> {
        let mut now = Instant::now();
        let mut pace = Pace::at(now, PAUSE);
        let mut message = vec![0; bytes];
        message[0] = COMMIT;
        let mut pauses = Vec::new();
        for _ in 0..1000 {
            now += every;
            pace.count(&message);
            pauses.push(pace.pause_at(now));
        }
        pauses
    }

    #[test]
    fn what_is_live_is_never_kept_waiting() {
        let waits = |bytes, every| pauses(bytes, every).iter().any(|pause| !pause.is_zero());
        // 2,000 transactions a second with 600 bytes; 1,000 a second with 2 kB; one that is large by itself.
        assert!(!waits(600, Duration::from_micros(500)));
        assert!(!waits(2 << 10, Duration::from_millis(1)));
        assert!(!waits(64 << 10, Duration::from_secs(1)));
    }

    #[test]
    fn what_is_live_and_much_is_let_gather() {
        let pauses = pauses(300, Duration::from_micros(300));
        assert_eq!(pauses[..100], vec![Duration::ZERO; 100], "not known yet");
        assert_eq!(pauses[400..], vec![BUSY_PAUSE; 600]);
    }

    #[test]
    fn a_backlog_is_let_gather() {
        let backlog = |pauses: Vec<Duration>| pauses.iter().filter(|p| **p == PAUSE).count();
        // A message of 150 bytes every 4 µs, as a walsender sends small inserts.
        assert!(backlog(pauses(150, Duration::from_micros(4))) > 0);
        assert!(backlog(pauses(4 << 10, Duration::from_micros(100))) > 50);
        assert_eq!(backlog(pauses(16 << 10, Duration::from_micros(100))), 0, "more is on its way");
    }
}
