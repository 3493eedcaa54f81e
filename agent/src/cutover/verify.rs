//! VERIFY: nothing was written after marker 2, sequences are equal, the source's catalog is as it was dumped.
use std::{
    sync::PoisonError,
    time::{Duration, Instant},
};

use uuid::Uuid;

use super::{
    complete::compare_unpublished,
    drain::{no_stream, stream_ended},
    order::{StepDone, StepOrder},
    sequences,
    steps::Steps,
};
use crate::{
    fault::{Doing, Fault, Policy},
    postgres::Client,
    target::{StreamState, current, emptied, held_tables},
    verify::{schema_changed, shape_difference},
    wire::{Answer, Ask, Quiet, unexpected_answer},
};

pub(super) async fn verify(steps: &Steps<'_>, order: &StepOrder) -> Result<StepDone, Fault> {
    let session = steps.receiver.session("verify").await?;
    if let Some(table) = held_tables(&session, &steps.copied.catalog).await?.first() {
        return Err(held(table));
    }
    let then = steps.receiver.dumped_shape(&session).await?;
    let now = steps.receiver.shape(false).await?;
    if let Some(difference) = shape_difference(&then, &now) {
        return Err(schema_changed(&difference));
    }
    if steps.receiver.tables_wait(&session).await? {
        return Err(Fault::hold("NotDrained", "tables are still to be copied again")
            .remedy("order the cutover again when they are"));
    }
    if steps.receiver.spec.online
        && let Some(table) = steps.receiver.unknown_tables(&session, &now).await?.first()
    {
        return Err(schema_changed(&format!("{table} was made, and its rows were never copied")));
    }
    if !steps.receiver.spec.online
        && let Some(table) = emptied(&session, &steps.copied.catalog).await?.first()
    {
        return Err(crashed(&table.label()));
    }
    let mut note = String::new();
    if !order.allow_source_writes {
        note = sequences::verify(steps, &session).await?;
    }
    if steps.receiver.spec.online {
        if current(&session).await?.applied < Some(order.end) {
            return Err(Fault::hold("NotDrained", "the ledger is not at marker 2"));
        }
        if !order.allow_source_writes
            && let Some(table) = compare_unpublished(steps, &session).await?.first()
        {
            return Err(still_written(&format!("rows of {} differ", table.label())));
        }
        if !order.allow_source_writes
            && let Some(table) =
                steps.receiver.differing_extension_tables(&session, false).await?.first()
        {
            return Err(still_written(&format!("rows of {} differ", table.label())));
        }
        if !order.allow_source_writes
            && let Some(oid) = steps.receiver.differing_large_object(&session).await?
        {
            return Err(still_written(&format!("large object {oid} differs")));
        }
        // Last, so that as little as can be lies between it and the switch, which asks it once more.
        quiet(steps, order).await?;
    }
    let verified =
        Verified { attempt: order.attempt, at: Instant::now(), target: life(&session).await? };
    *steps.verified.lock().unwrap_or_else(PoisonError::into_inner) = Some(verified);
    Ok(StepDone { note, ..StepDone::default() })
}

/// A verification that went well.
pub struct Verified {
    attempt: u32,
    at: Instant,
    /// See [`life`].
    target: String,
}

/// When the target was started: another one at its address (a standby that was promoted), or one that has crashed since, may lack
/// what was committed there.
async fn life(session: &Client) -> Result<String, Fault> {
    let sql = "select pg_postmaster_start_time()::text";
    let row = session.query_one(sql, &[]).await.doing("asking when the target was started")?;
    Ok(row.get(0))
}

/// How old a verification may be at the switch. The controller orders the switch within milliseconds; after a pause, or by
/// another agent than verified, the source may have been written to since.
const FRESH: Duration = Duration::from_secs(2);

/// Verifies again, unless this agent has just done so for this attempt, at the server that the `session` is with.
pub(super) async fn verify_if_stale(
    steps: &Steps<'_>,
    session: &Client,
    order: &StepOrder,
) -> Result<StepDone, Fault> {
    let target = life(session).await?;
    let is_fresh = |last: &Verified| {
        last.attempt == order.attempt && last.at.elapsed() < FRESH && last.target == target
    };
    let last = steps.verified.lock().unwrap_or_else(PoisonError::into_inner).take();
    if last.as_ref().is_some_and(is_fresh) {
        return Ok(StepDone::default());
    }
    verify(steps, order).await
}

/// A probe behind everything that is committed on the source comes back through the stream: what was written after
/// marker 2 has come before it.
pub(super) async fn quiet(steps: &Steps<'_>, order: &StepOrder) -> Result<(), Fault> {
    let (state, quiet) = probed(steps).await?;
    if order.allow_source_writes {
        return Ok(());
    }
    if let Some(what) = &state.written_later {
        return Err(still_written(what));
    }
    match quiet.writers.first() {
        Some(writer) => {
            Err(still_written(&format!("{writer} has an open transaction that has written")))
        }
        None => Ok(()),
    }
}

/// Before anything is taken from the source's catalog, and behind the look into it: a change of the schema that the stream has
/// still to bring would be carried a second time by its own message, in another order.
pub(super) async fn unaltered_since_marker(steps: &Steps<'_>) -> Result<(), Fault> {
    let (state, _) = probed(steps).await?;
    match &state.altered_later {
        Some(tag) => Err(schema_changed(&format!("{tag}, behind the cutover's last marker"))),
        None => Ok(()),
    }
}

/// What has come through the stream up to here.
async fn probed(steps: &Steps<'_>) -> Result<(StreamState, Quiet), Fault> {
    let probe = Uuid::new_v4().to_string();
    let ask = Ask::Quiet { probe: probe.clone() };
    let Answer::Quiet(quiet) = steps.receiver.caller.ask(ask).await? else {
        return Err(unexpected_answer());
    };
    let mut stream = steps.stream.clone().ok_or_else(no_stream)?;
    let state =
        stream.wait_for(|state| state.has_come(&probe)).await.map_err(|_| stream_ended())?;
    Ok((state.clone(), quiet))
}

fn crashed(table: &str) -> Fault {
    Fault::hold(
        "UnloggedTableEmptied",
        format!(
            "the target has crashed since the copy, which has emptied the unlogged table {table}"
        ),
    )
    .remedy("`whimbrel migration retry` copies it again, and goes on")
}

fn held(table: &str) -> Fault {
    Fault::hold("TablesHeld", format!("table {table} is held: its rows are not the source's"))
        .remedy("`whimbrel migration retry` copies it again; then order the cutover again")
}

pub(super) fn still_written(what: &str) -> Fault {
    Fault::new(
        Policy::Hold,
        "SourceStillWritten",
        format!("the source is still written to after the cutover's last marker: {what}"),
    )
    .remedy("stop the application's writes and order the cutover again; or accept with --allow-source-writes that what is written later stays behind")
}
