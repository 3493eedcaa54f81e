//! The source's steps.
use std::{sync::Arc, time::Instant};

use tokio::sync::mpsc;
use whimbrel_points::point;
use whimbrel_proto::agent::v1::Step;

use super::{
    bound::{bounded, wrong_side},
    mark,
    order::{Order, StepDone, StepFailed, StepOrder, StepResult},
    settle,
};
use crate::{
    fault::Fault,
    source::{Sender, remove_objects},
};

/// Carries out orders one after the other until there are no more. Whom a step waits for is told by `waits`.
pub async fn run(
    sender: &Arc<Sender>,
    mut orders: mpsc::Receiver<Order>,
    results: &mpsc::Sender<StepResult>,
    waits: &mpsc::Sender<String>,
) {
    while let Some(order) = orders.recv().await {
        let result = match order {
            Order::Step(order) => carry_out(sender, order, waits).await,
            // Nothing on the source waits for an attempt.
            Order::Back { .. } => continue,
        };
        if results.send(result).await.is_err() {
            return;
        }
    }
}

async fn carry_out(
    sender: &Arc<Sender>,
    order: StepOrder,
    waits: &mpsc::Sender<String>,
) -> StepResult {
    let began = Instant::now();
    let (step, attempt) = (order.step, order.attempt);
    point!("step.{}.begin", step.as_str_name());
    let mut done = match bounded(&order, step_of(sender, &order, waits)).await {
        Ok(done) => done,
        Err(fault) => return Err(StepFailed { step, attempt, fault }),
    };
    (done.step, done.attempt, done.took) = (step, attempt, began.elapsed());
    point!("step.{}.done", step.as_str_name());
    Ok(done)
}

async fn step_of(
    sender: &Arc<Sender>,
    order: &StepOrder,
    waits: &mpsc::Sender<String>,
) -> Result<StepDone, Fault> {
    match order.step {
        Step::Mark => mark::begin(sender, order.attempt).await,
        Step::Settle => settle::settle(sender, &order.open, order.timeout, waits).await,
        Step::MarkEnd => mark::end(sender, order.attempt).await,
        Step::RemoveSource => {
            let spec = sender.spec();
            remove_objects(&spec.endpoint, &spec.database, &spec.objects).await?;
            Ok(StepDone::default())
        }
        other => Err(wrong_side(other, "source")),
    }
}
