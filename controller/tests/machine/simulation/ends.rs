//! The two ends of a pipeline, as far as the controller can tell them from real ones.
use std::collections::VecDeque;

use whimbrel_controller::migration::{
    CommandKind, Failure, Policy, ReportKind, Step, StepDone, StepFailed, StepOrder,
};

use crate::world::failure;

/// What the receiving server remembers.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) epoch: u64,
    pub(super) copied: bool,
    /// The attempt whose marker 2 is the position.
    pub(super) marker: Option<u32>,
    pub(super) live: bool,
    pub(super) gone: bool,
    /// By whom each commit was made: epochs, in order.
    pub(super) commits: Vec<u64>,
}

impl Ledger {
    pub(super) fn commit(&mut self, epoch: u64) -> bool {
        let may = self.epoch == epoch && !self.live;
        if may {
            self.commits.push(epoch);
        }
        may
    }
}

/// A task of an agent's process.
pub(super) struct Running {
    pub(super) epoch: u64,
    pub(super) kind: CommandKind,
    pub(super) stage: u8,
    pub(super) orders: VecDeque<CommandKind>,
    /// Attempts that are over, as it was told when it began.
    pub(super) over: u32,
    pub(super) switched: bool,
    pub(super) ended: bool,
}

pub(super) fn checked(task: &mut Running) -> Vec<ReportKind> {
    task.ended = true;
    let facts = b"facts".to_vec();
    vec![ReportKind::Checked { findings: Default::default(), facts, existing: vec![] }]
}

pub(super) fn task_fails(task: &mut Running, policy: Policy) -> Vec<ReportKind> {
    task.ended = true;
    vec![ReportKind::TaskFailed(failure(policy))]
}

pub(super) fn done(order: &StepOrder) -> ReportKind {
    let (step, attempt) = (order.step, order.attempt);
    let (open, note) = (vec![], String::new());
    ReportKind::StepDone(StepDone { step, attempt, open, lsn: 9, seconds: 0.1, note })
}

pub(super) fn step_of_source(task: &mut Running, slot: &mut bool) -> Vec<ReportKind> {
    match task.orders.pop_front() {
        Some(CommandKind::CutoverStep(order)) => {
            if order.step == Step::RemoveSource {
                *slot = false;
            }
            vec![done(&order)]
        }
        _ => vec![],
    }
}

/// The receiving end, as the ledger lets it.
pub(super) fn receive(task: &mut Running, ledger: &mut Ledger) -> Vec<ReportKind> {
    let epoch = task.epoch;
    match task.stage {
        0 if task.switched || ledger.live => {
            task.stage = 4;
            vec![]
        }
        0 if ledger.epoch > epoch => {
            task.ended = true;
            let ledger_epoch = ledger.epoch;
            vec![ReportKind::TaskFailed(Failure { ledger_epoch, ..failure(Policy::Fenced) })]
        }
        0 => {
            ledger.epoch = epoch;
            task.stage = 1;
            vec![ReportKind::Prepared { target_oid: 7 }]
        }
        1 if !ledger.commit(epoch) => task_fails(task, Policy::Fenced),
        1 => {
            ledger.copied = true;
            task.stage = 2;
            vec![ReportKind::CopyFinished { tables: 1, rows: 1, bytes: 1 }]
        }
        2 => {
            task.stage = 3;
            vec![ReportKind::StreamStarted { from_lsn: 1 }]
        }
        3 => follow(task, ledger),
        _ => match task.orders.pop_front() {
            Some(CommandKind::CutoverStep(order)) if order.step == Step::RemoveLedger => {
                ledger.gone = true;
                vec![done(&order)]
            }
            Some(CommandKind::CutoverStep(order)) if order.step == Step::Switch => {
                vec![done(&order)]
            }
            _ => vec![],
        },
    }
}

pub(super) fn follow(task: &mut Running, ledger: &mut Ledger) -> Vec<ReportKind> {
    let epoch = task.epoch;
    let order = match task.orders.pop_front() {
        Some(CommandKind::CutoverStep(order)) if order.attempt > task.over => order,
        Some(CommandKind::CutoverBack { attempt }) => {
            task.over = task.over.max(attempt);
            return vec![];
        }
        _ if ledger.commit(epoch) => return vec![],
        _ if ledger.live => return vec![],
        _ => return task_fails(task, Policy::Fenced),
    };
    let fits = match order.step {
        Step::Drain => {
            ledger.marker = Some(order.attempt);
            true
        }
        Step::Switch => ledger.live || ledger.marker == Some(order.attempt),
        _ => true,
    };
    if order.step == Step::Switch && ledger.live {
        task.stage = 4;
        return vec![done(&order)];
    }
    if !fits || !ledger.commit(epoch) {
        let (step, attempt, failure) = (order.step, order.attempt, failure(Policy::Fenced));
        return vec![ReportKind::StepFailed(StepFailed { step, attempt, failure })];
    }
    if order.step == Step::Switch {
        ledger.live = true;
        ledger.epoch += 1;
        task.stage = 4;
    }
    vec![done(&order)]
}
