//! The change stream's messages, as PostgreSQL's `pgoutput` plugin writes them: protocol versions 1 to 4
//! (PostgreSQL manual, "Logical Replication Message Formats").
//!
//! Pure: bytes in, [`Message`] out; no connection, no clock, no catalog. Values are slices of the received buffer.
//! [`decode()`] never panics, whatever the bytes, and allocates no more than the message's own length allows.

mod decode;
mod message;

#[cfg(test)]
mod encode;
#[cfg(test)]
mod tests;

pub use decode::{DecodeError, decode};
pub use message::{
    Column, Message, OldTuple, Prepared, REPLICA_IDENTITY_DEFAULT, REPLICA_IDENTITY_FULL,
    REPLICA_IDENTITY_INDEX, REPLICA_IDENTITY_NOTHING, Relation, Value,
};
