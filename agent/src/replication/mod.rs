//! The streaming-replication transport: a connection with `replication=database`, its commands, and the change stream.
//!
//! Knows PostgreSQL's protocol and nothing of a migration: what a change means, and what may be acknowledged, is decided
//! by who reads it. It acknowledges nothing by itself. The messages inside the stream are decoded by [`pgoutput`].
//!
//! The rows of a base copy are read over the same frames ([`RowsConnection`]).

mod connection;
mod error;
mod frames;
mod login;
mod near;
mod options;
pub mod pgoutput;
mod query;
mod reader;
mod rows;
mod server_error;
mod slot;
mod stream;

pub use connection::{ReplicationCanceller, ReplicationConnection};
pub use error::ReplicationError;
pub use options::{StreamOptions, Streaming};
pub use reader::ReadError;
pub use rows::{RowPieces, RowsConnection};
pub use server_error::ServerError;
pub use slot::{CreatedSlot, SlotLife, Snapshot, SystemIdentity};
pub use stream::{Event, ReplicationStream};

/// PostgreSQL's clock starts 2000-01-01 UTC; this many microseconds after Unix'.
pub const EPOCH_UNIX_MICROS: i64 = 946_684_800_000_000;
