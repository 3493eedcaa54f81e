//! The cutover's numbered steps (DESIGN.md, law 7), each a file, each idempotent, each on one side.
//!
//! The controller orders them one by one and decides what follows; here they are only carried out. On the source: MARK,
//! SETTLE, MARK_END, REMOVE_SOURCE ([`source`]). On the target: DRAIN, COMPLETE, SEQUENCES, VERIFY, SWITCH,
//! REMOVE_LEDGER ([`target`]). FENCE is not built.
mod bound;
mod complete;
mod drain;
mod mark;
mod on_database;
mod order;
mod remove_ledger;
mod rights;
mod sequences;
mod settings;
mod settle;
pub mod source;
mod steps;
mod switch;
mod take_over;
pub mod target;
mod verify;
mod waits;

pub use order::{Order, StepDone, StepFailed, StepOrder, StepResult};
pub use steps::Steps;
pub use waits::STEP_WAITS;
