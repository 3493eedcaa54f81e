//! Reports that wait for the store: so many, and so many bytes of them.
use std::sync::Arc;

use prost::Message as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tonic::Status;
use whimbrel_proto::{MESSAGE_BYTES_MAX, agent::v1 as link};

/// An agent sends 64 without an acknowledgement; one that has more is cut off, and sends them again.
const REPORTS_MAX: usize = 256;

/// The largest report there can be, and as much again for those behind it: findings about ten thousand tables are a few
/// megabytes.
const BYTES_MAX: usize = 2 * MESSAGE_BYTES_MAX;

/// Where an agent's reports are put.
pub(super) struct Reports {
    queue: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
}

/// A report, and the room that it takes until it is dropped.
pub(super) struct Waiting {
    pub(super) report: link::Report,
    pub(super) _room: OwnedSemaphorePermit,
}

impl Reports {
    pub(super) fn new() -> (Self, mpsc::Receiver<Waiting>) {
        let (queue, taken) = mpsc::channel(REPORTS_MAX);
        (Self { queue, room: Arc::new(Semaphore::new(BYTES_MAX)) }, taken)
    }

    /// `ResourceExhausted` when there is no room: the session ends, and the agent sends it again.
    pub(super) fn put(&self, report: link::Report) -> Result<(), Status> {
        let full =
            || Status::resource_exhausted("too many reports wait for the controller's store");
        let bytes = u32::try_from(report.encoded_len()).map_err(|_| full())?;
        let room = Arc::clone(&self.room).try_acquire_many_owned(bytes).map_err(|_| full())?;
        self.queue.try_send(Waiting { report, _room: room }).map_err(|_| full())
    }
}

#[cfg(test)]
mod tests {
    use whimbrel_proto::agent::v1::{Checked, report::Kind};

    use super::*;

    fn report(bytes: usize) -> link::Report {
        let facts = vec![0; bytes].into();
        let kind = Some(Kind::Checked(Checked { facts, ..Checked::default() }));
        link::Report { kind, ..link::Report::default() }
    }

    #[tokio::test]
    async fn bytes_are_bounded_as_well_as_reports() {
        let (reports, mut taken) = Reports::new();
        let large = MESSAGE_BYTES_MAX - 1024;
        reports.put(report(large)).unwrap();
        reports.put(report(large)).unwrap();
        assert!(reports.put(report(large)).is_err(), "a third has no room");
        drop(taken.recv().await);
        reports.put(report(large)).unwrap();
        drop((taken.recv().await, taken.recv().await));
        for _ in 0..REPORTS_MAX {
            reports.put(report(1)).unwrap();
        }
        assert!(reports.put(report(1)).is_err());
    }
}
