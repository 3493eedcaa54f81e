//! SWITCH: the point of no return. In one transaction of the target: triggers, rules, policies and publications come, the
//! identity columns and what is set on the database are as they were, phase and epoch say that the database is the application's.
use super::{order::StepDone, steps::Steps};
use crate::{
    fault::{Doing, Fault},
    target::{current, identity_always, ledger::Phase, schema::RESTORE_SETTINGS},
    wire::{Answer, Ask, unexpected_answer},
};

pub(super) async fn switch(steps: &Steps<'_>) -> Result<StepDone, Fault> {
    steps.receiver.lease.require()?;
    let doing = "switching the target database";
    let mut session = steps.receiver.session("switch").await?;
    if current(&session).await?.phase == Phase::Live {
        return Ok(StepDone::default());
    }
    let Answer::Statements(settings) = steps.receiver.caller.ask(Ask::DatabaseSettings).await?
    else {
        return Err(unexpected_answer());
    };
    let tx = session.transaction().await.doing(doing)?;
    tx.batch_execute(RESTORE_SETTINGS).await.doing(doing)?;
    tx.batch_execute(&identity_always(&steps.copied.catalog)).await.doing(doing)?;
    for entry in &steps.copied.plan.switch {
        tx.batch_execute(&entry.sql).await.doing(format!(
            "{doing}: creating {} {}",
            entry.kind.to_lowercase(),
            entry.tag
        ))?;
    }
    // An error does not quote the statement: applications keep secrets in settings of their own.
    for statement in &settings {
        tx.batch_execute(statement)
            .await
            .doing(format!("{doing}: carrying over what is set on the database"))?;
    }
    let switched = tx
        .execute(
            "update whimbrel.ledger set phase = 'live', epoch = epoch + 1 where epoch = $1 and phase = 'stream'",
            &[&steps.copied.ledger.epoch()],
        )
        .await
        .doing(doing)?;
    if switched != 1 {
        tx.rollback().await.doing(doing)?;
        return Err(Fault::fenced(doing));
    }
    tx.commit().await.doing(doing)?;
    Ok(StepDone::default())
}
