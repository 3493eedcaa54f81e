//! SETTLE: waits for every transaction that was open at marker 1. One that has not written yet still can, and would
//! commit behind the marker.
use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use whimbrel_points::is_broken;
use whimbrel_proto::agent::v1::OpenTransaction;

use super::{mark::open_transactions, order::StepDone, waits::LOOK_EVERY as TELL_AFTER};
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
    waits: &mpsc::Sender<String>,
) -> Result<StepDone, Fault> {
    if is_broken(SETTLE) {
        return Ok(StepDone::default());
    }
    let mut awaited: HashSet<Name> = awaited.iter().map(name_of).collect();
    let began = Instant::now();
    let deadline = began + patience;
    let mut told = false;
    loop {
        let open = open_transactions(sender).await?;
        let left = still_open(&mut awaited, &open);
        if left.is_empty() {
            return Ok(StepDone::default());
        }
        // Zero: as long as it takes.
        if !patience.is_zero() && Instant::now() + LOOK_EVERY >= deadline {
            return Err(blocked(&left, patience));
        }
        if began.elapsed() >= TELL_AFTER && !std::mem::replace(&mut told, true) {
            tell(&left, waits).await;
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Writes stand still meanwhile: who is in the way is not said only once it is too late.
async fn tell(left: &[&OpenTransaction], waits: &mpsc::Sender<String>) {
    let text = format!(
        "cutover step SETTLE: waiting on the source for transactions that were open when the cutover began: {}",
        names(left)
    );
    if waits.send(text).await.is_err() {
        tracing::debug!("nobody listens to what a step waits for any more");
    }
}

/// By what a transaction is known: its virtual id, or its gid when it is prepared (`true`).
type Name = (String, bool);

fn name_of(open: &OpenTransaction) -> Name {
    (open.id.clone(), open.prepared)
}

/// Those of `open` that are awaited. PREPARE TRANSACTION takes the virtual id away and says nowhere whose the gid is: while any
/// virtual id is awaited, each gid that appears may be of one.
fn still_open<'a>(
    awaited: &mut HashSet<Name>,
    open: &'a [OpenTransaction],
) -> Vec<&'a OpenTransaction> {
    if awaited.iter().any(|(_, prepared)| !prepared) {
        awaited.extend(open.iter().filter(|open| open.prepared).map(name_of));
    }
    let left: Vec<_> = open.iter().filter(|open| awaited.contains(&name_of(open))).collect();
    *awaited = left.iter().map(|open| name_of(open)).collect();
    left
}

fn blocked(left: &[&OpenTransaction], patience: Duration) -> Fault {
    Fault::new(
        Policy::Hold,
        "TransactionsOpen",
        format!(
            "waiting for the transactions that were open when the cutover began: after {} s there are still {}",
            patience.as_secs(),
            names(left)
        ),
    )
    .remedy(
        "end them (commit, roll back, or select pg_terminate_backend(PID) on the source), then order the cutover again",
    )
}

/// The first few; the rest is counted.
fn names(left: &[&OpenTransaction]) -> String {
    let names: Vec<String> = left.iter().take(NAMED).map(|open| name(open)).collect();
    let more = left.len().saturating_sub(NAMED);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", names.join("; "))
}

fn name(open: &OpenTransaction) -> String {
    if open.prepared {
        return format!("prepared transaction {:?} of {}", open.id, open.user);
    }
    let application =
        if open.application.is_empty() { "no application name" } else { &open.application };
    format!("pid {} ({application}, user {})", open.pid, open.user)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(id: &str, prepared: bool) -> OpenTransaction {
        OpenTransaction { id: id.to_owned(), prepared, ..OpenTransaction::default() }
    }

    #[test]
    fn one_that_is_prepared_meanwhile_is_waited_for_by_its_gid() {
        let mut awaited = HashSet::from([name_of(&open("3/7", false))]);
        let later = open("4/1", false);
        assert_eq!(still_open(&mut awaited, &[open("3/7", false), later.clone()]).len(), 1);
        assert_eq!(still_open(&mut awaited, &[open("gid", true), later.clone()]).len(), 1);
        // Nobody who was open at the marker can be behind what is prepared from here on.
        let after = [open("gid", true), open("another", true)];
        assert_eq!(still_open(&mut awaited, &after), [&after[0]]);
        assert!(still_open(&mut awaited, &[open("another", true), later]).is_empty());
    }
}
