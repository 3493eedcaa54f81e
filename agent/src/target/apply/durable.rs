//! Positions that are committed, and not yet known to be flushed: a commit does not wait for the target's disk, the
//! acknowledgement to the source's slot does (law 3).
use std::collections::VecDeque;

use whimbrel_proto::Lsn;

use crate::{
    fault::{Doing, Fault},
    postgres::Client,
    target::ledger::Ledger,
};

/// Commits that wait for their flush. The server flushes several times a second; more than these share their fate with
/// the last of them, which is later, so nothing is acknowledged too early.
const PENDING: usize = 64;

/// Commits in their order: where the target's WAL was after each, and the source's position that it wrote.
#[derive(Debug, Default)]
pub(super) struct Durable {
    pending: VecDeque<(Lsn, Lsn)>,
}

impl Durable {
    /// `position` was committed; the target's WAL had come to `wal` then, or was before.
    pub(super) fn committed(&mut self, wal: Lsn, position: Lsn) {
        if self.pending.len() >= PENDING {
            self.pending.pop_back();
        }
        self.pending.push_back((wal, position));
    }

    /// The target has flushed its WAL to here: the last position that it makes durable.
    pub(super) fn flushed(&mut self, wal: Lsn) -> Option<Lsn> {
        let mut durable = None;
        while let Some((_, position)) = self.pending.pop_front_if(|(end, _)| *end <= wal) {
            durable = Some(position);
        }
        durable
    }

    /// Whether something waits.
    pub(super) fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }
}

/// Settings of the session that applies. What is in the ledger when it is settled is flushed, whoever committed it.
pub(in crate::target) async fn settle(
    session: &Client,
    ledger: Ledger,
    as_replica: bool,
) -> Result<(), Fault> {
    let doing = "flushing the ledger on the target";
    session.batch_execute("set synchronous_commit = on").await.doing(doing)?;
    // A commit that waits for its flush waits for all that were before it.
    session
        .execute("update whimbrel.ledger set epoch = epoch where epoch = $1", &[&ledger.epoch()])
        .await
        .doing(doing)?;
    session.batch_execute("set synchronous_commit = off").await.doing(doing)?;
    if as_replica {
        session
            .batch_execute("set session_replication_role = replica")
            .await
            .doing("setting session_replication_role on the target")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_durable_with_its_flush_and_not_before() {
        let mut durable = Durable::default();
        durable.committed(Lsn(10), Lsn(1));
        durable.committed(Lsn(20), Lsn(2));
        assert_eq!(durable.flushed(Lsn(9)), None);
        assert_eq!(durable.flushed(Lsn(19)), Some(Lsn(1)));
        for at in 3..500 {
            durable.committed(Lsn(at * 10), Lsn(at));
        }
        assert!(durable.flushed(Lsn(4989)).is_some_and(|at| at < Lsn(499)));
        assert_eq!(durable.flushed(Lsn(4990)), Some(Lsn(499)));
        assert!(!durable.is_waiting());
    }
}
