//! COMPLETE: what could not be made while rows still came.
use super::{order::StepDone, steps::Steps};
use crate::{
    fault::{Doing, Fault},
    postgres::Client,
    target::{CopyIn, can_be_replica, copy_in, run_entries, run_entries_again},
    verify::table_checksum,
    wire::{Answer, Ask, Publish, Relation, SnapshotKind, unexpected_answer},
};

pub(super) async fn complete(steps: &Steps<'_>) -> Result<StepDone, Fault> {
    let receiver = steps.receiver;
    let copied = steps.copied;
    let mut session = receiver.session("complete").await?;
    let mut note = String::new();
    if receiver.spec.online {
        let differing = compare_unpublished(steps, &session).await?;
        if !differing.is_empty() {
            let names: Vec<String> = differing.iter().map(|relation| relation.label()).collect();
            replace(steps, &mut session, &differing).await?;
            note = format!(
                "copied again, for they were changed and have no key: {}",
                names.join(", ")
            );
        }
    }
    run_entries(&mut session, copied.ledger, &copied.plan.foreign_keys).await?;
    // Again at each attempt: they are as old as the last one.
    run_entries_again(&mut session, copied.ledger, &copied.plan.quiet).await?;
    Ok(StepDone { note, ..StepDone::default() })
}

/// Tables whose updates and deletes are not in the stream, or which are not in it at all: their rows are compared.
pub(super) async fn compare_unpublished<'a>(
    steps: &Steps<'a>,
    session: &Client,
) -> Result<Vec<&'a Relation>, Fault> {
    let mut differing = Vec::new();
    for relation in &steps.copied.catalog.relations {
        if relation.publish == Publish::All {
            continue;
        }
        let name = (relation.schema.clone(), relation.name.clone());
        let columns: Vec<String> =
            relation.columns.iter().map(|column| column.name.clone()).collect();
        let target = table_checksum(session, &relation.schema, &relation.name, &columns).await?;
        let ask = Ask::Checksum { name, columns };
        let Answer::Checksum(source) = steps.receiver.caller.ask(ask).await? else {
            return Err(unexpected_answer());
        };
        if source != target {
            differing.push(relation);
        }
    }
    Ok(differing)
}

/// Copies tables again, while the stream stands still: each in one transaction with its rows before.
async fn replace(
    steps: &Steps<'_>,
    session: &mut Client,
    relations: &[&Relation],
) -> Result<(), Fault> {
    let receiver = steps.receiver;
    if can_be_replica(session).await {
        session
            .batch_execute("set session_replication_role = replica")
            .await
            .doing("setting session_replication_role on the target")?;
    }
    let snapshot = receiver.take_snapshot(SnapshotKind::Renewed).await?;
    for relation in relations {
        let copy = CopyIn { relation, pages: None, replace: true, point: Some(snapshot.point) };
        let (caller, ledger) = (&receiver.caller, steps.copied.ledger);
        receiver.progress.table_restarted(relation.oid);
        let (rows, bytes) = copy_in(&copy, session, caller, ledger, &receiver.progress).await?;
        receiver.progress.table_done(relation.oid, rows, bytes);
    }
    receiver.caller.ask(Ask::Release).await?;
    Ok(())
}
