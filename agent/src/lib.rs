//! The agent: sits where it can reach the databases, dials out to the controller, acts, and reports facts. It never
//! decides what a migration does next.

pub mod compare;
pub mod config;
pub mod cutover;
pub mod fault;
pub mod link;
pub mod observe;
pub mod postgres;
pub mod preflight;
pub mod replication;
pub mod report;
pub mod secret;
pub mod selection;
pub mod source;
pub mod target;
pub mod task;
pub mod verify;
pub mod wire;
