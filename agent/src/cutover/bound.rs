//! What holds for every step: it has a bound, and a side.
use std::{future::Future, time::Duration};

use tokio::time::timeout;
use whimbrel_proto::agent::v1::Step;

use super::order::{StepDone, StepOrder};
use crate::fault::{Fault, Policy};

/// A step has a bound unless its order says none. SETTLE minds its own, to name who is in the way.
pub(super) async fn bounded(
    order: &StepOrder,
    work: impl Future<Output = Result<StepDone, Fault>>,
) -> Result<StepDone, Fault> {
    const GRACE: Duration = Duration::from_secs(5);
    if order.timeout.is_zero() {
        return work.await;
    }
    match timeout(order.timeout + GRACE, work).await {
        Ok(done) => done,
        Err(_) => Err(timed_out(order)),
    }
}

/// Before the switch it leads back. One that was given up half-way may have been made: it is asked again, and the ledger knows;
/// behind it the only way is on, and no cutover can be ordered any more.
fn timed_out(order: &StepOrder) -> Fault {
    let (name, seconds) = (order.step.as_str_name(), order.timeout.as_secs());
    let text = format!("cutover step {name} did not end in {seconds} s");
    match order.step {
        Step::Switch | Step::RemoveSource | Step::RemoveLedger => {
            Fault::retry("StepTimedOut", text).remedy(
                "it is tried again; if it goes on, end what its statement waits for (pg_locks), then `whimbrel migration retry`",
            )
        }
        _ => Fault::hold("StepTimedOut", text)
            .remedy("order the cutover again when the servers are less busy"),
    }
}

/// The order went to the end that does not have the step.
pub(super) fn wrong_side(step: Step, side: &str) -> Fault {
    Fault::new(
        Policy::Hold,
        "StepUnknown",
        format!(
            "carrying out cutover step {}: the {side}'s agent has no such step",
            step.as_str_name()
        ),
    )
    .remedy("run the same version of controller and agents")
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    async fn timed_out(step: Step) -> Fault {
        let order = StepOrder {
            step,
            attempt: 1,
            open: Vec::new(),
            end: whimbrel_proto::Lsn(0),
            allow_source_writes: false,
            timeout: Duration::from_secs(60),
        };
        bounded(&order, pending()).await.unwrap_err()
    }

    #[tokio::test(start_paused = true)]
    async fn behind_the_switch_no_cutover_can_be_ordered_again() {
        for step in [Step::Switch, Step::RemoveSource, Step::RemoveLedger] {
            let fault = timed_out(step).await;
            assert_eq!(fault.policy, Policy::Retry, "{step:?}");
            assert!(!fault.remedy.contains("order the cutover"), "{step:?}: {}", fault.remedy);
        }
        let before = timed_out(Step::Sequences).await;
        assert_eq!(before.policy, Policy::Hold);
        assert!(before.remedy.contains("order the cutover again"), "{}", before.remedy);
    }
}
