//! The controller: it decides what happens to each migration, and remembers.
//!
//! | room | what it is |
//! |---|---|
//! | [`migration`] | pure: what a migration is, and `step`, the only way that it changes |
//! | [`store`] | memory: state, events and outbox in one commit |
//! | [`fleet`] | the agents: enrolment, sessions, dispatch |
//! | [`driver`] | the loop: event, step, commit, dispatch; time |
//! | [`compare`] | two servers side by side, from what their agents tell |
//! | [`rpc`] | the services: translates, decides nothing |
//! | [`translate`] | between the wire's words and ours |
//! | [`tls`], [`data_dir`], [`first_start`], [`config`], [`observe`], [`open_files`], [`serve`] | what it stands on |
pub mod compare;
pub mod config;
pub mod data_dir;
pub mod driver;
pub mod first_start;
pub mod fleet;
pub mod migration;
pub mod observe;
pub mod open_files;
pub mod rpc;
pub mod serve;
pub mod store;
pub mod tls;
pub mod translate;
