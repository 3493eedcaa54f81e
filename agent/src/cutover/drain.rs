//! DRAIN: marker 2 is the ledger's position; all before it is committed here, nothing after it is.
use super::{
    order::{StepDone, StepOrder},
    steps::Steps,
};
use crate::{fault::Fault, target::Control};

pub(super) async fn drain(steps: &Steps<'_>, order: &StepOrder) -> Result<StepDone, Fault> {
    let mut stream = steps.stream.clone().ok_or_else(no_stream)?;
    let control = steps.control.as_ref().ok_or_else(no_stream)?;
    control.send(Control::Until(order.end)).await.map_err(|_| stream_ended())?;
    let state = stream
        .wait_for(|state| state.at_marker == Some(order.attempt) && state.applied >= order.end)
        .await
        .map_err(|_| stream_ended())?;
    Ok(StepDone { lsn: state.applied, ..StepDone::default() })
}

pub(super) fn no_stream() -> Fault {
    Fault::hold("StepUnknown", "an offline migration has no change stream to drain")
}

pub(super) fn stream_ended() -> Fault {
    Fault::retry("StreamEnded", "the change stream ended during the cutover")
        .remedy("it is opened again; order the cutover again")
}
