//! Reports that the controller has not acknowledged yet.
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Semaphore;
use whimbrel_proto::agent::v1::Report;

/// Reports come a few a minute and database; this many wait while the controller is away for long, and then the tasks
/// wait: a report is never dropped.
pub(super) const REPORTS_MAX: usize = 1024;

#[derive(Debug)]
pub(super) struct Reports {
    state: Mutex<State>,
    room: Semaphore,
}

#[derive(Debug)]
struct State {
    next: u64,
    waiting: VecDeque<Report>,
}

impl Reports {
    pub(super) fn new() -> Self {
        let state = Mutex::new(State { next: 1, waiting: VecDeque::new() });
        Self { state, room: Semaphore::new(REPORTS_MAX) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Numbers and keeps a report; waits while there is no room.
    pub(super) async fn push(&self, mut report: Report) {
        // The semaphore is never closed; the permit comes back with the acknowledgement.
        if let Ok(permit) = self.room.acquire().await {
            permit.forget();
        }
        let mut state = self.state();
        report.sequence = state.next;
        state.next += 1;
        state.waiting.push_back(report);
    }

    /// The first one after `sequence`.
    pub(super) fn after(&self, sequence: u64) -> Option<Report> {
        self.state().waiting.iter().find(|report| report.sequence > sequence).cloned()
    }

    pub(super) fn has_after(&self, sequence: u64) -> bool {
        self.state().waiting.back().is_some_and(|report| report.sequence > sequence)
    }

    /// How many up to `sequence` are not acknowledged.
    pub(super) fn under_way(&self, sequence: u64) -> usize {
        self.state().waiting.partition_point(|report| report.sequence <= sequence)
    }

    /// The controller has it for good.
    pub(super) fn acknowledge(&self, sequence: u64) {
        let mut state = self.state();
        let before = state.waiting.len();
        state.waiting.retain(|report| report.sequence != sequence);
        self.room.add_permits(before - state.waiting.len());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.state().waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn reports_stay_until_they_are_acknowledged() {
        let reports = Reports::new();
        for _ in 0..3 {
            reports.push(Report::default()).await;
        }
        assert_eq!(reports.after(0).unwrap().sequence, 1);
        reports.acknowledge(2);
        reports.acknowledge(2);
        assert_eq!(reports.after(1).unwrap().sequence, 3);
        assert_eq!(reports.after(0).unwrap().sequence, 1, "sent again after a reconnection");
        assert!(!reports.has_after(3));
        assert_eq!(reports.under_way(2), 1);
    }

    #[tokio::test]
    async fn who_reports_waits_when_there_is_no_room() {
        let reports = Reports::new();
        for _ in 0..REPORTS_MAX {
            reports.push(Report::default()).await;
        }
        let mut next = Box::pin(reports.push(Report::default()));
        assert!(next.as_mut().now_or_never().is_none());
        reports.acknowledge(1);
        next.await;
        assert!(reports.has_after(REPORTS_MAX as u64));
    }
}
