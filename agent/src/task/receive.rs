//! RECEIVE: the receiving end of a pipeline, from an empty target to a live one.
use std::{future::pending, sync::Arc};

use tokio::sync::{mpsc, watch};
use uuid::Uuid;
use whimbrel_proto::{agent::v1::Receive, v1::MigrationMode};

use super::{kit::Kit, progress, report::Reporter, supervisor::Inbox};
use crate::{
    cutover::{Order, StepResult, Steps, target::after_switch},
    fault::Fault,
    selection::Selected,
    target::{Begun, Copied, Fact, Progress, Receiver, ReceiverSpec, StreamState, follow},
    wire::{PipeKey, pipe},
};

/// Facts and steps' results that wait to be told.
const FACTS: usize = 16;

/// What is told to the stream, and waits to be heard.
const CONTROLS: usize = 4;

/// Runs until it is stopped, or something stops it.
pub(super) async fn run(
    kit: Arc<Kit>,
    reporter: &Reporter,
    spec: Receive,
    inbox: Inbox,
) -> Result<(), Fault> {
    let (facts_in, facts) = mpsc::channel(FACTS);
    let (results_in, results) = mpsc::channel(FACTS);
    let counts = Arc::new(Progress::default());
    let work = work(kit, reporter, spec, inbox, Arc::clone(&counts), facts_in, results_in);
    let telling = async {
        tokio::join!(
            tell_facts(reporter, &counts, facts),
            tell_results(reporter, &counts, results)
        );
    };
    let both = async { tokio::join!(work, telling).0 };
    let ended = tokio::select! {
        ended = both => ended,
        never = progress::tell(reporter, &counts) => match never {},
    };
    progress::tell_once(reporter, &counts);
    ended
}

async fn tell_facts(reporter: &Reporter, counts: &Progress, mut facts: mpsc::Receiver<Fact>) {
    while let Some(fact) = facts.recv().await {
        progress::tell_ahead(reporter, counts);
        reporter.fact(fact).await;
    }
}

async fn tell_results(
    reporter: &Reporter,
    counts: &Progress,
    mut results: mpsc::Receiver<StepResult>,
) {
    while let Some(result) = results.recv().await {
        progress::tell_ahead(reporter, counts);
        reporter.step(result).await;
    }
}

async fn work(
    kit: Arc<Kit>,
    reporter: &Reporter,
    spec: Receive,
    inbox: Inbox,
    counts: Arc<Progress>,
    facts: mpsc::Sender<Fact>,
    results: mpsc::Sender<StepResult>,
) -> Result<(), Fault> {
    let switched = spec.switched;
    let Inbox { mut orders, limits } = inbox;
    let spec = receiver_spec(&kit, reporter, spec)?;
    let key = PipeKey {
        migration: reporter.id().migration.clone(),
        database: spec.database.clone(),
        epoch: spec.epoch,
    };
    let lease = reporter.outlet().lease();
    if switched {
        // Nothing that is left asks the source, which may be gone by now. A sender that comes goes on until this ends.
        let receiver = Receiver::new(spec, pipe().0, counts, lease, limits, facts);
        let sender = async {
            let _caller = kit.exchange.caller(&key).await;
            pending::<std::convert::Infallible>().await
        };
        tokio::select! {
            () = after_switch(&receiver, &mut orders, &results) => return Ok(()),
            never = sender => match never {},
        }
    }
    let caller = kit.exchange.caller(&key).await?;
    let receiver = Receiver::new(spec, caller, counts, lease, limits, facts);
    if let Begun::Copied(copied) = Box::pin(receiver.begin()).await?
        && !Box::pin(cut_over(&receiver, &copied, &mut orders, &results)).await?
    {
        return Ok(());
    }
    after_switch(&receiver, &mut orders, &results).await;
    Ok(())
}

/// Follows the source and carries out steps, until the switch is done (`true`) or no more orders come.
async fn cut_over(
    receiver: &Receiver,
    copied: &Copied,
    orders: &mut mpsc::Receiver<Order>,
    results: &mpsc::Sender<StepResult>,
) -> Result<bool, Fault> {
    if !receiver.spec.online {
        receiver.progress.operation("copied");
        let steps = Steps::new(receiver, copied, None, None, results.clone());
        return Ok(steps.run(orders).await);
    }
    let (state, watched) = watch::channel(StreamState::default());
    let (control_in, control) = mpsc::channel(CONTROLS);
    let (stream, control_in) = (Some(watched), Some(control_in));
    let steps = Steps::new(receiver, copied, stream, control_in, results.clone());
    tokio::select! {
        switched = steps.run(orders) => Ok(switched),
        ended = follow(receiver, copied, &state, control) => ended.map(|()| false),
    }
}

fn receiver_spec(kit: &Kit, reporter: &Reporter, spec: Receive) -> Result<ReceiverSpec, Fault> {
    let online = spec.mode() == MigrationMode::Online;
    let database = reporter.id().database.clone();
    let uid = &reporter.id().migration;
    let migration = Uuid::parse_str(uid).map_err(|_| {
        Fault::hold("CommandInvalid", format!("the migration's uid {uid:?} is not a UUID"))
    })?;
    Ok(ReceiverSpec {
        endpoint: kit.secrets.endpoint(&spec.target.unwrap_or_default(), &database)?,
        migration,
        database,
        epoch: reporter.epoch(),
        life: kit.life,
        selected: Selected::new(spec.selection.as_ref())?,
        online,
        objects: spec.objects.unwrap_or_default(),
        overwrite_oid: spec.overwrite_oid,
        target_oid: spec.target_oid,
        migrate_roles: spec.migrate_roles,
        past_attempts: spec.past_attempts,
        copy_again: spec.copy_again,
        programs: Arc::clone(&kit.programs),
    })
}
