//! SEND: the sending end of a pipeline.
use std::sync::Arc;

use tokio::sync::mpsc;
use whimbrel_proto::agent::v1::{Milestone, Send, report::Kind};

use super::{kit::Kit, report::Reporter, supervisor::Inbox};
use crate::{
    cutover::{self, STEP_WAITS},
    fault::Fault,
    selection::Selected,
    source::{Sender, SenderSpec},
    target::Fact,
    wire::PipeKey,
};

/// Steps' results that wait to be told.
const RESULTS: usize = 4;

/// Answers and carries out steps until the receiver ends.
pub(super) async fn run(
    kit: Arc<Kit>,
    reporter: &Reporter,
    spec: Send,
    inbox: Inbox,
) -> Result<(), Fault> {
    let database = reporter.id().database.clone();
    let endpoint = kit.secrets.endpoint(&spec.source.unwrap_or_default(), &database)?;
    let sender = Sender::new(SenderSpec {
        endpoint,
        database: database.clone(),
        epoch: reporter.epoch(),
        objects: spec.objects.unwrap_or_default(),
        selected: Selected::new(spec.selection.as_ref())?,
        follow_schema_changes: spec.follow_schema_changes,
        programs: Arc::clone(&kit.programs),
    });
    let key =
        PipeKey { migration: reporter.id().migration.clone(), database, epoch: reporter.epoch() };
    let (results_in, mut results) = mpsc::channel(RESULTS);
    sender.take_over().await?;
    let serve = async {
        let listener = kit.exchange.listener(&key).await?;
        // Ends with the receiver: what it held of the source ends with it.
        Arc::clone(&sender).serve(listener).await;
        Ok(())
    };
    let Inbox { orders, limits } = inbox;
    let (warnings_in, mut warnings) = mpsc::channel(RESULTS);
    let (waits_in, mut waits) = mpsc::channel(RESULTS);
    tokio::select! {
        fault = sender.watch_retention(limits, &warnings_in) => Err(fault),
        () = async { while let Some(warning) = warnings.recv().await { warn(reporter, warning).await } } => Ok(()),
        ended = serve => ended,
        () = cutover::source::run(&sender, orders, &results_in, &waits_in) => Ok(()),
        () = async { while let Some(text) = waits.recv().await { reporter.fact(Fact::Milestone(STEP_WAITS, text)).await } } => Ok(()),
        () = async { while let Some(result) = results.recv().await { reporter.step(result).await } } => Ok(()),
    }
}

pub(super) async fn warn(reporter: &Reporter, message: String) {
    tracing::warn!(database = reporter.id().database, "{message}");
    reporter.tell(Kind::Milestone(Milestone { r#type: "WalRetained".to_owned(), message })).await;
}
