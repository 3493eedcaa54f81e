//! What a running stream tells and is told.
use std::collections::VecDeque;

use whimbrel_proto::Lsn;

/// Probes that are remembered. One step waits for one; those of stale agents, who don't know yet that they are, may come
/// around it, and a handful of agents is more than ever has one migration.
const PROBES: usize = 16;

/// What others may know of the stream.
#[derive(Debug, Clone, Default)]
pub struct StreamState {
    /// The ledger's position.
    pub applied: Lsn,
    /// The attempt whose marker 2 is the ledger's position. Nothing after it is applied.
    pub at_marker: Option<u32>,
    /// What was changed after that marker first, in words.
    pub written_later: Option<String>,
    /// A change of the source's schema that came after that marker: it is still to be carried, and nothing may take it from the
    /// source's catalog before.
    pub altered_later: Option<String>,
    /// Tables are to be copied (again).
    pub tables_wait: bool,
    /// Why they could not be copied at the marker: they wait for what comes behind it.
    pub left_at_marker: Option<String>,
    /// The last probes that came.
    pub(in crate::target) probes: VecDeque<String>,
}

impl StreamState {
    /// A probe came through the stream.
    pub(super) fn probed(&mut self, probe: String) {
        if self.probes.len() >= PROBES {
            self.probes.pop_front();
        }
        self.probes.push_back(probe);
    }

    /// Whether this probe has come. Another one right behind it, of an agent that had the work before, does not hide it.
    pub fn has_come(&self, probe: &str) -> bool {
        self.probes.iter().any(|came| came == probe)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_agent_s_probe_does_not_hide_ours() {
        let mut state = StreamState::default();
        state.probed("ours".to_owned());
        state.probed("of one that was there before".to_owned());
        assert!(state.has_come("ours"));
        assert!(!state.has_come("another"));
        for number in 0..100 {
            state.probed(number.to_string());
        }
        assert!(!state.has_come("ours"));
        assert_eq!(state.probes.len(), PROBES);
    }
}
