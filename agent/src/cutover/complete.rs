//! COMPLETE: what could not be made while rows still came.
use std::collections::{HashMap, HashSet};

use super::{
    drain::{no_stream, stream_ended},
    on_database,
    order::StepDone,
    settings,
    steps::Steps,
    take_over::take_over,
    verify::unaltered_since_marker,
};
use crate::{
    fault::{Doing, Fault},
    postgres::{Client, qualified},
    target::{
        CONSTRAINT_VIOLATED, Carried, CopyIn, Rows, Unmade, bring_defaults, can_be_replica,
        copy_in, drop_foreign_keys, not_as_here, run_entries_again,
    },
    verify::{schema_changed, shape_difference, table_checksum},
    wire::{Answer, Ask, Catalog, Publish, Relation, ShapeItem, SnapshotKind, unexpected_answer},
};

pub(super) async fn complete(steps: &Steps<'_>) -> Result<StepDone, Fault> {
    let receiver = steps.receiver;
    let copied = steps.copied;
    let mut session = receiver.session("complete").await?;
    settings::try_all(steps, &mut session).await?;
    let mut notes = Vec::new();
    if receiver.spec.online {
        // Again at each attempt: an older attempt's may have changed since.
        tables_are_there(steps).await?;
        let (untold, seen) = copy_untold(steps, &mut session).await?;
        notes.extend(untold);
        match take_over(steps, &mut session, seen).await {
            // Rows may be in a new foreign key's way that have gone from the source: of a table without a key, no delete comes.
            Err(fault) if fault.code == CONSTRAINT_VIOLATED => {
                let copied = copy_differing(steps, &mut session).await?.ok_or(fault)?;
                notes.push(copied);
                notes.extend(take_over(steps, &mut session, None).await?);
            }
            taken => notes.extend(taken?),
        }
        check_chosen(steps, &session).await?;
        notes.extend(copy_differing(steps, &mut session).await?);
        notes.extend(unstreamed(steps, &mut session).await?);
    }
    notes.extend(on_database::changes(steps, &session).await?);
    let plan = steps.plan();
    receiver
        .make_foreign_keys(&mut session, copied.ledger, &plan.foreign_keys, Unmade::Stops)
        .await?;
    // Again at each attempt: they are as old as the last one.
    run_entries_again(&mut session, copied.ledger, &plan.quiet).await?;
    if !plan.quiet.is_empty() {
        let views = plan.quiet.len();
        notes.push(format!(
            "{views} materialized views were refreshed: they have what their queries give now"
        ));
    }
    Ok(StepDone { note: notes.join("; "), ..StepDone::default() })
}

/// Tables that are in no stream, or not with all that was done to them; which had to be copied again.
async fn copy_differing(steps: &Steps<'_>, session: &mut Client) -> Result<Option<String>, Fault> {
    let differing = compare_unpublished(steps, session).await?;
    if differing.is_empty() {
        return Ok(None);
    }
    let names: Vec<String> = differing.iter().map(|relation| relation.label()).collect();
    replace(steps, session, &differing).await?;
    let names = names.join(", ");
    Ok(Some(format!(
        "copied again, for the change stream does not have all that was done to them: {names}"
    )))
}

/// A table whose name was changed so that it is no longer chosen: its rows came all the time, and what comes with a dump of
/// now (triggers, comments, …) would not.
async fn check_chosen(steps: &Steps<'_>, session: &Client) -> Result<(), Fault> {
    let receiver = steps.receiver;
    if receiver.spec.selected.is_everything() {
        return Ok(());
    }
    let catalog = receiver.catalog(session).await?;
    let names = catalog.relations.iter().map(|table| qualified(&table.schema, &table.name));
    let names: Vec<String> = names.collect();
    let sql = receiver.spec.selected.sql(
        "select name from unnest($1::text[]) name \
         where to_regclass(name) is not null and not {relation to_regclass(name)} order by 1 limit 5",
    );
    let rows = session
        .query(&*session.sql(&sql), &[&names])
        .await
        .doing("looking for tables that are no longer chosen")?;
    let gone: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    if gone.is_empty() {
        return Ok(());
    }
    Err(Fault::hold(
        "TableLeftSelection",
        format!("these tables were chosen, and by their present names they are not: {}", gone.join(", ")),
    )
    .remedy("rename them back on the source, and order the cutover again; or cancel, and start a new migration with other patterns"))
}

/// Changes of the schema that no event trigger told. Where there are such triggers, only if the source's shape is another than it
/// was, or has a table that the ledger does not know; else always, for a shape has less of a table than its form: a column
/// made anew under its name, a partition's bound. What an attempt that was cut has left to be copied is copied too. The source's shape
/// as it was seen, unless there was something to carry.
async fn copy_untold(
    steps: &Steps<'_>,
    session: &mut Client,
) -> Result<(Option<String>, Option<Vec<ShapeItem>>), Fault> {
    let receiver = steps.receiver;
    receiver.publish(session, steps.copied.ledger).await?;
    let then = receiver.dumped_shape(session).await?;
    let now = receiver.shape(false).await?;
    let mut carried = false;
    if !receiver.is_followed().await?
        || receiver.has_untold(session).await?
        || shape_difference(&then, &now).is_some()
        || !receiver.unknown_tables(session, &now).await?.is_empty()
    {
        // A new object may be of a role that is new.
        if receiver.spec.migrate_roles {
            receiver.make_roles().await?;
        }
        let untold = receiver.find_untold(session, steps.copied.ledger).await?;
        if !untold.is_nothing() {
            carried = true;
            unaltered_since_marker(steps).await?;
        }
        receiver.carry_untold(session, steps.copied.ledger, untold).await?;
    }
    let tables = receiver.waiting_tables(session).await?;
    if tables.is_empty() {
        return Ok((None, Some(now).filter(|_| !carried)));
    }
    replace(steps, session, &tables).await?;
    let names: Vec<String> = tables.iter().map(Relation::label).collect();
    let note =
        format!("new tables, and such that were rewritten, were copied: {}", names.join(", "));
    Ok((Some(note), None))
}

/// What is in no stream, large objects and rows in tables of extensions: what has changed since it was copied is carried
/// now.
async fn unstreamed(steps: &Steps<'_>, session: &mut Client) -> Result<Vec<String>, Fault> {
    let receiver = steps.receiver;
    receiver.take_snapshot(SnapshotKind::Offline).await?;
    let tables = receiver.carry_extension_rows(session, steps.copied.ledger).await?;
    let carried = receiver.carry_large_objects(session, steps.copied.ledger, true).await?;
    receiver.caller.ask(Ask::Release).await?;
    let Carried { made, removed, bytes } = carried;
    let mut notes = Vec::new();
    if !tables.is_empty() {
        notes
            .push(format!("rows in tables of extensions that were changed: {}", tables.join(", ")));
    }
    if carried != Carried::default() {
        notes.push(format!(
            "large objects: {made} that were changed or are new ({bytes} bytes), {removed} removed"
        ));
    }
    Ok(notes)
}

/// The stream copies what the source's changes of its schema have left to be copied; while it stands at the marker too, but
/// for what has changed behind it: that is not waited for.
async fn tables_are_there(steps: &Steps<'_>) -> Result<(), Fault> {
    let mut stream = steps.stream.clone().ok_or_else(no_stream)?;
    let at_rest = stream
        .wait_for(|state| {
            state.at_marker.is_some() && (!state.tables_wait || state.left_at_marker.is_some())
        })
        .await
        .map_err(|_| stream_ended())?;
    match &at_rest.left_at_marker {
        Some(what) => Err(schema_changed(&format!("{what}, behind the cutover's last marker"))),
        None => Ok(()),
    }
}

/// Tables whose updates and deletes are not in the stream, or which are not in it at all, or whose truncates may not have
/// been: their rows are compared.
pub(super) async fn compare_unpublished(
    steps: &Steps<'_>,
    session: &Client,
) -> Result<Vec<Relation>, Fault> {
    let mut differing = Vec::new();
    let catalog = steps.receiver.catalog(session).await?;
    let rewritten = rewritten(steps, session, &catalog).await?;
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
            differing.push(relation.clone());
        }
    }
    Ok(differing)
}

/// Tables of a source that publishes no truncates which have another file than when they were dumped.
async fn rewritten(
    steps: &Steps<'_>,
    session: &Client,
    catalog: &Catalog,
) -> Result<HashSet<u32>, Fault> {
    let Answer::Followed(followed) = steps.receiver.caller.ask(Ask::Followed).await? else {
        return Err(unexpected_answer());
    };
    let then: HashMap<u32, u32> = if followed {
        catalog
            .relations
            .iter()
            .filter_map(|relation| Some((relation.oid, relation.file?)))
            .collect()
    } else {
        steps.receiver.known_files(session).await?
    };
    if then.is_empty() {
        return Ok(HashSet::new());
    }
    let Answer::Files(now) =
        steps.receiver.caller.ask(Ask::Files { under_snapshot: false }).await?
    else {
        return Err(unexpected_answer());
    };
    let differs = |(oid, file): &(u32, u32)| then.get(oid).is_some_and(|then| then != file);
    Ok(now.into_iter().filter(differs).map(|(oid, _)| oid).collect())
}

/// Copies tables again, while the stream stands still: each in one transaction with its rows before.
async fn replace(
    steps: &Steps<'_>,
    session: &mut Client,
    relations: &[Relation],
) -> Result<(), Fault> {
    let receiver = steps.receiver;
    let ledger = steps.copied.ledger;
    let as_replica = can_be_replica(session).await;
    if as_replica {
        session
            .batch_execute("set session_replication_role = replica")
            .await
            .doing("setting session_replication_role on the target")?;
    } else {
        // What is emptied would take along, or change, the rows of those that refer to it (ON DELETE CASCADE, SET NULL).
        drop_foreign_keys(session, ledger, &steps.plan()).await?;
    }
    let snapshot = receiver.renew_snapshot(session, ledger).await?;
    // A transaction that was open has kept the snapshot waiting, and others have gone on meanwhile.
    let tables: Vec<u32> = relations.iter().map(|relation| relation.oid).collect();
    let unlike = not_as_here(receiver, session, &tables).await?;
    if let Some(table) = relations.iter().find(|relation| unlike.contains(&relation.oid)) {
        receiver.caller.ask(Ask::Release).await?;
        let label = table.label();
        return Err(schema_changed(&format!("table {label}, behind the cutover's last marker")));
    }
    bring_defaults(receiver, ledger, session, (&tables, Rows::Copied)).await?;
    for relation in relations {
        let copy = CopyIn { relation, pages: None, replace: true, point: Some(snapshot.point) };
        receiver.progress.table_restarted(relation.oid);
        let (rows, bytes) =
            copy_in(&copy, session, &receiver.caller, ledger, &receiver.progress).await?;
        receiver.progress.table_done(relation.oid, rows, bytes);
    }
    receiver.caller.ask(Ask::Release).await?;
    // Where the schema has changed no list of a dump has them any more; else they are made last.
    if !as_replica && receiver.has_changed(session).await? {
        receiver.make_late_constraints(session, ledger).await?;
    }
    Ok(())
}
