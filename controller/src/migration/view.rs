//! What a migration looks like from outside: one state, derived from its phase and its databases'.
use super::{
    cutover::Step,
    event::Failure,
    hold::HoldKind,
    phase::{DatabasePhase, Ending, Phase},
    record::{Database, Migration},
    spec::Mode,
};

/// The contract's states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Something works on it.
    InProgress,
    /// A person is asked.
    WaitingForUserAction,
    /// Final.
    Canceled,
    /// Final.
    Failed,
    /// Final.
    ValidationFailed,
    /// Final.
    Succeeded,
    /// Our things are leaving the source.
    CleaningUp,
}

/// The contract's substates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the contract's words say what they are")]
pub enum SubState {
    PerformingPreRequisiteSteps,
    ValidationInProgress,
    WaitingForTargetDBOverwriteConfirmation,
    WaitingForDataMigrationWindow,
    MigratingData,
    WaitingForCutoverTrigger,
    CompletingMigration,
    Completed,
    Failed,
    CancelingRequestedDBMigrations,
}

/// The contract's states of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the contract's words say what they are")]
pub enum DatabaseState {
    InProgress,
    WaitingForCutoverTrigger,
    Failed,
    Canceled,
    Succeeded,
    Canceling,
}

impl State {
    /// As the contract writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InProgress => "InProgress",
            Self::WaitingForUserAction => "WaitingForUserAction",
            Self::Canceled => "Canceled",
            Self::Failed => "Failed",
            Self::ValidationFailed => "ValidationFailed",
            Self::Succeeded => "Succeeded",
            Self::CleaningUp => "CleaningUp",
        }
    }
}

impl SubState {
    /// As the contract writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PerformingPreRequisiteSteps => "PerformingPreRequisiteSteps",
            Self::ValidationInProgress => "ValidationInProgress",
            Self::WaitingForTargetDBOverwriteConfirmation => {
                "WaitingForTargetDBOverwriteConfirmation"
            }
            Self::WaitingForDataMigrationWindow => "WaitingForDataMigrationWindow",
            Self::MigratingData => "MigratingData",
            Self::WaitingForCutoverTrigger => "WaitingForCutoverTrigger",
            Self::CompletingMigration => "CompletingMigration",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
            Self::CancelingRequestedDBMigrations => "CancelingRequestedDBMigrations",
        }
    }
}

impl DatabaseState {
    /// As the contract writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InProgress => "InProgress",
            Self::WaitingForCutoverTrigger => "WaitingForCutoverTrigger",
            Self::Failed => "Failed",
            Self::Canceled => "Canceled",
            Self::Succeeded => "Succeeded",
            Self::Canceling => "Canceling",
        }
    }
}

/// The migration's state and substate.
#[must_use]
pub fn state(migration: &Migration) -> (State, SubState) {
    match migration.phase() {
        Phase::Prerequisites(_) => (State::InProgress, SubState::PerformingPreRequisiteSteps),
        Phase::Validation(_) => (State::InProgress, SubState::ValidationInProgress),
        Phase::OverwriteConfirmation => {
            (State::WaitingForUserAction, SubState::WaitingForTargetDBOverwriteConfirmation)
        }
        Phase::Window => (State::InProgress, SubState::WaitingForDataMigrationWindow),
        Phase::Moving => of_databases(&migration.databases),
        Phase::Failed(_) => (State::Failed, SubState::Failed),
        Phase::ValidationFailed => (State::ValidationFailed, SubState::Failed),
        Phase::Canceled => (State::Canceled, SubState::Completed),
        Phase::Succeeded => (State::Succeeded, SubState::Completed),
    }
}

/// Any waiting, else any working, else any being cleaned up, else any failed; all canceled; else succeeded.
fn of_databases(databases: &[Database]) -> (State, SubState) {
    let any = |test: fn(&DatabasePhase) -> bool| databases.iter().any(|d| test(d.phase()));
    if any(|p| matches!(p, DatabasePhase::Ready)) {
        return (State::WaitingForUserAction, SubState::WaitingForCutoverTrigger);
    }
    let moving = |p: &DatabasePhase| {
        matches!(p, DatabasePhase::Waiting | DatabasePhase::Copying | DatabasePhase::Streaming)
    };
    if any(moving) {
        return (State::InProgress, SubState::MigratingData);
    }
    if any(|p| matches!(p, DatabasePhase::CuttingOver(_))) {
        return (State::InProgress, SubState::CompletingMigration);
    }
    if any(|p| matches!(p, DatabasePhase::Cleaning(Ending::Canceled))) {
        return (State::CleaningUp, SubState::CancelingRequestedDBMigrations);
    }
    if any(|p| matches!(p, DatabasePhase::Cleaning(_))) {
        return (State::CleaningUp, SubState::Failed);
    }
    if any(|p| matches!(p, DatabasePhase::Failed(_))) {
        return (State::Failed, SubState::Failed);
    }
    if databases.iter().all(|d| matches!(d.phase(), DatabasePhase::Canceled)) {
        return (State::Canceled, SubState::Completed);
    }
    (State::Succeeded, SubState::Completed)
}

/// One database's state. One that was never begun has the end of its migration.
#[must_use]
pub const fn database_state(migration: &Migration, database: &Database) -> DatabaseState {
    match database.phase() {
        DatabasePhase::Waiting => match migration.phase() {
            Phase::Succeeded => DatabaseState::Succeeded,
            Phase::Failed(_) | Phase::ValidationFailed => DatabaseState::Failed,
            Phase::Canceled => DatabaseState::Canceled,
            _ => DatabaseState::InProgress,
        },
        DatabasePhase::Ready => DatabaseState::WaitingForCutoverTrigger,
        DatabasePhase::Cleaning(Ending::Canceled) => DatabaseState::Canceling,
        DatabasePhase::Cleaning(Ending::Failed(_)) | DatabasePhase::Failed(_) => {
            DatabaseState::Failed
        }
        DatabasePhase::Succeeded => DatabaseState::Succeeded,
        DatabasePhase::Canceled => DatabaseState::Canceled,
        _ => DatabaseState::InProgress,
    }
}

/// What is being done to a database, in words.
#[must_use]
pub fn operation(migration: &Migration, database: &Database) -> String {
    match database.phase() {
        DatabasePhase::Waiting => match migration.phase() {
            Phase::OverwriteConfirmation => "waiting for the confirmation",
            Phase::Window => "waiting for the window",
            Phase::Succeeded => "checked",
            Phase::Failed(_) | Phase::ValidationFailed => "not begun: a check failed",
            Phase::Canceled => "canceled",
            Phase::Prerequisites(_) | Phase::Validation(_) | Phase::Moving => {
                "waiting for the checks"
            }
        }
        .to_owned(),
        DatabasePhase::Copying if database.copied => "copied".to_owned(),
        DatabasePhase::Copying => "copying".to_owned(),
        DatabasePhase::Streaming => "catching up".to_owned(),
        DatabasePhase::Ready => "streaming changes".to_owned(),
        DatabasePhase::CuttingOver(cutover) => {
            let mode = migration.spec.mode;
            let number = cutover.step.number(mode).unwrap_or_default();
            format!("cutover {number}/{}: {}", Step::of(mode).len(), cutover.step.name())
        }
        DatabasePhase::Cleaning(_) => "cleaning up the source".to_owned(),
        DatabasePhase::Succeeded => "done".to_owned(),
        DatabasePhase::Canceled => "canceled".to_owned(),
        DatabasePhase::Failed(_) => "failed".to_owned(),
    }
}

/// Why it failed: the first cause.
#[must_use]
pub fn error(migration: &Migration) -> Option<Failure> {
    match migration.phase() {
        Phase::Failed(failure) => return Some(failure.clone()),
        Phase::ValidationFailed => {
            return migration.validation.as_ref()?.first_failed().map(Failure::from);
        }
        _ => {}
    }
    // A migration that is not Failed tells of its databases' failures beside each of them.
    if state(migration).0 != State::Failed {
        return None;
    }
    migration.databases.iter().find_map(|d| match d.phase() {
        DatabasePhase::Failed(failure) => Some(failure.clone()),
        _ => None,
    })
}

/// The acts that would be taken now.
#[must_use]
pub fn allowed(migration: &Migration) -> Vec<&'static str> {
    let mut acts = Vec::new();
    if migration.is_over() {
        return vec!["delete"];
    }
    if matches!(migration.phase(), Phase::OverwriteConfirmation) {
        acts.push("confirm-overwrite");
    }
    let any = |test: &dyn Fn(&Database) -> bool| migration.databases.iter().any(test);
    let online = migration.spec.mode == Mode::Online;
    if online && any(&|d| matches!(d.phase(), DatabasePhase::Ready) && d.hold.is_none()) {
        acts.push("cutover");
    }
    let pausable = |d: &Database| d.phase().has_tasks() && d.phase().cutover().is_none();
    if any(&|d| pausable(d) && d.hold.is_none()) {
        acts.push("pause");
    }
    let paused = |d: &Database| d.hold.as_ref().is_some_and(|h| h.kind == HoldKind::Paused);
    if any(&paused) {
        acts.push("resume");
    }
    let window_passed = matches!(migration.phase(), Phase::Window) && migration.hold.is_some();
    if window_passed {
        acts.push("update");
    } else if migration.hold.is_some() || any(&|d| d.hold.is_some() && !paused(d)) {
        acts.push("retry");
    }
    let cancelable = |d: &Database| {
        !d.phase().is_final() && !d.must_go_on() && !matches!(d.phase(), DatabasePhase::Cleaning(_))
    };
    if any(&cancelable) {
        acts.push("cancel");
    }
    if any(&Database::may_leave_source) {
        acts.push("leave-source");
    }
    acts
}
