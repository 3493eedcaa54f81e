//! SEQUENCES: the target's are as the source's: owned, unowned and identity ones, `last_value` and `is_called` exact.
use whimbrel_points::point;

use super::{order::StepDone, steps::Steps, verify::still_written};
use crate::{
    fault::{Doing, Fault},
    postgres::{Client, qualified},
    verify::{jumped, sequence_difference, sequence_values},
    wire::{Answer, Ask, SequenceValue, unexpected_answer},
};

pub(super) async fn carry_over(steps: &Steps<'_>) -> Result<StepDone, Fault> {
    let values = of_source(steps).await?;
    point!("sequences.read");
    set(steps, &values).await?;
    Ok(StepDone::default())
}

/// Sequences of one transaction, each of which it locks: far fewer than a server as it is set up has room for (64 locks for
/// each of 100 connections), and enough that a thousand cost four commits.
const AT_ONCE: usize = 250;

/// Sets the target's sequences, as the current epoch.
async fn set(steps: &Steps<'_>, values: &[SequenceValue]) -> Result<(), Fault> {
    let doing = "setting the target's sequences";
    let mut session = steps.receiver.session("sequences").await?;
    for run in values.chunks(AT_ONCE) {
        set_run(steps, &mut session, run, doing).await?;
    }
    Ok(())
}

async fn set_run(
    steps: &Steps<'_>,
    session: &mut Client,
    values: &[SequenceValue],
    doing: &str,
) -> Result<(), Fault> {
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
    steps.copied.ledger.commit(tx, doing).await
}

/// The target's are still as the source's; what was done, for an operator to read.
///
/// A crash of the source since SEQUENCES makes its sequences leap ahead, though nobody has drawn from them: those are carried
/// once more, forward only. Whoever draws from now on is seen as ever ([`jumped`] says what can't be told apart).
pub(super) async fn verify(steps: &Steps<'_>, session: &Client) -> Result<String, Fault> {
    let (source, target) = of_both(steps, session).await?;
    let Some(difference) = sequence_difference(&source, &target) else {
        return Ok(String::new());
    };
    let jumped = jumped(&source, &target);
    if jumped.is_empty() {
        return Err(still_written(&format!("sequence {difference}")));
    }
    set(steps, &jumped).await?;
    let (source, target) = of_both(steps, session).await?;
    match sequence_difference(&source, &target) {
        Some(difference) => Err(still_written(&format!("sequence {difference}"))),
        None => Ok(format!(
            "{} sequences were carried once more: the source has crashed, and they leapt ahead",
            jumped.len()
        )),
    }
}

async fn of_both(
    steps: &Steps<'_>,
    session: &Client,
) -> Result<(Vec<SequenceValue>, Vec<SequenceValue>), Fault> {
    let selected = &steps.receiver.spec.selected;
    tokio::try_join!(of_source(steps), sequence_values(session, selected))
}

async fn of_source(steps: &Steps<'_>) -> Result<Vec<SequenceValue>, Fault> {
    match steps.receiver.caller.ask(Ask::Sequences).await? {
        Answer::Sequences(values) => Ok(values),
        _ => Err(unexpected_answer()),
    }
}
