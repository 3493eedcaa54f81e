//! Facts of a task, as reports to the controller.
use whimbrel_proto::agent::v1::{self as agent, Report, TaskKind, report::Kind};

use crate::{
    cutover::{StepDone, StepFailed, StepResult},
    fault::{Fault, Policy},
    link::Outlet,
    target::Fact,
};

/// Which task, under which epoch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct TaskId {
    pub(super) migration: String,
    /// Empty for the checks.
    pub(super) database: String,
    pub(super) kind: TaskKind,
}

/// Says for one task what happened to it.
#[derive(Debug, Clone)]
pub(super) struct Reporter {
    outlet: Outlet,
    id: TaskId,
    epoch: u64,
}

impl Reporter {
    pub(super) fn new(outlet: Outlet, id: TaskId, epoch: u64) -> Self {
        Self { outlet, id, epoch }
    }

    pub(super) fn outlet(&self) -> &Outlet {
        &self.outlet
    }

    pub(super) fn id(&self) -> &TaskId {
        &self.id
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) async fn tell(&self, kind: Kind) {
        self.outlet
            .report(Report {
                sequence: 0,
                migration_uid: self.id.migration.clone(),
                database: self.id.database.clone(),
                epoch: self.epoch,
                task: self.id.kind.into(),
                kind: Some(kind),
            })
            .await;
    }

    pub(super) async fn fact(&self, fact: Fact) {
        self.tell(match fact {
            Fact::Prepared { oid } => Kind::Prepared(agent::DatabasePrepared { target_oid: oid }),
            Fact::Milestone(name, message) => {
                Kind::Milestone(agent::Milestone { r#type: name.to_owned(), message })
            }
            Fact::CopyFinished { tables, rows, bytes } => {
                Kind::CopyFinished(agent::CopyFinished { tables, rows, bytes })
            }
            Fact::StreamStarted(from) => {
                Kind::StreamStarted(agent::StreamStarted { from_lsn: from.0 })
            }
            Fact::TableHeld { table, fault } => {
                tracing::error!(database = self.id.database, table, "held: {fault}");
                Kind::TableHeld(agent::TableHeld { table, failure: Some(fault.into()) })
            }
        })
        .await;
    }

    pub(super) async fn step(&self, result: StepResult) {
        if let Err(StepFailed { step, fault, .. }) = &result {
            let (database, epoch, step) = (&self.id.database, self.epoch, step.as_str_name());
            tracing::warn!(database, epoch, step, "{fault}");
        }
        self.tell(match result {
            Ok(done) => Kind::StepDone(step_done(done)),
            Err(StepFailed { step, attempt, fault }) => Kind::StepFailed(agent::StepFailed {
                step: step.into(),
                attempt,
                failure: Some(fault.into()),
            }),
        })
        .await;
    }

    /// The task has failed. One that was fenced has lost its work to a newer epoch, which knows.
    pub(super) async fn failed(&self, fault: Fault) {
        if fault.policy == Policy::Fenced {
            tracing::warn!(database = self.id.database, epoch = self.epoch, "{fault}");
        } else {
            tracing::error!(database = self.id.database, epoch = self.epoch, "{fault}");
        }
        self.tell(Kind::TaskFailed(agent::TaskFailed { failure: Some(fault.into()) })).await;
    }
}

fn step_done(done: StepDone) -> agent::StepDone {
    agent::StepDone {
        step: done.step.into(),
        attempt: done.attempt,
        open: done.open,
        lsn: done.lsn.0,
        seconds: done.took.as_secs_f64(),
        note: done.note,
    }
}
