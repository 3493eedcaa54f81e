//! Looks at a server before anything is done to it, and says what stands in the way: findings, never errors.
//!
//! One file a check, and one table, [`table::CHECKS`], that lists them. A check reads; it changes nothing (its sessions
//! are read-only) and it decides nothing: that a `Failed` finding stops a migration is the controller's rule. Always
//! holds: every check that ran is in the result, also when it found nothing; a check that could not be made is a finding
//! itself, `CheckImpossible`; a remedy that is SQL can be pasted as it is, words in it are comments.
//!
//! To add a check: write its file with a `CHECK`, and add that to the table. Its SQL must be one that every supported version
//! understands: what only some have stands on lines of their own, marked `-- since 12` or `-- before 12`
//! ([`crate::postgres::for_version`]); `ask` chooses among them.

mod ask;
mod check;
mod compare;
mod facts;
mod finding;
mod gather;
mod locks;
mod on_source;
mod on_target;
mod password_end;
mod primary;
mod room;
mod session;
mod source;
mod synchronous;
mod table;
mod target;

pub use on_source::{SourceInput, check_source};
pub use on_target::{TargetInput, check_target};
