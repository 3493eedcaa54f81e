//! REMOVE_LEDGER: the last thing of ours goes. The controller has recorded the switch by now.
use super::order::StepDone;
use crate::{
    fault::Fault,
    target::{Receiver, remove_ledger as remove},
};

pub(super) async fn remove_ledger(receiver: &Receiver) -> Result<StepDone, Fault> {
    receiver.lease.require()?;
    let mut session = receiver.session_of_ledger("finish").await?;
    remove(&mut session, receiver.spec.migration).await?;
    Ok(StepDone::default())
}
