//! What tasks hold of the link: where reports and progress go, and the lease.
use std::sync::Arc;

use tokio::sync::Notify;
use whimbrel_proto::agent::v1::{Report, TaskProgress};

use super::{lease::Lease, progress::Board, reports::Reports};

/// A handle, cheap to clone. It works the same whether the controller can be reached or not.
#[derive(Debug, Clone)]
pub struct Outlet {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) reports: Reports,
    pub(super) progress: Board,
    pub(super) lease: Lease,
    /// Wakes the session: there is something to be sent.
    pub(super) wake: Notify,
}

impl Outlet {
    /// One that nothing drains until a link has it; tests use it alone.
    #[must_use]
    pub fn new() -> Self {
        let shared = Shared {
            reports: Reports::new(),
            progress: Board::default(),
            lease: Lease::new(),
            wake: Notify::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Sends a report, once it is acknowledged for good; its `sequence` is set here. Waits only while a thousand of them
    /// wait already.
    pub async fn report(&self, report: Report) {
        self.shared.reports.push(report).await;
        self.shared.wake.notify_one();
    }

    /// Sends progress, sooner or later, the newest only. `tables` may hold just those that changed.
    pub fn progress(&self, progress: TaskProgress) {
        self.shared.progress.put(progress);
    }

    /// As [`Outlet::progress`], and before the reports that are made from now on: who hears that a copy is finished sees no table
    /// that is still loaded.
    pub fn progress_ahead(&self, progress: TaskProgress) {
        self.shared.progress.put_ahead(progress);
        self.shared.wake.notify_one();
    }

    /// The lease.
    #[must_use]
    pub fn lease(&self) -> Lease {
        self.shared.lease.clone()
    }

    /// Reports in the order they were made, as the controller would get them: for tests without a link.
    #[must_use]
    pub fn unacknowledged(&self) -> Vec<Report> {
        let mut all = Vec::new();
        let mut last = 0;
        while let Some(report) = self.shared.reports.after(last) {
            last = report.sequence;
            all.push(report);
        }
        all
    }
}

impl Default for Outlet {
    fn default() -> Self {
        Self::new()
    }
}
