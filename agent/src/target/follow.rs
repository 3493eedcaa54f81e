//! Follows the source: opens the stream where the ledger stands, applies it, opens it again after a step back.
use std::{collections::HashMap, sync::Arc};

use tokio::sync::{mpsc, watch};
use tokio_postgres::types::PgLsn;
use whimbrel_proto::Lsn;

use super::{
    Copied, Fact, Receiver, StreamState,
    apply::{Applier, Changes, Control, Ended, Stale, Tables, settle},
    can_be_replica, current, ledger,
};
use crate::{
    fault::{Doing, Fault},
    postgres::Client,
    wire::Ask,
};

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
    loop {
        let session = receiver.session("apply").await?;
        settle(&session, can_be_replica(&session).await).await?;
        let (from, system, marker) = start(current(&session).await?)?;
        let tables = Tables::new(Arc::clone(&copied.catalog), points(&session).await?);
        let at_marker = marker.filter(|attempt| stale.stops(*attempt, from));
        state.send_replace(StreamState { applied: from, at_marker, ..StreamState::default() });
        let frames = receiver.caller.open(Ask::Follow { from, system }).await?;
        if !std::mem::replace(&mut announced, true) {
            receiver.progress.operation("applying changes");
            receiver.tell(Fact::StreamStarted(from)).await;
        }
        let changes = Changes::new(Arc::new(session), tables);
        let slot = receiver.spec.objects.slot.as_str();
        let progress = &receiver.progress;
        let mut applier = Applier::new(changes, copied.ledger, progress, frames, state, slot, from);
        applier.stale = stale;
        let Ended::MarkerStale(learned) = applier.run(&mut control).await?;
        stale = learned;
    }
}

fn start(state: ledger::State) -> Result<(Lsn, u64, Option<u32>), Fault> {
    match (state.applied, state.source_system) {
        (Some(applied), Some(system)) => Ok((applied, system, state.marker)),
        _ => Err(Fault::hold(
            "LedgerUnreadable",
            "the ledger has no position to follow the source from",
        )),
    }
}

/// Each table's point: changes before it are in its copy.
async fn points(session: &Client) -> Result<HashMap<u32, Lsn>, Fault> {
    let rows = session
        .query("select source_oid, point from whimbrel.relation where point is not null", &[])
        .await
        .doing("reading the points of the copied tables")?;
    Ok(rows.iter().map(|row| (row.get(0), Lsn(row.get::<_, PgLsn>(1).into()))).collect())
}
