//! Everything that can happen to a migration.
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    cutover::{OpenTransaction, Step},
    spec::{Endpoint, Secret},
    validation::{Finding, ValidationDetails},
};

/// What happened. Acts name databases; none stands for all that the act can be done to.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The operator: yes, overwrite.
    ConfirmOverwrite,
    /// The operator: cut over.
    Cutover(Cutover),
    /// The operator: give up.
    Cancel {
        /// Which.
        databases: Vec<String>,
    },
    /// The operator: the source is gone for good; end without taking what is ours off it.
    LeaveSource {
        /// Which.
        databases: Vec<String>,
    },
    /// The operator: stand still.
    Pause {
        /// Which.
        databases: Vec<String>,
    },
    /// The operator: go on.
    Resume {
        /// Which.
        databases: Vec<String>,
    },
    /// The operator: what held it is mended.
    Retry {
        /// Which.
        databases: Vec<String>,
        /// Copy these again ("public.orders"), held or not; none: those that are held.
        tables: Vec<String>,
    },
    /// The operator: other passwords.
    UpdateSecrets {
        /// The source's, if it changes.
        source: Option<Secret>,
        /// The target's, if it changes.
        target: Option<Secret>,
    },
    /// The operator: another window, or none. What is `None` stays as it is.
    UpdateWindow {
        /// Not before.
        start: Option<Option<Timestamp>>,
        /// Not after.
        end: Option<Option<Timestamp>>,
    },
    /// The operator: other limits, for what runs too.
    UpdateLimits(LimitsChange),
    /// The operator: other agents.
    HandOver(HandOver),
    /// The operator changed the target itself: its endpoint, for migrations that did not override it.
    TargetChanged {
        /// The target's endpoint with this migration's overrides in it.
        target: Endpoint,
    },
    /// An agent reported something.
    Report(Report),
    /// The store was restored from a backup: what agents were told, and what they told, since it was made is not known.
    StoreRestored,
    /// An agent's session begins, and it has tasks of this migration already.
    AgentRuns {
        /// Its id.
        agent: String,
        /// By database, the highest.
        epochs: BTreeMap<String, u64>,
    },
    /// An agent has a session in this life of its process.
    AgentIncarnation {
        /// Its id.
        agent: String,
        /// That life.
        incarnation: String,
    },
    /// An agent has had no session for longer than a cutover may stand.
    AgentAway {
        /// Its id.
        agent: String,
    },
    /// The controller was not at work.
    ControllerAway {
        /// Since then.
        since: Timestamp,
    },
    /// An agent will not do what it was told.
    CommandRefused {
        /// Its id.
        agent: String,
        /// Empty for the checks.
        database: String,
        /// The command's epoch.
        epoch: u64,
        /// Stable code.
        refusal: String,
        /// The epoch that the agent was given before, where that is why; 0 otherwise.
        newest: u64,
    },
    /// Observed: the stream of this database is close behind.
    LagSmall {
        /// Which.
        database: String,
        /// Under which epoch.
        epoch: u64,
    },
    /// Observed: this database got further since it last failed.
    Progressed {
        /// Which.
        database: String,
        /// Under which epoch.
        epoch: u64,
    },
    /// Time has passed.
    Tick,
}

/// The operator's cutover.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cutover {
    /// Which; none: all that wait.
    pub databases: Vec<String>,
    /// Refuse when the latency is more than this, in seconds.
    pub max_latency: Option<f64>,
    /// The latencies observed last, in seconds.
    pub latencies: BTreeMap<String, f64>,
    /// Stop the source's writes ourselves.
    pub fence: bool,
    /// What is written after marker 2 may stay behind.
    pub allow_source_writes: bool,
}

/// What changes of a migration's limits; 0 takes one away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitsChange {
    /// As [`Limits::copy_jobs`](super::spec::Limits).
    pub copy_jobs: Option<u32>,
    /// Of each database's base copy.
    pub copy_bytes_per_second: Option<u64>,
    /// Seconds.
    pub snapshot_seconds: Option<u32>,
    /// WAL that the source may keep for a slot.
    pub retained_wal_bytes: Option<u64>,
}

/// Other agents do the work from now on; and with them new passwords, for those that were sealed open for one agent only.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HandOver {
    /// Who acts on the source, if that changes.
    pub source_agent: Option<String>,
    /// Who acts on the target, if that changes.
    pub target_agent: Option<String>,
    /// The source's password, if it changes.
    pub source: Option<Secret>,
    /// The target's password, if it changes.
    pub target: Option<Secret>,
    /// The new agents' present incarnations, where they have a session.
    pub incarnations: BTreeMap<String, String>,
}

/// A report of an agent, as it numbers them.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Its id.
    pub agent: String,
    /// The life of its process.
    pub incarnation: String,
    /// From 1, an incarnation.
    pub sequence: u64,
    /// Empty for the checks.
    pub database: String,
    /// Of the task.
    pub epoch: u64,
    /// Which task.
    pub task: Task,
    /// What happened.
    pub kind: ReportKind,
}

/// The kinds of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Checks of the source.
    CheckSource,
    /// Checks of the target.
    CheckTarget,
    /// The sending end.
    Send,
    /// The receiving end.
    Receive,
    /// Taking our things off the source.
    CleanSource,
    /// Watching what the slot makes the source keep, while nothing else runs.
    Guard,
}

/// What a task reports.
#[derive(Clone, Debug, PartialEq)]
pub enum ReportKind {
    /// A check ended.
    Checked {
        /// What it found.
        findings: ValidationDetails,
        /// For the other side's check.
        facts: Vec<u8>,
        /// Databases that are on the target.
        existing: Vec<ExistingDatabase>,
    },
    /// The target's database was made.
    Prepared {
        /// Its OID.
        target_oid: u32,
    },
    /// Worth an event.
    Milestone {
        /// Stable.
        kind: String,
        /// In words.
        message: String,
    },
    /// The base copy is complete.
    CopyFinished {
        /// Tables.
        tables: u32,
        /// Rows.
        rows: u64,
        /// Bytes.
        bytes: u64,
    },
    /// The change stream flows.
    StreamStarted {
        /// From where.
        from_lsn: u64,
    },
    /// A cutover step is done.
    StepDone(StepDone),
    /// A cutover step failed.
    StepFailed(StepFailed),
    /// The task ended well.
    TaskDone,
    /// The task ended badly.
    TaskFailed(Failure),
    /// A table is left out from here on.
    TableHeld {
        /// "public.orders".
        table: String,
        /// Why.
        failure: Failure,
    },
}

/// A database that is on the target already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExistingDatabase {
    /// Name.
    pub database: String,
    /// OID.
    pub oid: u32,
}

/// A cutover step is done.
#[derive(Clone, Debug, PartialEq)]
pub struct StepDone {
    /// Which.
    pub step: Step,
    /// Of which attempt.
    pub attempt: u32,
    /// MARK.
    pub open: Vec<OpenTransaction>,
    /// MARK, MARK_END, DRAIN.
    pub lsn: u64,
    /// How long it took.
    pub seconds: f64,
    /// For the operator.
    pub note: String,
}

/// A cutover step failed.
#[derive(Clone, Debug, PartialEq)]
pub struct StepFailed {
    /// Which.
    pub step: Step,
    /// Of which attempt.
    pub attempt: u32,
    /// Why.
    pub failure: Failure,
}

/// What is to be done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Again, after a pause.
    Retry,
    /// A person must mend it.
    Hold,
    /// As hold: the slot no longer has what is needed.
    Resync,
    /// As hold: the password is missing.
    Credentials,
    /// Final.
    Fail,
    /// Someone newer owns the work.
    Fenced,
    /// Again, after a pause, for as long as what is away is away.
    Away,
}

impl Policy {
    /// Time alone may mend it.
    #[must_use]
    pub const fn is_retried(self) -> bool {
        matches!(self, Self::Retry | Self::Away)
    }
}

/// A failure, as an agent tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What to do about it.
    pub policy: Policy,
    /// Stable.
    pub code: String,
    /// What was being done to what, and the cause.
    pub message: String,
    /// What to do.
    pub remedy: String,
    /// The epoch that the target's ledger has, where it is not below ours; 0 otherwise.
    #[serde(default)]
    pub ledger_epoch: u64,
}

impl From<Finding> for Failure {
    fn from(finding: Finding) -> Self {
        let Finding { code, message, remedy, .. } = finding;
        Self { policy: Policy::Fail, code, message, remedy, ledger_epoch: 0 }
    }
}

impl Failure {
    /// As it is told where a cutover is led back for it: nothing is held then, and `retry` has nothing to do.
    #[must_use]
    pub fn leading_back(&self) -> Self {
        let remedy =
            self.remedy.replace("then `whimbrel migration retry`", "then order the cutover again");
        Self { remedy, ..self.clone() }
    }

    /// "Code: message. Remedy".
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { code, message, remedy, .. } = self;
        if remedy.is_empty() {
            return format!("{code}: {message}");
        }
        let stop = if message.ends_with(['.', '!', '?']) { "" } else { "." };
        format!("{code}: {message}{stop} {remedy}")
    }
}
