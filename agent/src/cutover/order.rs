//! What the controller orders of a running end of a pipeline, and what it is told.
use std::time::Duration;

use whimbrel_proto::{
    Lsn,
    agent::v1::{OpenTransaction, Step},
};

use crate::fault::Fault;

/// How a step ended.
pub type StepResult = Result<StepDone, StepFailed>;

/// A step can't be done.
#[derive(Debug)]
pub struct StepFailed {
    /// Which.
    pub step: Step,
    /// Of which attempt.
    pub attempt: u32,
    /// Why.
    pub fault: Fault,
}

/// A step's result.
#[derive(Debug, Default)]
pub struct StepDone {
    /// Which.
    pub step: Step,
    /// Of which attempt.
    pub attempt: u32,
    /// MARK: transactions open at the marker.
    pub open: Vec<OpenTransaction>,
    /// MARK, MARK_END: the marker. DRAIN: the ledger.
    pub lsn: Lsn,
    /// How long it took.
    pub took: Duration,
    /// For an operator to read; empty mostly.
    pub note: String,
}

/// What the controller orders of a running end.
#[derive(Debug, Clone)]
pub enum Order {
    /// Carry out a step.
    Step(StepOrder),
    /// The attempt is over without a switch.
    Back {
        /// Which.
        attempt: u32,
    },
}

/// A step to be carried out.
#[derive(Debug, Clone)]
pub struct StepOrder {
    /// Which.
    pub step: Step,
    /// Of which attempt.
    pub attempt: u32,
    /// SETTLE: whom to wait for.
    pub open: Vec<OpenTransaction>,
    /// DRAIN and later: where marker 2 is.
    pub end: Lsn,
    /// Go on though the source is written to.
    pub allow_source_writes: bool,
    /// How long it may take; zero: as long as it needs.
    pub timeout: Duration,
}
