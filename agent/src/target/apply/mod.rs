//! Applies the change stream: whole transactions of the source, in their order, several in one transaction of the target,
//! and the ledger's position in the same commit.
//!
//! - A transaction of the source is never split: a group ends at a source commit.
//! - A change counts when its commit begins at its table's point or later (DESIGN.md, the snapshot rule).
//! - A run of changes is folded by key ([`fold`]), or as rows that are alike ([`whole`]), and written set-wise ([`setwise`]); when the server objects, it is rolled
//!   back to where it began and goes change by change, in order ([`chunk`]). The next run is received and folded ([`run`])
//!   while the server works at it, and a group that has ended is committed then ([`group`]).
//! - A change that matches no row, or several, is an error (law 4).
mod ahead;
mod applier;
mod array;
mod by_key;
mod carry;
mod carry_drop;
mod carry_gone;
mod carry_keys;
mod carry_late;
mod carry_rows;
mod change;
mod chunk;
mod clock;
mod durable;
mod family;
mod find_out;
mod fold;
mod group;
mod in_the_way;
mod labels;
mod lacking;
mod leave_places;
mod loosen;
mod names;
mod needs;
mod not_carried;
mod old_places;
mod older;
mod pipeline;
mod run;
mod seen;
mod setwise;
mod spare_heirs;
mod state;
mod statement;
mod table;
mod take;
mod unchosen;
mod value;
mod whole;

pub(super) use applier::Applier;
pub(super) use array::Elements;
pub(super) use change::Changes;
pub(super) use durable::settle;
pub(super) use family::kin_of;
pub(super) use find_out::{
    bring, bring_then_drop, bring_what_goes, has_columns_anew, may_tell_others,
};
pub(super) use not_carried::ROLE_MISSING;
pub(super) use old_places::is_elsewhere;
pub use state::{Control, StreamState};
pub(super) use state::{Ended, Stale};
pub(super) use table::Tables;
