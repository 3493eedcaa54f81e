//! The numbered steps of a cutover, and how far one attempt is.
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{record::Side, spec::Mode};

/// A step that has not ended by then is reported failed by its agent. One minute: SETTLE waits for other people's
/// transactions, and while it does nothing is lost but time; the others take seconds.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);

/// Of a step that reads whole tables on both sides: some hundred gigabytes.
const TIMEOUT_COMPARING: Duration = Duration::from_secs(600);

/// So often one step that lost a connection, or was in somebody's way for a moment, is given out again before the attempt leads
/// back: what mends by itself mostly has after some seconds, for which writes stand still anyway; longer they should not.
pub(super) const STEP_TRIES_MAX: u32 = 3;

/// So long an agent may be away in a cutover before the attempt leads back. One that was killed is there again within seconds, and goes
/// on with the step; whoever stopped the application's writes waits no longer than for a step, and must not find the switch made
/// an hour after they let it write again.
pub const AWAY_IN_CUTOVER_MAX: Duration = TIMEOUT_DEFAULT;

/// A step of the cutover. In order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Source: marker 1; the transactions that are open then.
    Mark,
    /// Source: wait for each of them.
    Settle,
    /// Source: marker 2.
    MarkEnd,
    /// Target: marker 2 is in the ledger.
    Drain,
    /// Target: what had to wait for the last row.
    Complete,
    /// Target: sequences as the source's.
    Sequences,
    /// Target: everything is there.
    Verify,
    /// Target: the point of no return.
    Switch,
    /// Source: our slot and publications go.
    RemoveSource,
    /// Target: the ledger goes.
    RemoveLedger,
}

impl Step {
    const ONLINE: [Self; 10] = [
        Self::Mark,
        Self::Settle,
        Self::MarkEnd,
        Self::Drain,
        Self::Complete,
        Self::Sequences,
        Self::Verify,
        Self::Switch,
        Self::RemoveSource,
        Self::RemoveLedger,
    ];
    // No stream to end, and nothing of ours on the source.
    const OFFLINE: [Self; 5] =
        [Self::Complete, Self::Sequences, Self::Verify, Self::Switch, Self::RemoveLedger];

    /// The steps of a mode, in order.
    #[must_use]
    pub const fn of(mode: Mode) -> &'static [Self] {
        match mode {
            Mode::Online => &Self::ONLINE,
            Mode::Offline => &Self::OFFLINE,
        }
    }

    /// Whose agent does it.
    #[must_use]
    pub const fn side(self) -> Side {
        match self {
            Self::Mark | Self::Settle | Self::MarkEnd | Self::RemoveSource => Side::Source,
            Self::Drain
            | Self::Complete
            | Self::Sequences
            | Self::Verify
            | Self::Switch
            | Self::RemoveLedger => Side::Target,
        }
    }

    /// Its number in that mode, from 1; `None` if the mode has no such step.
    #[must_use]
    pub fn number(self, mode: Mode) -> Option<usize> {
        Self::of(mode).iter().position(|s| *s == self).map(|i| i + 1)
    }

    /// The step after it.
    #[must_use]
    pub fn next(self, mode: Mode) -> Option<Self> {
        Self::of(mode).get(self.number(mode)?).copied()
    }

    /// For people: "drain".
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mark => "mark",
            Self::Settle => "settle",
            Self::MarkEnd => "mark end",
            Self::Drain => "drain",
            Self::Complete => "complete",
            Self::Sequences => "sequences",
            Self::Verify => "verify",
            Self::Switch => "switch",
            Self::RemoveSource => "remove source objects",
            Self::RemoveLedger => "remove ledger",
        }
    }

    /// How long it may take. `None`: as long as it takes, for a drain is as long as the lag is, and foreign keys and tables
    /// without a key as long as they are large; a cancel ends both.
    #[must_use]
    pub const fn timeout(self) -> Option<Duration> {
        match self {
            Self::Drain | Self::Complete => None,
            // Tables without a key are compared once more.
            Self::Verify | Self::Switch => Some(TIMEOUT_COMPARING),
            _ => Some(TIMEOUT_DEFAULT),
        }
    }

    /// The switch was given out and may have been made: there may be no way back.
    #[must_use]
    pub fn is_at_or_after_switch(self) -> bool {
        self >= Self::Switch
    }
}

/// A transaction of the source's that was open at marker 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenTransaction {
    /// Virtual transaction, or gid of a prepared one.
    pub id: String,
    /// Prepared.
    pub prepared: bool,
    /// Backend.
    pub pid: u32,
    /// Role.
    pub user: String,
    /// `application_name`.
    pub application: String,
}

/// A step that was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Which.
    pub step: Step,
    /// As its agent measured it.
    pub seconds: f64,
}

/// One attempt at a cutover. Exactly one step is outstanding: `step`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cutover {
    /// From 1, a database.
    pub attempt: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// The step that is outstanding.
    pub step: Step,
    /// How often it was given out again since it failed in a way that time alone may mend.
    #[serde(default)]
    pub tries: u32,
    /// Those done, in order.
    pub done: Vec<StepRecord>,
    /// What MARK told, for SETTLE.
    pub open: Vec<OpenTransaction>,
    /// Where marker 2's commit ends; 0 before MARK_END is done.
    pub end_lsn: u64,
    /// The operator accepts that what is written after marker 2 stays behind.
    pub allow_source_writes: bool,
}

impl Cutover {
    /// Before the first step.
    #[must_use]
    pub fn new(attempt: u32, mode: Mode, allow_source_writes: bool, now: Timestamp) -> Self {
        Self {
            attempt,
            started_at: now,
            step: Step::of(mode)[0],
            tries: 0,
            done: Vec::new(),
            open: Vec::new(),
            end_lsn: 0,
            allow_source_writes,
        }
    }

    /// What is told of it when it is over.
    #[must_use]
    pub fn report(&self, now: Timestamp) -> CutoverReport {
        CutoverReport {
            started_at: self.started_at,
            ended_at: Some(now),
            end_lsn: self.end_lsn,
            steps: self.done.clone(),
        }
    }
}

/// The times of a cutover.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CutoverReport {
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended, one way or the other.
    pub ended_at: Option<Timestamp>,
    /// Marker 2; 0 if it was not reached.
    pub end_lsn: u64,
    /// The steps done.
    pub steps: Vec<StepRecord>,
}
