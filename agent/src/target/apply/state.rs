//! What a running stream tells and is told.
use whimbrel_proto::Lsn;

/// What others may know of the stream.
#[derive(Debug, Clone, Default)]
pub struct StreamState {
    /// The ledger's position.
    pub applied: Lsn,
    /// The attempt whose marker 2 is the ledger's position. Nothing after it is applied.
    pub at_marker: Option<u32>,
    /// A table that was written to after that marker.
    pub written_later: Option<String>,
    /// Tables are to be copied (again).
    pub tables_wait: bool,
    /// The last probe that came.
    pub probe: Option<String>,
}

/// What is told to a running stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// This cutover attempt is over: the stream goes on.
    Over(u32),
    /// The marker that counts ends here or later: MARK_END may have been carried out twice, and an earlier marker of the
    /// same attempt is not the end then.
    Until(Lsn),
}

/// Which markers are no reason to stop.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::target) struct Stale {
    /// Those of this attempt and of earlier ones.
    pub(in crate::target) attempts: u32,
    /// Those that end before this.
    pub(in crate::target) before: Lsn,
}

impl Stale {
    /// Whether the stream stops at the marker of `attempt` that ends at `end`.
    pub(in crate::target) fn stops(self, attempt: u32, end: Lsn) -> bool {
        attempt > self.attempts && end >= self.before
    }

    pub(super) fn learn(&mut self, control: Control) {
        match control {
            Control::Over(attempt) => self.attempts = self.attempts.max(attempt),
            Control::Until(end) => self.before = self.before.max(end),
        }
    }
}

/// Why the loop ended without a fault.
#[derive(Debug, Clone, Copy)]
pub(in crate::target) enum Ended {
    /// The marker that it stood at turned out to be stale: it goes on from the ledger's position.
    MarkerStale(Stale),
    /// The awaited position is passed.
    PastPoints(Stale),
    /// Tables are to be copied (again) before it goes on from the ledger's position.
    TablesWait(Stale),
}
