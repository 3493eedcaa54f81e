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
        // A switch that was given up half-way may have been made: it is asked again, and the ledger knows.
        Err(_) => Err(Fault::new(
            if order.step == Step::Switch { Policy::Retry } else { Policy::Hold },
            "StepTimedOut",
            format!(
                "cutover step {} did not end in {} s",
                order.step.as_str_name(),
                order.timeout.as_secs()
            ),
        )
        .remedy("order the cutover again when the servers are less busy")),
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
