//! The receiving end of a pipeline: makes the target database, fills it, keeps it up, and carries out the cutover's steps
//! on its side.
//!
//! Every position is committed in the target database with the rows it speaks of ([`ledger`]), and every transaction
//! proves its epoch there. It doesn't know the source's rooms: rows, catalog and changes come by [`crate::wire`].
pub mod apply;
mod documents;
mod fact;
mod follow;
pub mod ledger;
mod load;
mod prepare;
mod progress;
mod receive;
mod roles;
pub mod schema;

pub use apply::{Control, StreamState};
pub use fact::Fact;
pub use prepare::remove_ledger;
pub use progress::Progress;
pub use receive::{Begun, Copied, Receiver, ReceiverSpec};

pub(crate) use follow::follow;
pub(crate) use load::{
    CopyIn, can_be_replica, copy_in, identity_always, run_entries, run_entries_again,
};
pub(crate) use prepare::MAINTENANCE_DATABASE;
pub(crate) use receive::current;
