//! The agent: sits where it can reach the databases, dials out to the controller, acts, and reports facts. It never
//! decides what a migration does next.

pub mod config;
pub mod fault;
pub mod link;
pub mod observe;
pub mod postgres;
pub mod replication;
pub mod secret;
