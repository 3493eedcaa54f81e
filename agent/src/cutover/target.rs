//! The target's steps.
use std::{future::Future, time::Instant};

use tokio::sync::mpsc;
use whimbrel_points::point;
use whimbrel_proto::agent::v1::Step;

use super::{
    bound::{bounded, wrong_side},
    complete, drain,
    order::{Order, StepDone, StepFailed, StepOrder, StepResult},
    remove_ledger, sequences,
    steps::Steps,
    switch, verify, waits,
};
use crate::{
    fault::Fault,
    target::{Control, Receiver},
    wire::Ask,
};

impl Steps<'_> {
    /// Carries out orders until the switch is done (`true`), or there are no more.
    pub async fn run(&self, orders: &mut mpsc::Receiver<Order>) -> bool {
        let mut over = self.receiver.spec.past_attempts;
        while let Some(order) = orders.recv().await {
            let order = match (order, &self.control) {
                // A command that comes again after its attempt is over must do nothing.
                (Order::Step(order), _) if order.attempt <= over => continue,
                (Order::Step(order), _) => order,
                (Order::Back { .. }, None) => continue,
                (Order::Back { attempt }, Some(control)) => {
                    over = over.max(attempt);
                    if control.send(Control::Over(attempt)).await.is_err() {
                        return false;
                    }
                    continue;
                }
            };
            let result = carry_out(self.receiver, &order, Box::pin(self.step(&order))).await;
            if order.step == Step::Complete && result.is_err() {
                self.release_snapshot().await;
            }
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

    /// A table that was to be copied again may have left its snapshot behind, and the source would keep its WAL for it.
    async fn release_snapshot(&self) {
        if let Err(fault) = self.receiver.caller.ask(Ask::Release).await {
            // The sender is gone, and its snapshot with it.
            tracing::debug!(%fault, "releasing the snapshot");
        }
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
            Step::Switch => switch::switch(self, order).await,
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
        let work = Box::pin(async {
            match order.step {
                Step::Switch => Ok(StepDone::default()),
                Step::RemoveLedger => remove_ledger::remove_ledger(receiver).await,
                other => Err(wrong_side(other, "switched target")),
            }
        });
        let result = Box::pin(carry_out(receiver, &order, work)).await;
        if results.send(result).await.is_err() {
            return;
        }
    }
}

async fn carry_out(
    receiver: &Receiver,
    order: &StepOrder,
    work: impl Future<Output = Result<StepDone, Fault>>,
) -> StepResult {
    let began = Instant::now();
    let (step, attempt) = (order.step, order.attempt);
    point!("step.{}.begin", step.as_str_name());
    let mut done = bounded(order, waits::telling(receiver, step, work))
        .await
        .map_err(|fault| StepFailed { step, attempt, fault })?;
    (done.step, done.attempt, done.took) = (step, attempt, began.elapsed());
    point!("step.{}.done", step.as_str_name());
    Ok(done)
}
