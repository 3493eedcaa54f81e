//! What a migration is and how it changes. Pure: no tokio, no tonic, no SQL, no clock.
//!
//! [`step()`] is the only way that a [`Migration`] changes: it takes the migration, an [`Event`] and the time, and gives
//! the next migration, the [`Command`]s for the agents and the [`Note`]s for the event log; or a [`Refusal`], and then
//! nothing has changed. What always holds:
//!
//! - A phase changes only along an edge of the tables in [`phase`]; final phases have none.
//! - An epoch never falls. What an agent says under an older epoch changes nothing.
//! - Once a SWITCH may have been made (its command was given out), there is no way back but the target's own word that
//!   it was not made.
//! - An online database that may have left something on the source passes through `Cleaning` unless it succeeds.
//! - A hold stands beside the phase, never in its place.
mod command;
mod cutover;
mod event;
mod hold;
pub mod phase;
mod record;
mod refusal;
mod spec;
mod step;
mod validation;
mod view;

pub use command::{Command, CommandKind, StepOrder};
pub use cutover::{
    AWAY_IN_CUTOVER_MAX, Cutover, CutoverReport, OpenTransaction, Step, StepRecord, TIMEOUT_DEFAULT,
};
pub use event::{
    Cutover as CutoverRequest, Event, ExistingDatabase, Failure, HandOver, LimitsChange, Policy,
    Report, ReportKind, StepDone, StepFailed, Task,
};
pub use hold::{Hold, HoldKind};
pub use phase::{DatabasePhase, Ending, IllegalEdge, Phase};
pub use record::{
    Check, CopyAgain, Database, HeldTable, Migration, NewMigration, Seen, Side, SourceObjects,
};
pub use refusal::{Refusal, RefusalKind};
pub use spec::{Endpoint, Goal, Limits, Mode, SealedCopy, Secret, Selection, Spec, SslMode};
pub use step::{
    AWAY_MAX, Actor, Note, Outcome, RETRY_FIRST, RETRY_MAX, TRIES_MAX, create, step, window_problem,
};
pub use validation::{
    DatabaseValidation, Finding, FindingState, Level, Validation, ValidationDetails,
};
pub use view::{DatabaseState, State, SubState, allowed, database_state, error, operation, state};
