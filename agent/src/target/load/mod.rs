//! The base copy: schema, rows, keys, indexes, statistics.
mod again;
mod copy_in;
mod entries;
mod fill;
mod finish;
mod forward;
mod jobs;
mod leave;
mod make;
mod missed;
mod order;
mod others;
mod parts;
mod ranges;
mod renew;
mod room;
mod small;
mod start;
mod statistics;

pub(in crate::target) use again::{Unlike, copy_waiting, not_as_here};
pub(crate) use copy_in::{CopyIn, copy_in};
pub(in crate::target) use finish::run_entry;
pub(crate) use finish::{can_be_replica, run_entries_again};
pub(in crate::target) use order::parents_first;
pub(in crate::target) use others::Others;
pub(in crate::target) use start::check_server;
pub(crate) use start::identity_always;
