//! The agent's tasks: what the controller has given this agent to do, each under an epoch.
//!
//! One file per kind of task. A task touches one side (DESIGN.md, law 9), reports facts and ends; the [`Supervisor`] starts
//! and stops them, and lets nothing of an older epoch run beside a newer one.
mod check;
mod clean;
mod guard;
mod kit;
mod progress;
mod query;
mod receive;
mod report;
mod send;
mod supervisor;

pub use supervisor::Supervisor;
