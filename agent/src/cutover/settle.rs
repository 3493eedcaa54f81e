//! SETTLE: waits for every transaction that was open at marker 1. One that has not written yet still can, and would
//! commit behind the marker.
use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};
use whimbrel_points::is_broken;
use whimbrel_proto::agent::v1::OpenTransaction;

use super::{mark::open_transactions, order::StepDone};
use crate::{
    fault::{Fault, Policy},
    source::Sender,
};

/// Between two looks: the write-stop is longer by half of it on average, and a look costs the source a millisecond.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// For a test that takes it away: who was open at the marker is waited for.
const SETTLE: &str = "settle";

/// Transactions that are named when they do not end.
const NAMED: usize = 5;

pub(super) async fn settle(
    sender: &Arc<Sender>,
    awaited: &[OpenTransaction],
    patience: Duration,
) -> Result<StepDone, Fault> {
    if is_broken(SETTLE) {
        return Ok(StepDone::default());
    }
    let awaited: HashSet<(&str, bool)> =
        awaited.iter().map(|open| (open.id.as_str(), open.prepared)).collect();
    let deadline = Instant::now() + patience;
    loop {
        let open = open_transactions(sender).await?;
        let left: Vec<&OpenTransaction> = open
            .iter()
            .filter(|open| awaited.contains(&(open.id.as_str(), open.prepared)))
            .collect();
        if left.is_empty() {
            return Ok(StepDone::default());
        }
        // Zero: as long as it takes.
        if !patience.is_zero() && Instant::now() + LOOK_EVERY >= deadline {
            return Err(blocked(&left, patience));
        }
        sleep(LOOK_EVERY).await;
    }
}

fn blocked(left: &[&OpenTransaction], patience: Duration) -> Fault {
    let names: Vec<String> = left.iter().take(NAMED).map(|open| name(open)).collect();
    let more = left.len().saturating_sub(NAMED);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    Fault::new(
        Policy::Hold,
        "TransactionsOpen",
        format!(
            "waiting for the transactions that were open when the cutover began: after {} s there are still {}{more}",
            patience.as_secs(),
            names.join("; ")
        ),
    )
    .remedy(
        "end them (commit, roll back, or select pg_terminate_backend(PID) on the source), then order the cutover again",
    )
}

fn name(open: &OpenTransaction) -> String {
    if open.prepared {
        return format!("prepared transaction {:?} of {}", open.id, open.user);
    }
    let application =
        if open.application.is_empty() { "no application name" } else { &open.application };
    format!("pid {} ({application}, user {})", open.pid, open.user)
}
