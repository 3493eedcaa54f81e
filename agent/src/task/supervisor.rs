//! Starts and stops tasks as commands say.
use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};
use whimbrel_proto::{
    Lsn,
    agent::v1::{
        Command, CommandAck, CopyLimits, CutoverStep, Query, QueryAnswer, RunningTask, Step,
        TaskKind, command::Kind, report,
    },
};

use super::{
    check, clean, guard,
    kit::Kit,
    query, receive,
    report::{Reporter, TaskId},
    send,
};
use crate::{
    cutover::{Order, StepOrder},
    fault::Fault,
    link::{Outlet, Tasks},
    postgres::Programs,
    secret::Secrets,
    wire::Exchange,
};

/// Orders that wait for a task: the controller sends one step at a time.
const ORDERS: usize = 8;

/// Orders that a task is known to have been given, by their commands' ids. What the controller sends again is what it has no
/// acknowledgement of: an attempt's orders, and some of the one before.
const TAKEN: usize = 64;

/// Ended tasks that are remembered, so that a command that comes twice is known; past it those of old are forgotten.
const TASKS: usize = 4096;

/// The agent's tasks.
pub struct Supervisor {
    kit: Arc<Kit>,
    outlet: Outlet,
    tasks: Mutex<HashMap<TaskId, Task>>,
}

struct Task {
    epoch: u64,
    /// Id of the command that started it.
    command: String,
    orders: mpsc::Sender<Order>,
    /// Ids of the commands that brought the last of them.
    taken: VecDeque<String>,
    limits: watch::Sender<CopyLimits>,
    handle: JoinHandle<()>,
}

impl Task {
    /// Hands an order over. One that comes again is done, or on its way: what became of it is reported, and a second SWITCH could
    /// be made after the controller has stepped back from the first.
    fn take(&mut self, command: &str, order: Order) -> Result<(), Refusal> {
        if self.taken.iter().any(|taken| taken == command) {
            return Ok(());
        }
        self.orders.try_send(order).map_err(|_| Refusal::NotRunning)?;
        if self.taken.len() >= TAKEN {
            self.taken.pop_front();
        }
        self.taken.push_back(command.to_owned());
        Ok(())
    }
}

/// What brings a task, or an order for one.
#[derive(Clone, Copy)]
struct Given<'a> {
    epoch: u64,
    /// The command's id.
    command: &'a str,
}

/// What a running task is told.
pub(super) struct Inbox {
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) limits: watch::Receiver<CopyLimits>,
}

/// Why a command is not taken up.
#[derive(Debug, Clone, Copy)]
enum Refusal {
    /// A later one was given before, or this one by another command.
    StaleEpoch(u64),
    NotRunning,
    Unknown,
}

impl Supervisor {
    /// Runs nothing yet.
    pub fn new(outlet: Outlet, secrets: Secrets, programs: Arc<Programs>) -> Arc<Self> {
        let kit = Arc::new(Kit {
            life: uuid::Uuid::new_v4(),
            secrets,
            programs,
            exchange: Exchange::default(),
        });
        Arc::new(Self { kit, outlet, tasks: Mutex::new(HashMap::new()) })
    }

    async fn take_up(&self, command: Command) -> Result<(), Refusal> {
        let Command { command_id, migration_uid: migration, database, epoch, kind, .. } = command;
        let id = |kind| TaskId { migration: migration.clone(), database: database.clone(), kind };
        let given = Given { epoch, command: &command_id };
        let kit = Arc::clone(&self.kit);
        match kind.ok_or(Refusal::Unknown)? {
            Kind::CheckSource(spec) => {
                self.start(id(TaskKind::CheckSource), given, |reporter, _| async move {
                    check::source(&kit, &reporter, spec).await
                })
                .await
            }
            Kind::CheckTarget(spec) => {
                self.start(id(TaskKind::CheckTarget), given, |reporter, _| async move {
                    check::target(&kit, &reporter, spec).await
                })
                .await
            }
            Kind::Send(spec) => {
                self.end_guard(id(TaskKind::GuardSource)).await;
                let limits = spec.copy_limits.unwrap_or_default();
                self.start(id(TaskKind::Send), given, |reporter, inbox| async move {
                    Box::pin(send::run(kit, &reporter, spec, inbox)).await
                })
                .await?;
                self.limit(&[id(TaskKind::Send)], epoch, limits)
            }
            Kind::Receive(spec) => {
                let receive = id(TaskKind::Receive);
                let limits = spec.copy_limits.unwrap_or_default();
                self.start(receive.clone(), given, |reporter, inbox| async move {
                    Box::pin(receive::run(kit, &reporter, spec, inbox)).await
                })
                .await?;
                self.limit(&[receive], epoch, limits)
            }
            Kind::GuardSource(spec) => {
                let limits = spec.copy_limits.unwrap_or_default();
                self.start(id(TaskKind::GuardSource), given, |reporter, inbox| async move {
                    guard::source(&kit, &reporter, spec, inbox).await
                })
                .await?;
                self.limit(&[id(TaskKind::GuardSource)], epoch, limits)
            }
            Kind::CleanSource(spec) => {
                self.end_guard(id(TaskKind::GuardSource)).await;
                self.start(id(TaskKind::CleanSource), given, |reporter, _| async move {
                    clean::source(&kit, &reporter, spec).await?;
                    done(&reporter).await;
                    Ok(())
                })
                .await
            }
            Kind::CutoverStep(step) => {
                let side = id(side_of(step.step()));
                self.order(&side, given, Order::Step(step_order(step)))
            }
            Kind::CutoverBack(back) => {
                self.order(&id(TaskKind::Receive), given, Order::Back { attempt: back.attempt })
            }
            Kind::CopyLimits(limits) => {
                self.limit(&[id(TaskKind::Send), id(TaskKind::Receive)], epoch, limits)
            }
            Kind::Stop(_) => {
                self.stop(&migration, &database, epoch).await;
                Ok(())
            }
        }
    }

    /// Starts a task, after one of an older epoch has ended. One of this epoch is the same one, if the same command started it:
    /// a controller whose store is an older one gives out anew what was given out before. Guards are ordered again as they are.
    async fn start<W, F>(&self, id: TaskId, given: Given<'_>, work: W) -> Result<(), Refusal>
    where
        W: FnOnce(Reporter, Inbox) -> F,
        F: Future<Output = Result<(), Fault>> + Send + 'static,
    {
        let Given { epoch, command } = given;
        let older = {
            let mut tasks = self.lock();
            match tasks.get(&id) {
                Some(task) if task.epoch > epoch => return Err(Refusal::StaleEpoch(task.epoch)),
                Some(task) if task.epoch == epoch => {
                    let same = id.kind == TaskKind::GuardSource || task.command == command;
                    return if same { Ok(()) } else { Err(Refusal::StaleEpoch(epoch)) };
                }
                Some(_) | None => tasks.remove(&id),
            }
        };
        if let Some(older) = older {
            end(older).await;
        }
        let (orders_in, orders) = mpsc::channel(ORDERS);
        let reporter = Reporter::new(self.outlet.clone(), id.clone(), epoch);
        let (limits_in, limits) = watch::channel(CopyLimits::default());
        let work = work(reporter.clone(), Inbox { orders, limits });
        let handle = tokio::spawn(async move {
            if let Err(fault) = work.await {
                reporter.failed(fault).await;
            }
        });
        let mut tasks = self.lock();
        if tasks.len() >= TASKS {
            tasks.retain(|_, task| !task.handle.is_finished());
        }
        let (command, taken) = (command.to_owned(), VecDeque::new());
        let (orders, limits) = (orders_in, limits_in);
        tasks.insert(id, Task { epoch, command, orders, taken, limits, handle });
        Ok(())
    }

    /// What begins now watches by itself, or has nothing to watch.
    async fn end_guard(&self, id: TaskId) {
        let guard = self.lock().remove(&id);
        if let Some(guard) = guard {
            end(guard).await;
        }
    }

    fn order(&self, id: &TaskId, given: Given<'_>, order: Order) -> Result<(), Refusal> {
        let Given { epoch, command } = given;
        let mut tasks = self.lock();
        let task = tasks.get_mut(id).ok_or(Refusal::NotRunning)?;
        if task.epoch > epoch {
            return Err(Refusal::StaleEpoch(task.epoch));
        }
        if task.epoch < epoch || task.handle.is_finished() {
            return Err(Refusal::NotRunning);
        }
        task.take(command, order)
    }

    /// The newest limits count, also for a task that is there already.
    fn limit(&self, ids: &[TaskId], epoch: u64, limits: CopyLimits) -> Result<(), Refusal> {
        let tasks = self.lock();
        let mut told = false;
        for id in ids {
            let Some(task) = tasks.get(id).filter(|task| task.epoch == epoch) else { continue };
            task.limits.send_if_modified(|now| std::mem::replace(now, limits) != limits);
            told = true;
        }
        if told { Ok(()) } else { Err(Refusal::NotRunning) }
    }

    /// Stops tasks up to `epoch`, and waits until they have ended: what follows may count on it.
    async fn stop(&self, migration: &str, database: &str, epoch: u64) {
        let stopped: Vec<Task> = {
            let mut tasks = self.lock();
            let ids: Vec<TaskId> = tasks
                .iter()
                .filter(|(id, task)| {
                    id.migration == migration
                        && (database.is_empty() || id.database == database)
                        && (database.is_empty() || task.epoch <= epoch)
                })
                .map(|(id, _)| id.clone())
                .collect();
            ids.iter().filter_map(|id| tasks.remove(id)).collect()
        };
        end_all(stopped).await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TaskId, Task>> {
        // Each change of the map is one call: a panic elsewhere leaves it whole.
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Tasks for Supervisor {
    async fn command(&self, command: Command) -> CommandAck {
        let command_id = command.command_id.clone();
        let (refusal, epoch) = match self.take_up(command).await {
            Ok(()) => ("", 0),
            Err(Refusal::StaleEpoch(epoch)) => ("StaleEpoch", epoch),
            Err(Refusal::NotRunning) => ("NotRunning", 0),
            Err(Refusal::Unknown) => ("Unknown", 0),
        };
        let accepted = refusal.is_empty();
        CommandAck { command_id, accepted, refusal: refusal.to_owned(), epoch }
    }

    fn running(&self) -> Vec<RunningTask> {
        self.lock()
            .iter()
            .filter(|(_, task)| !task.handle.is_finished())
            .map(|(id, task)| RunningTask {
                migration_uid: id.migration.clone(),
                database: id.database.clone(),
                kind: id.kind.into(),
                epoch: task.epoch,
            })
            .collect()
    }

    async fn query(&self, query: Query) -> QueryAnswer {
        query::answer(&self.kit, query).await
    }

    async fn stop_all(&self) {
        let all: Vec<Task> = self.lock().drain().map(|(_, task)| task).collect();
        end_all(all).await;
    }
}

/// All at once, so that none is seen to miss another.
async fn end_all(tasks: Vec<Task>) {
    for task in &tasks {
        task.handle.abort();
    }
    for task in tasks {
        end(task).await;
    }
}

/// Stops a task where it is: its sessions close, and what they had not committed is rolled back.
async fn end(task: Task) {
    task.handle.abort();
    if let Err(error) = task.handle.await
        && error.is_panic()
    {
        tracing::error!("a task that was stopped had panicked");
    }
}

async fn done(reporter: &Reporter) {
    reporter.tell(report::Kind::TaskDone(whimbrel_proto::agent::v1::TaskDone {})).await;
}

/// Which end carries a step out.
fn side_of(step: Step) -> TaskKind {
    match step {
        Step::Unspecified
        | Step::Fence
        | Step::Mark
        | Step::Settle
        | Step::MarkEnd
        | Step::RemoveSource => TaskKind::Send,
        Step::Drain
        | Step::Complete
        | Step::Sequences
        | Step::Verify
        | Step::Switch
        | Step::RemoveLedger => TaskKind::Receive,
    }
}

fn step_order(step: CutoverStep) -> StepOrder {
    StepOrder {
        step: step.step(),
        attempt: step.attempt,
        end: Lsn(step.end_lsn),
        allow_source_writes: step.allow_source_writes,
        timeout: step.timeout.and_then(|timeout| timeout.try_into().ok()).unwrap_or_default(),
        open: step.open,
    }
}

#[cfg(test)]
mod tests {
    use whimbrel_proto::agent::v1::CheckSource;

    use super::*;

    #[tokio::test]
    async fn an_epoch_that_another_command_had_is_over() {
        let key = crypto_box::SecretKey::generate(&mut crypto_box::aead::OsRng);
        let programs = Arc::new(Programs::discover(&[]).await);
        let supervisor = Supervisor::new(Outlet::new(), Secrets::new("a", key), programs);
        let check = |id: &str, epoch| Command {
            command_id: id.to_owned(),
            migration_uid: "m".to_owned(),
            epoch,
            kind: Some(Kind::CheckSource(CheckSource::default())),
            ..Command::default()
        };
        for (id, epoch, refusal) in
            [("one", 1, ""), ("one", 1, ""), ("two", 1, "StaleEpoch"), ("three", 2, "")]
        {
            let ack = supervisor.command(check(id, epoch)).await;
            assert_eq!(ack.refusal, refusal, "{id}");
            assert_eq!(ack.epoch, u64::from(!ack.accepted), "{id}: the epoch that is over");
        }
    }
}
