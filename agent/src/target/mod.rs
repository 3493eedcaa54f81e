//! The receiving end of a pipeline: makes the target database, fills it, keeps it up, and carries out the cutover's steps
//! on its side.
//!
//! Every position is committed in the target database with the rows it speaks of ([`ledger`]), and every transaction
//! proves its epoch there. It doesn't know the source's rooms: rows, catalog and changes come by [`crate::wire`].
mod again;
pub mod apply;
mod aside;
mod bring_needs;
mod constraints;
mod create_database;
mod ddl;
mod documents;
mod drop_gone;
mod early;
mod extension_rows;
mod fact;
mod follow;
mod foreign_keys;
mod foreign_options;
mod held;
mod in_place;
mod in_runs;
mod large_objects;
pub mod ledger;
mod limits;
mod load;
mod make_anew;
mod merge;
mod own_casts;
mod prepare;
mod progress;
mod publish;
mod read_back;
mod receive;
mod redump;
mod renamed;
mod roles;
pub mod schema;
mod snapshot;
mod structure;
mod text_search;
mod traits;
mod untold;

pub use apply::{Control, StreamState};
pub use fact::Fact;
pub use prepare::remove_ledger;
pub use progress::Progress;
pub use receive::{Begun, Copied, Receiver, ReceiverSpec};
pub(crate) use redump::bare;
pub use schema::Plan;
pub(crate) use schema::RESTORE_SETTINGS;

pub(crate) use again::emptied;
pub(crate) use follow::drop_foreign_keys;
pub(crate) use follow::follow;
pub(crate) use foreign_keys::{CONSTRAINT_VIOLATED, Unmade};
pub(crate) use held::held_tables;
pub(crate) use large_objects::Carried;
pub(crate) use load::{
    CopyIn, Rows, bring_defaults, can_be_replica, copy_in, identity_always, not_as_here,
    run_entries_again,
};
pub(crate) use receive::current;
