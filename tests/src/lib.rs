//! The harness: real PostgreSQL servers, the real programs, an application that writes, and checks that share no code
//! with what they judge.
//!
//! Nothing here may use a library of `controller` or `agent`: the programs are met as an operator meets them, over their
//! command lines and ports. Whatever is started here ends with the test's process, however that ends.

pub mod certificates;
pub mod chance;
pub mod cli;
pub mod cluster;
pub mod compare;
pub mod failure;
mod guardian;
pub mod installation;
pub mod pgbench;
pub mod place;
pub mod program;
pub mod proxy;
pub mod stage;
pub mod storm;
pub mod wait;
pub mod workload;
pub mod written;

pub use failure::{Context, Failure, Outcome};
