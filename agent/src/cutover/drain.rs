//! DRAIN: marker 2 is the ledger's position; all before it is committed here, nothing after it is.
use super::{
    order::{StepDone, StepOrder},
    steps::Steps,
};
use uuid::Uuid;

use crate::{
    fault::Fault,
    target::{Control, StreamState},
    wire::{Answer, Ask, unexpected_answer},
};

pub(super) async fn drain(steps: &Steps<'_>, order: &StepOrder) -> Result<StepDone, Fault> {
    let mut stream = steps.stream.clone().ok_or_else(no_stream)?;
    let control = steps.control.as_ref().ok_or_else(no_stream)?;
    control.send(Control::Until(order.end)).await.map_err(|_| stream_ended())?;
    let probe = probe_if_forgettable(steps).await?;
    let state = stream
        .wait_for(|state| {
            arrived(state, order) || probe.as_ref().is_some_and(|it| state.has_come(it))
        })
        .await
        .map_err(|_| stream_ended())?;
    if !arrived(&state, order) {
        return Err(Fault::hold(
            "MarkerLost",
            "the cutover's last marker did not come through the change stream: the source's server, its agent or the connection between them was lost behind it",
        )
        .remedy("order the cutover again"));
    }
    Ok(StepDone { lsn: state.applied, ..StepDone::default() })
}

fn arrived(state: &StreamState, order: &StepOrder) -> bool {
    state.at_marker == Some(order.attempt) && state.applied >= order.end
}

/// The marker of a source before 14 is known to its sender only: one that was started anew behind MARK_END would let it pass
/// as an empty transaction. A probe behind the marker tells: when it comes, the marker has come, or comes no more.
async fn probe_if_forgettable(steps: &Steps<'_>) -> Result<Option<String>, Fault> {
    if steps.copied.catalog.server_version >= 140_000 {
        return Ok(None);
    }
    let probe = Uuid::new_v4().to_string();
    match steps.receiver.caller.ask(Ask::Probe { probe: probe.clone() }).await? {
        Answer::Done => Ok(Some(probe)),
        _ => Err(unexpected_answer()),
    }
}

pub(super) fn no_stream() -> Fault {
    Fault::hold("StepUnknown", "an offline migration has no change stream to drain")
}

pub(super) fn stream_ended() -> Fault {
    Fault::retry("StreamEnded", "the change stream ended during the cutover")
        .remedy("it is opened again; order the cutover again")
}
