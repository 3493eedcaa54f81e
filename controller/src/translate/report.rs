//! Reports, from the link.
use whimbrel_proto::agent::v1 as link;

use super::validation_in;
use crate::migration::{
    ExistingDatabase, Failure, OpenTransaction, Policy, Report, ReportKind, Step, StepDone,
    StepFailed, Task, ValidationDetails,
};

/// A report that this controller does not understand: from an agent that is newer, or broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the report's {0} is not known to this controller")]
pub struct UnknownReport(&'static str);

/// A report of `agent` in one life of its process.
///
/// # Errors
/// [`UnknownReport`].
pub fn link_report(
    agent: &str,
    incarnation: &str,
    report: link::Report,
) -> Result<Report, UnknownReport> {
    Ok(Report {
        agent: agent.to_owned(),
        incarnation: incarnation.to_owned(),
        sequence: report.sequence,
        database: report.database,
        epoch: report.epoch,
        task: task_in(report.task)?,
        kind: kind_in(report.kind.ok_or(UnknownReport("kind"))?)?,
    })
}

fn task_in(task: i32) -> Result<Task, UnknownReport> {
    match link::TaskKind::try_from(task) {
        Ok(link::TaskKind::CheckSource) => Ok(Task::CheckSource),
        Ok(link::TaskKind::CheckTarget) => Ok(Task::CheckTarget),
        Ok(link::TaskKind::Send) => Ok(Task::Send),
        Ok(link::TaskKind::Receive) => Ok(Task::Receive),
        Ok(link::TaskKind::CleanSource) => Ok(Task::CleanSource),
        Ok(link::TaskKind::GuardSource) => Ok(Task::Guard),
        Ok(link::TaskKind::Unspecified) | Err(_) => Err(UnknownReport("task")),
    }
}

fn kind_in(kind: link::report::Kind) -> Result<ReportKind, UnknownReport> {
    use link::report::Kind;
    Ok(match kind {
        Kind::Checked(checked) => checked_in(checked),
        Kind::Prepared(prepared) => ReportKind::Prepared { target_oid: prepared.target_oid },
        Kind::Milestone(milestone) => {
            ReportKind::Milestone { kind: milestone.r#type, message: milestone.message }
        }
        Kind::CopyFinished(link::CopyFinished { tables, rows, bytes }) => {
            ReportKind::CopyFinished { tables, rows, bytes }
        }
        Kind::StreamStarted(started) => ReportKind::StreamStarted { from_lsn: started.from_lsn },
        Kind::StepDone(done) => ReportKind::StepDone(done_in(done)?),
        Kind::StepFailed(failed) => ReportKind::StepFailed(StepFailed {
            step: step_in(failed.step)?,
            attempt: failed.attempt,
            failure: failure_in(failed.failure),
        }),
        Kind::TableHeld(held) => {
            ReportKind::TableHeld { table: held.table, failure: failure_in(held.failure) }
        }
        Kind::TaskDone(_) => ReportKind::TaskDone,
        Kind::TaskFailed(failed) => ReportKind::TaskFailed(failure_in(failed.failure)),
    })
}

fn checked_in(checked: link::Checked) -> ReportKind {
    let existing = checked
        .existing
        .into_iter()
        .map(|e| ExistingDatabase { database: e.database, oid: e.oid })
        .collect();
    ReportKind::Checked {
        findings: checked.findings.map_or_else(ValidationDetails::default, validation_in),
        facts: checked.facts.to_vec(),
        existing,
    }
}

fn done_in(done: link::StepDone) -> Result<StepDone, UnknownReport> {
    let open = done.open.into_iter().map(|open| OpenTransaction {
        id: open.id,
        prepared: open.prepared,
        pid: open.pid,
        user: open.user,
        application: open.application,
    });
    Ok(StepDone {
        step: step_in(done.step)?,
        attempt: done.attempt,
        open: open.collect(),
        lsn: done.lsn,
        seconds: done.seconds,
        note: done.note,
    })
}

fn step_in(step: i32) -> Result<Step, UnknownReport> {
    match link::Step::try_from(step) {
        Ok(link::Step::Mark) => Ok(Step::Mark),
        Ok(link::Step::Settle) => Ok(Step::Settle),
        Ok(link::Step::MarkEnd) => Ok(Step::MarkEnd),
        Ok(link::Step::Drain) => Ok(Step::Drain),
        Ok(link::Step::Complete) => Ok(Step::Complete),
        Ok(link::Step::Sequences) => Ok(Step::Sequences),
        Ok(link::Step::Verify) => Ok(Step::Verify),
        Ok(link::Step::Switch) => Ok(Step::Switch),
        Ok(link::Step::RemoveSource) => Ok(Step::RemoveSource),
        Ok(link::Step::RemoveLedger) => Ok(Step::RemoveLedger),
        Ok(link::Step::Fence | link::Step::Unspecified) | Err(_) => Err(UnknownReport("step")),
    }
}

fn failure_in(failure: Option<link::Failure>) -> Failure {
    use link::failure::Policy as Wire;
    let Some(failure) = failure else {
        return Failure {
            policy: Policy::Hold,
            code: "Unexplained".to_owned(),
            message: "the agent reported a failure without saying which".to_owned(),
            remedy: "Read the agent's log, then `whimbrel migration retry`.".to_owned(),
            ledger_epoch: 0,
        };
    };
    let policy = match Wire::try_from(failure.policy) {
        Ok(Wire::Retry) => Policy::Retry,
        Ok(Wire::Away) => Policy::Away,
        Ok(Wire::Resync) => Policy::Resync,
        Ok(Wire::Credentials) => Policy::Credentials,
        Ok(Wire::Fail) => Policy::Fail,
        Ok(Wire::Fenced) => Policy::Fenced,
        // What we don't know, a person must look at.
        Ok(Wire::Hold | Wire::Unspecified) | Err(_) => Policy::Hold,
    };
    let link::Failure { code, message, remedy, ledger_epoch, .. } = failure;
    Failure { policy, code, message, remedy, ledger_epoch }
}
