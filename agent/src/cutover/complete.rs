//! COMPLETE: what could not be made while rows still came.
use std::collections::{HashMap, HashSet};

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
                "copied again, for the change stream does not have all that was done to them: {}",
                names.join(", ")
            );
        }
    }
    run_entries(&mut session, copied.ledger, &copied.plan.foreign_keys).await?;
    // Again at each attempt: they are as old as the last one.
    run_entries_again(&mut session, copied.ledger, &copied.plan.quiet).await?;
    Ok(StepDone { note, ..StepDone::default() })
}

/// Tables whose updates and deletes are not in the stream, or which are not in it at all, or whose truncates may not have
/// been: their rows are compared.
pub(super) async fn compare_unpublished<'a>(
    steps: &Steps<'a>,
    session: &Client,
) -> Result<Vec<&'a Relation>, Fault> {
    let mut differing = Vec::new();
    let catalog = &steps.copied.catalog;
    let rewritten = rewritten(steps).await?;
    for relation in &catalog.relations {
        if relation.publish == Publish::All && !rewritten.contains(&relation.oid) {
            continue;
        }
        let name = (relation.schema.clone(), relation.name.clone());
        let columns: Vec<String> =
            relation.columns.iter().map(|column| column.name.clone()).collect();
        let qualified = (relation.schema.as_str(), relation.name.as_str());
        let target = table_checksum(session, qualified, &columns, catalog.server_version).await?;
        let ask = Ask::Checksum { name, columns, under_snapshot: false };
        let Answer::Checksum(source) = steps.receiver.caller.ask(ask).await? else {
            return Err(unexpected_answer());
        };
        if source != target {
            differing.push(relation);
        }
    }
    Ok(differing)
}

/// Tables of a source that publishes no truncates which have another file than when they were dumped.
async fn rewritten(steps: &Steps<'_>) -> Result<HashSet<u32>, Fault> {
    let then: HashMap<u32, u32> = steps
        .copied
        .catalog
        .relations
        .iter()
        .filter_map(|relation| relation.file.map(|file| (relation.oid, file)))
        .collect();
    if then.is_empty() {
        return Ok(HashSet::new());
    }
    let Answer::Files(now) = steps.receiver.caller.ask(Ask::Files).await? else {
        return Err(unexpected_answer());
    };
    let differs = |(oid, file): &(u32, u32)| then.get(oid).is_some_and(|then| then != file);
    Ok(now.into_iter().filter(differs).map(|(oid, _)| oid).collect())
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
