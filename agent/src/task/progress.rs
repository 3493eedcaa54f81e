//! Tells the controller how far a receiver is.
use std::{convert::Infallible, sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval};
use whimbrel_proto::agent::v1::TaskProgress;

use super::report::Reporter;
use crate::target::Progress;

/// Often enough for bars that move, seldom enough that a thousand migrations are no load.
const TELL_EVERY: Duration = Duration::from_millis(500);

/// Never ends.
pub(super) async fn tell(reporter: &Reporter, progress: &Arc<Progress>) -> Infallible {
    let mut ticks = interval(TELL_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        tell_once(reporter, progress);
    }
}

/// Now: before a task ends, so that its last counts are known.
pub(super) fn tell_once(reporter: &Reporter, progress: &Progress) {
    reporter.outlet().progress(newest(reporter, progress));
}

/// Now, and before the next report: the counts that it speaks of.
pub(super) fn tell_ahead(reporter: &Reporter, progress: &Progress) {
    reporter.outlet().progress_ahead(newest(reporter, progress));
}

fn newest(reporter: &Reporter, progress: &Progress) -> TaskProgress {
    let (operation, counts, tables) = progress.tell();
    TaskProgress {
        migration_uid: reporter.id().migration.clone(),
        database: reporter.id().database.clone(),
        epoch: reporter.epoch(),
        progress: Some(counts),
        tables: tables
            .into_iter()
            .map(|mut table| {
                table.database.clone_from(&reporter.id().database);
                table
            })
            .collect(),
        operation,
    }
}
