//! The target's steps.
use std::{
    future::Future,
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use whimbrel_proto::agent::v1::Step;

use super::{
    complete, drain,
    order::{Order, StepDone, StepFailed, StepOrder, StepResult},
    remove_ledger, sequences,
    source::wrong_side,
    switch, verify,
};
use crate::{
    fault::{Fault, Policy},
    target::{Copied, Receiver, StreamState},
};

/// What the steps before the switch act on.
pub struct Steps<'a> {
    /// The receiving end.
    pub receiver: &'a Receiver,
    /// What it has copied.
    pub copied: &'a Copied,
    /// Where the change stream is; none in an offline migration.
    pub stream: Option<watch::Receiver<StreamState>>,
    /// Where the steps' results go.
    pub results: mpsc::Sender<StepResult>,
}

impl Steps<'_> {
    /// Carries out orders until the switch is done (`true`), or there are no more. `back` is told of attempts that are
    /// over.
    pub async fn run(
        &self,
        orders: &mut mpsc::Receiver<Order>,
        back: Option<mpsc::Sender<u32>>,
    ) -> bool {
        while let Some(order) = orders.recv().await {
            let order = match order {
                Order::Step(order) => order,
                Order::Back { attempt } => {
                    if let Some(back) = &back
                        && back.send(attempt).await.is_err()
                    {
                        return false;
                    }
                    continue;
                }
            };
            let result = carry_out(&order, self.step(&order)).await;
            let switched = order.step == Step::Switch && result.is_ok();
            if self.results.send(result).await.is_err() {
                return false;
            }
            if switched {
                return true;
            }
        }
        false
    }

    async fn step(&self, order: &StepOrder) -> Result<StepDone, Fault> {
        self.receiver.progress.operation(&format!(
            "cutover step {} of 11: {}",
            order.step as i32,
            order.step.as_str_name().to_lowercase().replace('_', " ")
        ));
        match order.step {
            Step::Drain => drain::drain(self, order).await,
            Step::Complete => complete::complete(self).await,
            Step::Sequences => sequences::carry_over(self).await,
            Step::Verify => verify::verify(self, order).await,
            Step::Switch => switch::switch(self).await,
            other => Err(wrong_side(other, "target")),
        }
    }
}

/// Carries out what follows the switch. Steps up to it are done: they are only confirmed again.
///
/// # Errors
/// None of its own: steps that fail are told as such.
pub async fn after_switch(
    receiver: &Receiver,
    orders: &mut mpsc::Receiver<Order>,
    results: &mpsc::Sender<StepResult>,
) {
    receiver.progress.operation("switched");
    while let Some(order) = orders.recv().await {
        let Order::Step(order) = order else { continue };
        let result = carry_out(&order, async {
            match order.step {
                Step::Switch => Ok(StepDone::default()),
                Step::RemoveLedger => remove_ledger::remove_ledger(receiver).await,
                other => Err(wrong_side(other, "switched target")),
            }
        })
        .await;
        if results.send(result).await.is_err() {
            return;
        }
    }
}

async fn carry_out(
    order: &StepOrder,
    work: impl Future<Output = Result<StepDone, Fault>>,
) -> StepResult {
    let began = Instant::now();
    let (step, attempt) = (order.step, order.attempt);
    let mut done =
        bounded(order, work).await.map_err(|fault| StepFailed { step, attempt, fault })?;
    (done.step, done.attempt, done.took) = (step, attempt, began.elapsed());
    Ok(done)
}

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
        Err(_) => Err(Fault::new(
            Policy::Hold,
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
