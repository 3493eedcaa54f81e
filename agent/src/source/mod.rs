//! The sending end of a pipeline: reads the source database and answers the receiver's asks.
//!
//! It decides nothing and writes no rows. What it makes on the source (law 5): a slot, two publications of leaf tables,
//! messages in the WAL, and event triggers ([`ddl`]) where it may. It acknowledges to the slot only what the receiver says is durable in the ledger. It doesn't know
//! the target's rooms.
mod catalog;
mod changed;
mod changed_keys;
mod clean;
mod copy_keys;
mod copy_out;
mod ddl;
mod dump;
mod epoch;
mod extension_rows;
mod follow;
mod inspect;
mod large_objects;
mod marker;
mod pace;
mod past;
mod patient;
mod position;
mod publication;
mod retention;
mod roles;
mod sender;
mod serve;
mod set_up;
mod snapshot;
mod typed;

pub use clean::remove_objects;
pub use sender::{Sender, SenderSpec};
pub use set_up::{SetUp, set_up};
