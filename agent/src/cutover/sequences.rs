//! SEQUENCES: the target's are as the source's: owned, unowned and identity ones, `last_value` and `is_called` exact.
use whimbrel_points::point;

use super::{order::StepDone, steps::Steps};
use crate::{
    fault::{Doing, Fault},
    postgres::qualified,
    wire::{Answer, Ask, SequenceValue, unexpected_answer},
};

pub(super) async fn carry_over(steps: &Steps<'_>) -> Result<StepDone, Fault> {
    let values = of_source(steps).await?;
    point!("sequences.read");
    let doing = "setting the target's sequences";
    let mut session = steps.receiver.session("sequences").await?;
    let names: Vec<String> = values.iter().map(|v| qualified(&v.name.0, &v.name.1)).collect();
    let last: Vec<i64> = values.iter().map(|value| value.last_value).collect();
    let called: Vec<bool> = values.iter().map(|value| value.is_called).collect();
    let tx = session.transaction().await.doing(doing)?;
    // setval survives a rollback, so the epoch is proved before it, in its transaction.
    steps.copied.ledger.prove(&tx, doing).await?;
    point!("sequences.proved");
    tx.execute(
        "select setval(s.name::regclass, s.last, s.called) \
         from unnest($1::text[], $2::int8[], $3::bool[]) as s(name, last, called)",
        &[&names, &last, &called],
    )
    .await
    .doing(doing)?;
    steps.copied.ledger.commit(tx, doing).await?;
    Ok(StepDone::default())
}

pub(super) async fn of_source(steps: &Steps<'_>) -> Result<Vec<SequenceValue>, Fault> {
    match steps.receiver.caller.ask(Ask::Sequences).await? {
        Answer::Sequences(values) => Ok(values),
        _ => Err(unexpected_answer()),
    }
}
