//! The migration's machine: every edge is reached and no other, acts are refused where they must be, and laws hold
//! whatever happens in whatever order.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says so by failing")]

mod acts;
mod checks;
mod edges;
mod hand_over;
mod random;
mod recovery;
mod simulation;
mod steps;
mod window;
mod world;
