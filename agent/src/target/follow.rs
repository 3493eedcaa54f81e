//! Follows the source: opens the stream where the ledger stands, applies it, opens it again after a step back.
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tokio::sync::{mpsc, watch};
use tokio_postgres::{Row, types::PgLsn};
use whimbrel_points::point;
use whimbrel_proto::Lsn;

use super::{
    Copied, Fact, Receiver, StreamState,
    apply::{Applier, Changes, Control, Ended, ROLE_MISSING, Stale, Tables, settle},
    can_be_replica, current,
    in_runs::{Statement, in_runs},
    ledger::Ledger,
    load::{Later, Unlike, copy_waiting},
    schema::Plan,
    snapshot::{keep_timeline, known, last_commit},
};
use crate::{
    fault::{Doing, Fault, Policy},
    postgres::Client,
    wire::{Ask, Catalog, Frame, FrameReceiver, unexpected},
};

/// How long changes are applied before tables are tried to be published again that somebody has a lock on. Each try holds the stream
/// up for as long as it waits for that.
const LOCKED_PAUSE: Duration = Duration::from_secs(20);

/// Runs until something stops it. `control` tells which markers are no reason to stand still.
///
/// # Errors
/// What stopped it.
pub(crate) async fn follow(
    receiver: &Receiver,
    copied: &Copied,
    state: &watch::Sender<StreamState>,
    mut control: mpsc::Receiver<Control>,
) -> Result<(), Fault> {
    let mut stale = Stale { attempts: receiver.spec.past_attempts, ..Stale::default() };
    let mut announced = false;
    let mut tried = Tried::default();
    let mut unlike = Unlike::default();
    loop {
        point!("follow.beginning");
        let mut session = receiver.session("apply").await?;
        let as_replica = can_be_replica(&session).await;
        settle(&session, copied.ledger, as_replica).await?;
        if !as_replica {
            drop_foreign_keys(&mut session, copied.ledger, &copied.plan).await?;
        }
        let state_here = current(&session).await?;
        let from = state_here.applied.ok_or_else(no_position)?;
        let at_marker = state_here.marker.filter(|attempt| stale.stops(*attempt, from));
        let stands = (from, at_marker.is_some());
        let copy_after = copy_waiting(receiver, copied.ledger, stands, &mut unlike).await?;
        // At a marker they are the cutover's to make, which may be at it now: two would drop each other's, and check rows twice
        // while writes are stopped.
        let awaited = match as_replica && at_marker.is_none() {
            true => receiver.build_what_waited(copied, from).await?,
            false => None,
        };
        // The source begins to decode while the tables are looked up here; what comes meanwhile waits, within its bound.
        let known = known(&session).await?.ok_or_else(no_position)?;
        let last = last_commit(&session).await?;
        let mut frames = receiver.caller.open(Ask::Follow { from, known, last }).await?;
        let tables = tables(&session, receiver.catalog(&session).await?).await?;
        let timeline = timeline(&mut frames).await?;
        keep_timeline(&mut session, copied.ledger, known.timeline, timeline).await?;
        let tables_wait = copy_after.is_some();
        let left_at_marker = (tables_wait && at_marker.is_some()).then(|| unlike.label());
        let begun = StreamState {
            applied: from,
            at_marker,
            tables_wait,
            left_at_marker,
            ..Default::default()
        };
        state.send_replace(begun);
        if !std::mem::replace(&mut announced, true) {
            receiver.progress.operation("applying changes");
            receiver.tell(Fact::StreamStarted(from)).await;
        }
        let changes = Changes::new(Arc::new(session), receiver, tables);
        let slot = receiver.spec.objects.slot.as_str();
        let progress = &receiver.progress;
        let mut applier = Applier::new(changes, copied.ledger, progress, frames, state, slot, from);
        applier.begin_behind(last);
        applier.stale = stale;
        applier.awaited = awaited;
        wait_to_copy(&mut applier, copy_after, from);
        match Box::pin(applier.run(&mut control)).await {
            Ok(
                Ended::MarkerStale(learned)
                | Ended::PastPoints(learned)
                | Ended::TablesWait(learned),
            ) => stale = learned,
            // Its group is rolled back.
            Err(fault) => mend(receiver, copied, fault, from, &mut tried).await?,
        }
    }
}

fn wait_to_copy(applier: &mut Applier<'_>, copy_after: Option<Later>, from: Lsn) {
    match copy_after {
        Some(Later::At(point)) => applier.copy_after(point),
        Some(Later::Unlocked) => applier.copy_later(from, LOCKED_PAUSE),
        None => {}
    }
}

/// At which position what a change may lack was last made: what can't be made is not there the next time either.
#[derive(Debug, Default)]
struct Tried {
    roles: Option<Lsn>,
    needs: Option<Lsn>,
    /// Each table that was blamed there.
    blamed: (Option<Lsn>, HashSet<String>),
}

impl Tried {
    /// Whether the table is blamed for the first time at this position: one transaction can have several that don't fit.
    fn is_blamed_anew(&mut self, from: Lsn, fault: &Fault) -> bool {
        if self.blamed.0.replace(from) != Some(from) {
            self.blamed.1.clear();
        }
        self.blamed.1.insert(fault.table.as_deref().unwrap_or_default().to_owned())
    }
}

/// Makes what a change lacks; else, from the ledger's position on, it goes without the table that is at fault.
///
/// # Errors
/// The fault, when neither is possible.
async fn mend(
    receiver: &Receiver,
    copied: &Copied,
    fault: Fault,
    from: Lsn,
    tried: &mut Tried,
) -> Result<(), Fault> {
    // Roles that came with the change.
    if fault.code == ROLE_MISSING
        && receiver.spec.migrate_roles
        && tried.roles.replace(from) != Some(from)
    {
        return receiver.make_roles().await;
    }
    // What nothing tells. One change can lack both: each has its turn.
    if fault.policy == Policy::Hold {
        if tried.needs.replace(from) != Some(from) && receiver.bring_needs(copied.ledger).await? > 0
        {
            return Ok(());
        }
        if tried.is_blamed_anew(from, &fault)
            && receiver.bring_blamed(copied.ledger, &fault).await? > 0
        {
            return Ok(());
        }
    }
    receiver.hold_table_or_all(copied, fault).await
}

async fn timeline(frames: &mut FrameReceiver) -> Result<u32, Fault> {
    match frames.next().await {
        Some(Frame::Timeline(timeline)) => Ok(timeline),
        Some(Frame::Failed(fault)) => Err(fault),
        Some(other) => Err(unexpected(&other)),
        None => Err(Fault::retry("PeerGone", "the change stream was cut")),
    }
}

/// Where their triggers can't be switched off, foreign keys and the stream don't go together: those that a cutover made
/// before it stepped back go again. Until the switch every foreign key of the database is ours.
pub(crate) async fn drop_foreign_keys(
    session: &mut Client,
    ledger: Ledger,
    plan: &Plan,
) -> Result<(), Fault> {
    let doing = "dropping the target's foreign keys until the rows agree again";
    // A dump that was taken again has other numbers; its keys are looked for by their names.
    let entries: Vec<i32> = plan.foreign_keys.iter().map(|entry| entry.dump_id).collect();
    let tx = session.transaction().await.doing(doing)?;
    tx.execute(
        "delete from whimbrel.entry where dump_id = any($1) \
         and not exists (select from whimbrel.document where kind = 'changed')",
        &[&entries],
    )
    .await
    .doing(doing)?;
    let rows = tx.query(include_str!("sql/drop_foreign_keys.sql"), &[]).await.doing(doing)?;
    // Before the keys: whoever is cut here comes this way again, and drops what is left.
    ledger.commit(tx, doing).await?;
    let statement = |row: &Row| Statement { about: row.get(1), sql: row.get(0) };
    in_runs(session, ledger, &rows.iter().map(statement).collect::<Vec<_>>(), doing).await
}

fn no_position() -> Fault {
    Fault::hold("LedgerUnreadable", "the ledger has no position to follow the source from")
}

/// The tables with their points; and which of them are held.
async fn tables(session: &Client, catalog: Arc<Catalog>) -> Result<Tables, Fault> {
    let rows = session
        .query(include_str!("sql/points.sql"), &[])
        .await
        .doing("reading the points of the copied tables")?;
    let (mut points, mut held, mut retyped) = (HashMap::new(), HashSet::new(), HashMap::new());
    for row in &rows {
        retyped.extend(row.get::<_, Option<PgLsn>>(3).map(|at| (row.get(0), Lsn(at.into()))));
        if row.get(2) {
            held.insert(row.get(0));
        } else {
            points.insert(row.get(0), Lsn(row.get::<_, PgLsn>(1).into()));
        }
    }
    let mut tables = Tables::new(catalog, points, held);
    tables.retyped(retyped);
    tables.learn_casts(&**session).await?;
    Ok(tables)
}
