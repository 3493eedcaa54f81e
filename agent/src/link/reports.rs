//! Reports that the controller has not acknowledged yet.
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Semaphore;
use whimbrel_proto::{
    MESSAGE_BYTES_MAX,
    agent::v1::{Report, report},
};

/// Reports come a few a minute and database; this many wait while the controller is away for long, and then the tasks
/// wait: a report is never dropped.
pub(super) const REPORTS_MAX: usize = 1024;

/// And so many bytes of them: a check's findings about many tables are megabytes. Twice the largest message there can be.
const BYTES_MAX: usize = 2 * MESSAGE_BYTES_MAX;

#[derive(Debug)]
pub(super) struct Reports {
    state: Mutex<State>,
    room: Semaphore,
    bytes: Semaphore,
}

#[derive(Debug)]
struct State {
    next: u64,
    waiting: VecDeque<Report>,
}

impl Reports {
    pub(super) fn new() -> Self {
        let state = Mutex::new(State { next: 1, waiting: VecDeque::new() });
        Self { state, room: Semaphore::new(REPORTS_MAX), bytes: Semaphore::new(BYTES_MAX) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Numbers and keeps a report; waits while there is no room.
    pub(super) async fn push(&self, mut report: Report) {
        // Neither semaphore is ever closed; the permits come back with the acknowledgement.
        if let Ok(permit) = self.room.acquire().await {
            permit.forget();
        }
        if let Ok(permit) = self.bytes.acquire_many(weight(&report)).await {
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
        let Ok(at) = state.waiting.binary_search_by_key(&sequence, |report| report.sequence) else {
            return;
        };
        if let Some(report) = state.waiting.remove(at) {
            self.room.add_permits(1);
            self.bytes.add_permits(weight(&report) as usize);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.state().waiting.is_empty()
    }
}

/// Without its number, which it is given later. One that is larger than a message can be is refused by the transport.
fn weight(report: &Report) -> u32 {
    let bytes = report.kind.as_ref().map_or(0, report::Kind::encoded_len).min(MESSAGE_BYTES_MAX);
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use whimbrel_proto::agent::v1::Checked;

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
    async fn large_reports_wait_for_one_another() {
        let reports = Reports::new();
        let large = || {
            let facts = vec![0; MESSAGE_BYTES_MAX - 1024].into();
            let kind = report::Kind::Checked(Checked { facts, ..Checked::default() });
            Report { kind: Some(kind), ..Report::default() }
        };
        reports.push(large()).await;
        reports.push(large()).await;
        let mut third = Box::pin(reports.push(large()));
        assert!(third.as_mut().now_or_never().is_none());
        reports.acknowledge(2);
        third.await;
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
