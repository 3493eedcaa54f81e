//! The schema: pg_dump's archive, turned into SQL by pg_restore, run by our own fenced connection.
//!
//! pg_restore never connects to the target: it only writes SQL (law 2). Which entry runs when is decided by [`Stage`].
mod archive;
mod foreign_key;
mod marks;
mod not_null;
mod plan;
mod restore;

pub use archive::{ArchiveError, Entry, entries};
pub use plan::{Plan, Stage, TableEntries};

pub(crate) use foreign_key::{ForeignKey, Name, built_on};
pub(crate) use plan::RESTORE_SETTINGS;
