//! SWITCH: the point of no return. In one transaction of the target: triggers, rules, policies and publications come, the
//! identity columns and what is set on the database are as they were, phase and epoch say that the database is the application's.
use tokio_postgres::Transaction;
use whimbrel_points::point;

use super::{
    on_database::without_value,
    order::{StepDone, StepOrder},
    steps::Steps,
    verify::{quiet, verify_if_stale},
};
use crate::{
    fault::{Doing, Fault},
    postgres::load_plpgsql,
    target::{
        RESTORE_SETTINGS, current, identity_always,
        ledger::{Phase, State},
    },
};

/// Why the ledger let no switch in. It was not made: under our epoch nobody else could.
fn refused(steps: &Steps<'_>, order: &StepOrder, ledger: &State) -> Fault {
    if ledger.epoch != steps.copied.ledger.epoch() {
        return Fault::fenced("switching the target database");
    }
    let marker = ledger.marker.map_or("no marker".to_owned(), |it| format!("attempt {it}'s"));
    Fault::hold(
        "NotDrained",
        format!(
            "switching the target database: the ledger should be at marker 2 of cutover attempt {}, and is at {marker} ({:?})",
            order.attempt, ledger.phase
        ),
    )
    .remedy("order the cutover again: it sets markers of its own")
}

/// As COMPLETE has tried them.
async fn carry_settings(tx: &Transaction<'_>, settings: &[String]) -> Result<(), Fault> {
    let doing = "switching the target database: carrying over what is set on the database";
    load_plpgsql(tx, settings).await.doing(doing)?;
    for statement in settings {
        let done = tx.batch_execute(statement).await;
        done.doing(format!("{doing}: {}", without_value(statement)))?;
    }
    Ok(())
}

pub(super) async fn switch(steps: &Steps<'_>, order: &StepOrder) -> Result<StepDone, Fault> {
    steps.receiver.lease.require()?;
    let doing = "switching the target database";
    let mut session = steps.receiver.session_of_ledger("switch").await?;
    if current(&session).await?.phase == Phase::Live {
        return Ok(StepDone::default());
    }
    let verified = verify_if_stale(steps, &session, order).await?;
    let catalog = steps.receiver.catalog(&session).await?;
    let settings = steps.receiver.database_settings(&session).await?;
    let tx = session.transaction().await.doing(doing)?;
    tx.batch_execute(RESTORE_SETTINGS).await.doing(doing)?;
    tx.batch_execute(&identity_always(&tx, &catalog).await?).await.doing(doing)?;
    for entry in &steps.plan().switch {
        tx.batch_execute(&entry.sql).await.doing(format!("{doing}: {}", entry.creating()))?;
    }
    carry_settings(&tx, &settings).await?;
    if steps.receiver.spec.online {
        quiet(steps, order).await?;
    }
    // An online database is switched where this attempt's marker 2 is, and nowhere else.
    let marker =
        steps.receiver.spec.online.then(|| i32::try_from(order.attempt).unwrap_or_default());
    let switched = tx
        .execute(
            "update whimbrel.ledger set phase = 'live', epoch = epoch + 1 \
             where epoch = $1 and phase = 'stream' and marker is not distinct from $2",
            &[&steps.copied.ledger.epoch(), &marker],
        )
        .await
        .doing(doing)?;
    if switched != 1 {
        tx.rollback().await.doing(doing)?;
        return Err(refused(steps, order, &current(&session).await?));
    }
    point!("switch.committing");
    tx.commit().await.doing(doing)?;
    point!("switch.committed");
    Ok(verified)
}
