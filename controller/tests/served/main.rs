//! The program as others meet it: a real process, TLS, operators' calls, and an agent that does what it is told without
//! any database.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says so by failing")]

mod agent;
mod calls;
mod drive;
mod host;
