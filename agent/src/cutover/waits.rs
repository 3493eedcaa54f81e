//! Whom a step of the target's waits for is told while it waits: the application's writes stand still meanwhile, and a
//! transaction that somebody left open on the target is in the way for as long as it is.
use std::{convert::Infallible, future::Future, time::Duration};

use tokio::time::sleep;
use whimbrel_proto::agent::v1::Step;

use crate::{
    fault::{Doing, Fault},
    postgres::Client,
    target::{Fact, Receiver},
};

/// A step takes milliseconds where nobody is in its way; after this it is told who is.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The event that tells it, once a step.
pub const STEP_WAITS: &str = "StepWaits";

/// Carries out a step of the target's, and tells whom it waits for.
pub(super) async fn telling<T>(
    receiver: &Receiver,
    step: Step,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let operation = receiver.progress.what_is_done();
    let done = tokio::select! {
        done = work => done,
        never = tell_whom(receiver, step, &operation) => match never {},
    };
    receiver.progress.operation(&operation);
    done
}

/// Until it is dropped. As progress as long as it waits, and as an event once: a person sees it afterwards, too.
async fn tell_whom(receiver: &Receiver, step: Step, operation: &str) -> Infallible {
    let mut session = None;
    let (mut told, mut shown) = (false, false);
    loop {
        sleep(LOOK_EVERY).await;
        let waits_for = match whom(receiver, &mut session).await {
            Ok(waits_for) => waits_for,
            // The step learns what is wrong with the server, and says so.
            Err(fault) => {
                tracing::debug!(%fault, "looking for whom a step waits");
                session = None;
                continue;
            }
        };
        if waits_for.is_empty() {
            // What somebody else has said meanwhile stays.
            if std::mem::take(&mut shown) {
                receiver.progress.operation(operation);
            }
            continue;
        }
        shown = true;
        let text = format!("waiting on the target for {} to let go of locks", waits_for.join("; "));
        receiver.progress.operation(&text);
        if !std::mem::replace(&mut told, true) {
            let text = format!("cutover step {}: {text}", step.as_str_name());
            receiver.tell(Fact::Milestone(STEP_WAITS, text)).await;
        }
    }
}

async fn whom(receiver: &Receiver, session: &mut Option<Client>) -> Result<Vec<String>, Fault> {
    let session = match session {
        Some(session) => session,
        None => session.insert(receiver.session("waits").await?),
    };
    let rows = session
        .query(include_str!("waits_for.sql"), &[])
        .await
        .doing("looking on the target for whom a step waits")?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
