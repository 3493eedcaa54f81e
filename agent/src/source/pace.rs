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

/// Over a backlog it looks so often whether more came. What the kernel has room for lies there by then, or nearly, and the server's
/// messages wait on its side in one piece (`replication/near.rs`): to read earlier is to have them one by one again, to read later
/// keeps the server waiting. (400,000 transactions with an UPDATE each, over packets of 1,500 bytes: 2.5 s, and 5.0 s with a pause of
/// 4 ms, 5.9 s with one of 2 ms.)
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A server that sends little by little, but never stops, is read after so many looks: what is live waits no longer.
const LOOKS_LIVE: u32 = 4;

/// The same where what comes is old: a server that is slow to fill the buffer needs more of them (a virtual machine's, over packets of
/// 1,500 bytes: 2.5 s for the above, and 3.4 to 5.3 s with four looks), and nobody notices a few milliseconds.
const LOOKS_BEHIND: u32 = 40;

/// So long after its commit a transaction is sent that nobody waits for just now.
const BEHIND: Duration = Duration::from_millis(500);

/// pgoutput's Begin, and where in it the time of the commit stands (Logical Replication Message Formats).
const BEGIN: u8 = b'B';
const COMMITTED_AT: std::ops::Range<usize> = 9..17;

/// What comes within [`BACKLOG_WINDOW`] when there is a backlog: 2,000 transactions a second with a change each make half a kilobyte, a
/// walsender at work over the smallest changes 20.
const BACKLOG_BYTES: usize = 4 << 10;
const BACKLOG_WINDOW: Duration = Duration::from_millis(1);

/// How long it looks away from a busy live stream: ten transactions or more come meanwhile. It is what the latency grows by, at most.
const BUSY_PAUSE: Duration = Duration::from_millis(4);

/// How long transactions are counted for their rate: a burst of a few is no busy stream.
const BUSY_WINDOW: Duration = Duration::from_millis(50);

/// Transactions within [`BUSY_WINDOW`] of a busy stream: 2,500 a second.
const BUSY_TRANSACTIONS: u32 = 125;

/// pgoutput's Commit.
const COMMIT: u8 = b'C';

/// How long to look away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pause {
    No,
    /// Much is live.
    For(Duration),
    /// Over a backlog: until the kernel has no more room, or for so many looks.
    UntilFull(u32),
}

/// What came since when.
#[derive(Debug)]
pub(super) struct Pace {
    since: Instant,
    bytes: usize,
    window: Instant,
    transactions: u32,
    busy: bool,
    /// What came last was committed long before it was sent.
    behind: bool,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self::at(Instant::now())
    }

    const fn at(now: Instant) -> Self {
        Self { since: now, bytes: 0, window: now, transactions: 0, busy: false, behind: false }
    }

    /// This message was read, which the server sent at that time (microseconds since 2000-01-01 UTC, as its own times).
    pub(super) fn count(&mut self, message: &[u8], sent_us: i64) {
        self.bytes += message.len();
        if message.first() == Some(&BEGIN)
            && let Some(at) = message.get(COMMITTED_AT).and_then(|at| at.try_into().ok())
        {
            let took = sent_us.saturating_sub(i64::from_be_bytes(at));
            self.behind = u128::try_from(took).is_ok_and(|took| took >= BEHIND.as_micros());
        }
        self.transactions += u32::from(message.first() == Some(&COMMIT));
    }

    /// Nothing more is here: how long to look away.
    pub(super) fn pause(&mut self) -> Pause {
        self.pause_at(Instant::now())
    }

    fn pause_at(&mut self, now: Instant) -> Pause {
        let passed = now.duration_since(self.window);
        if passed >= BUSY_WINDOW {
            let count = u128::from(self.transactions) * BUSY_WINDOW.as_nanos();
            self.busy = count >= u128::from(BUSY_TRANSACTIONS) * passed.as_nanos();
            (self.window, self.transactions) = (now, 0);
        }
        match (self.is_backlog(now), self.busy) {
            (true, _) if self.behind => Pause::UntilFull(LOOKS_BEHIND),
            (true, _) => Pause::UntilFull(LOOKS_LIVE),
            (false, true) => Pause::For(BUSY_PAUSE),
            (false, false) => Pause::No,
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
    fn pauses(bytes: usize, every: Duration) -> Vec<Pause> {
        let mut now = Instant::now();
        let mut pace = Pace::at(now);
        let mut message = vec![0; bytes];
        message[0] = COMMIT;
        let mut pauses = Vec::new();
        for _ in 0..1000 {
            now += every;
            pace.count(&message, 0);
            pauses.push(pace.pause_at(now));
        }
        pauses
    }

    #[test]
    fn what_is_live_is_never_kept_waiting() {
        let waits = |bytes, every| pauses(bytes, every).iter().any(|pause| *pause != Pause::No);
        // 2,000 transactions a second with 600 bytes; 1,000 a second with 2 kB; one that is large by itself.
        assert!(!waits(600, Duration::from_micros(500)));
        assert!(!waits(2 << 10, Duration::from_millis(1)));
        assert!(!waits(64 << 10, Duration::from_secs(1)));
    }

    #[test]
    fn what_is_live_and_much_is_let_gather() {
        let pauses = pauses(300, Duration::from_micros(300));
        assert_eq!(pauses[..100], vec![Pause::No; 100], "not known yet");
        assert_eq!(pauses[400..], vec![Pause::For(BUSY_PAUSE); 600]);
    }

    #[test]
    fn a_backlog_is_let_gather() {
        let backlog = |pauses: Vec<Pause>| {
            pauses.iter().filter(|p| **p == Pause::UntilFull(LOOKS_LIVE)).count()
        };
        // A message of 150 bytes every 4 µs, as a walsender sends small inserts.
        assert!(backlog(pauses(150, Duration::from_micros(4))) > 0);
        assert!(backlog(pauses(4 << 10, Duration::from_micros(100))) > 50);
    }

    /// Of a source that has been written to for an hour: its own clock tells how old its transactions are.
    #[test]
    fn what_is_old_is_waited_for_longer() {
        let mut now = Instant::now();
        let mut pace = Pace::at(now);
        let mut looked = |late: Duration| {
            now += Duration::from_millis(1);
            let begin = [&[BEGIN][..], &[0; 8], &1_000_000_i64.to_be_bytes(), &[0; 4]].concat();
            pace.count(&begin, 1_000_000 + i64::try_from(late.as_micros()).unwrap());
            pace.count(&[b'I'; BACKLOG_BYTES], 0);
            pace.pause_at(now)
        };
        assert_eq!(looked(Duration::from_millis(5)), Pause::UntilFull(LOOKS_LIVE));
        assert_eq!(looked(Duration::from_mins(60)), Pause::UntilFull(LOOKS_BEHIND));
        assert_eq!(looked(Duration::ZERO), Pause::UntilFull(LOOKS_LIVE));
    }
}
