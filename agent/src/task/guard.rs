//! GUARD_SOURCE: watches what a slot makes the source keep, while a hold or a pause stands and nothing else of its database
//! runs.
use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::sleep};
use whimbrel_proto::agent::v1::GuardSource;

use super::{kit::Kit, report::Reporter, send::warn, supervisor::Inbox};
use crate::{
    fault::{Fault, Policy},
    selection::Selected,
    source::{Sender, SenderSpec},
};

/// Warnings that wait to be told.
const WARNINGS: usize = 4;

/// Before a slot that could not be let go is looked at again: the source keeps WAL meanwhile.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Ends with the fault that says that the slot was let go, or that others see to it.
pub(super) async fn source(
    kit: &Kit,
    reporter: &Reporter,
    spec: GuardSource,
    inbox: Inbox,
) -> Result<(), Fault> {
    let database = reporter.id().database.clone();
    let sender = Sender::new(SenderSpec {
        endpoint: kit.secrets.endpoint(&spec.source.unwrap_or_default(), &database)?,
        database,
        epoch: reporter.epoch(),
        objects: spec.objects.unwrap_or_default(),
        selected: Selected::new(None)?,
        follow_schema_changes: false,
        programs: Arc::clone(&kit.programs),
    });
    let (warnings_in, mut warnings) = mpsc::channel(WARNINGS);
    let watching = async {
        loop {
            let fault = sender.watch_retention(inbox.limits.clone(), &warnings_in).await;
            if matches!(fault.policy, Policy::Resync | Policy::Fenced) {
                return fault;
            }
            tracing::warn!(%fault, "letting go of a slot at its bound");
            sleep(AGAIN_AFTER).await;
        }
    };
    tokio::select! {
        fault = watching => Err(fault),
        () = async { while let Some(warning) = warnings.recv().await { warn(reporter, warning).await } } => Ok(()),
    }
}
