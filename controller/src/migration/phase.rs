//! The phases of a migration and of each of its databases, and the edges between them.
//!
//! ```text
//!  the migration                                        each database
//!
//!  Prerequisites ─┬───────────────┬──────► Failed       Waiting ───────────────────────┐
//!       │         │               │                        │                           │
//!       ▼         │               │                     Copying ──offline──┐           │
//!  Validation ────┼──► ValidationFailed, Succeeded         │               │           │
//!       │         │               │                     Streaming          │           │
//!       ▼         ▼               │                        │               │           │
//!  OverwriteConfirmation ─► Window                       Ready ◄──back──┐  │           │
//!       │             │       │                            │            │  │           │
//!       └─────────────┴───────┴──► Moving               CuttingOver ────┘◄─┘           │
//!                                                          │      each of the four     │
//!  Each but Moving and the final ones may end           Succeeded  above, till SWITCH: │
//!  Canceled. In Moving the databases' phases                Cleaning ─► Canceled ◄─────┘
//!  tell how it stands.                                              └─► Failed
//! ```
//!
//! A database that waits, and of which a later state of a restored store began something, is cleaned up like the others.
//! An offline database skips Cleaning (it left nothing on the source) and goes to Canceled or Failed at once.
use serde::{Deserialize, Serialize};

use super::{cutover::Cutover, event::Failure, record::Check};

/// Where the migration as a whole is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// What no migration can do without is being checked.
    Prerequisites(Check),
    /// The preflight checks run.
    Validation(Check),
    /// Databases of that name exist; the operator is asked.
    OverwriteConfirmation,
    /// Not before a certain time.
    Window,
    /// The databases' phases tell.
    Moving,
    /// Final: a prerequisite is not met.
    Failed(Failure),
    /// Final: a check failed.
    ValidationFailed,
    /// Final: given up before anything was moved.
    Canceled,
    /// Final: only checks were asked for, and none failed.
    Succeeded,
}

/// Where one database is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatabasePhase {
    /// The migration has not come so far.
    Waiting,
    /// The base copy.
    Copying,
    /// The stream flows; the lag is not yet small.
    Streaming,
    /// Waiting for the operator's cutover. Stays so whatever the lag does.
    Ready,
    /// A cutover runs.
    CuttingOver(Cutover),
    /// Our things are being taken off the source; then it ends so.
    Cleaning(Ending),
    /// Final.
    Succeeded,
    /// Final.
    Canceled,
    /// Final.
    Failed(Failure),
}

/// How a database ends once the source is clean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The operator gave it up.
    Canceled,
    /// It failed.
    Failed(Failure),
}

/// A change that is not in the table: a mistake of ours, refused before it is made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no migration goes from {from} to {to}; this is a defect of Whimbrel, please report it")]
pub struct IllegalEdge {
    /// From.
    pub from: &'static str,
    /// To.
    pub to: &'static str,
}

/// The legal edges of [`Phase`], by name.
pub const EDGES: &[(&str, &str)] = &[
    ("Prerequisites", "Validation"),
    ("Prerequisites", "OverwriteConfirmation"),
    ("Prerequisites", "Window"),
    ("Prerequisites", "Moving"),
    ("Prerequisites", "Failed"),
    ("Prerequisites", "ValidationFailed"),
    ("Prerequisites", "Canceled"),
    ("Validation", "OverwriteConfirmation"),
    ("Validation", "Window"),
    ("Validation", "Moving"),
    ("Validation", "Failed"),
    ("Validation", "ValidationFailed"),
    ("Validation", "Succeeded"),
    ("Validation", "Canceled"),
    ("OverwriteConfirmation", "Window"),
    ("OverwriteConfirmation", "Moving"),
    ("OverwriteConfirmation", "Canceled"),
    ("Window", "Moving"),
    ("Window", "Canceled"),
];

/// The legal edges of [`DatabasePhase`], by name.
pub const DATABASE_EDGES: &[(&str, &str)] = &[
    ("Waiting", "Copying"),
    ("Waiting", "Canceled"),
    // Of a store that was restored: what a later state of it began is taken off the source.
    ("Waiting", "Cleaning"),
    ("Copying", "Streaming"),
    ("Copying", "CuttingOver"),
    ("Copying", "Cleaning"),
    ("Copying", "Canceled"),
    ("Copying", "Failed"),
    ("Streaming", "Ready"),
    // Tables are copied again.
    ("Streaming", "Copying"),
    ("Ready", "Copying"),
    ("Streaming", "Cleaning"),
    ("Ready", "CuttingOver"),
    ("Ready", "Cleaning"),
    ("CuttingOver", "Ready"),
    ("CuttingOver", "Succeeded"),
    ("CuttingOver", "Cleaning"),
    ("CuttingOver", "Canceled"),
    ("CuttingOver", "Failed"),
    ("Cleaning", "Canceled"),
    ("Cleaning", "Failed"),
];

impl Phase {
    /// Its name, in the table and in logs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Prerequisites(_) => "Prerequisites",
            Self::Validation(_) => "Validation",
            Self::OverwriteConfirmation => "OverwriteConfirmation",
            Self::Window => "Window",
            Self::Moving => "Moving",
            Self::Failed(_) => "Failed",
            Self::ValidationFailed => "ValidationFailed",
            Self::Canceled => "Canceled",
            Self::Succeeded => "Succeeded",
        }
    }

    /// The check that runs, in the two phases that check.
    #[must_use]
    pub const fn check(&self) -> Option<&Check> {
        match self {
            Self::Prerequisites(check) | Self::Validation(check) => Some(check),
            _ => None,
        }
    }

    pub(super) const fn check_mut(&mut self) -> Option<&mut Check> {
        match self {
            Self::Prerequisites(check) | Self::Validation(check) => Some(check),
            _ => None,
        }
    }
}

impl DatabasePhase {
    /// Its name, in the table and in logs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Waiting => "Waiting",
            Self::Copying => "Copying",
            Self::Streaming => "Streaming",
            Self::Ready => "Ready",
            Self::CuttingOver(_) => "CuttingOver",
            Self::Cleaning(_) => "Cleaning",
            Self::Succeeded => "Succeeded",
            Self::Canceled => "Canceled",
            Self::Failed(_) => "Failed",
        }
    }

    /// Never changes again.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Succeeded | Self::Canceled | Self::Failed(_))
    }

    /// A Send and a Receive belong to it.
    #[must_use]
    pub const fn has_tasks(&self) -> bool {
        matches!(self, Self::Copying | Self::Streaming | Self::Ready | Self::CuttingOver(_))
    }

    /// The cutover that runs.
    #[must_use]
    pub const fn cutover(&self) -> Option<&Cutover> {
        match self {
            Self::CuttingOver(cutover) => Some(cutover),
            _ => None,
        }
    }

    pub(super) const fn cutover_mut(&mut self) -> Option<&mut Cutover> {
        match self {
            Self::CuttingOver(cutover) => Some(cutover),
            _ => None,
        }
    }
}

/// Refuses what the table does not have.
///
/// # Errors
/// [`IllegalEdge`], naming both ends.
pub fn checked(
    edges: &[(&'static str, &'static str)],
    from: &'static str,
    to: &'static str,
) -> Result<(), IllegalEdge> {
    if edges.contains(&(from, to)) { Ok(()) } else { Err(IllegalEdge { from, to }) }
}
