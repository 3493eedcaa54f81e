//! What passes between the two ends of a pipeline: asks one way, bounded frames the other.
//!
//! Dump, catalog, rows, changes and positions all cross here, even inside one agent; so the two ends can be moved into
//! two agents without either noticing. Everything that crosses is plain data. This room knows no SQL and no gRPC, and
//! neither end knows the other's rooms.
//!
//! - [`Caller`] is the receiver's end: it asks. [`Listener`] is the sender's: it answers with frames.
//! - Frames have credit in bytes ([`credit`]): a slow receiver stops the sender, never fills memory.
//! - [`Exchange`] joins the two ends of one (migration, database, epoch) when both run in this agent.
mod ask;
mod catalog;
mod credit;
mod exchange;
mod extension_rows;
mod large_objects;
mod marker;
mod note;
mod pipe;
mod relation;
mod roles;
mod structure;

pub use ask::{
    Answer, Ask, Change, ChangedTable, CopyFormat, CopyOf, Frame, Known, LastCommit, PageRange,
    Published, Quiet, SequenceValue, ShapeItem, SnapshotKind, SnapshotTaken, TableChecksum, Trait,
};
pub use catalog::{
    Catalog, Column, DatabaseProperties, KeyEquality, Public, Publish, Relation, TableIdentity,
};
#[cfg(test)]
pub(crate) use credit::channel;
pub use credit::{FrameReceiver, FrameSender};
pub use exchange::{Exchange, PipeKey};
pub use extension_rows::ExtensionTable;
pub use large_objects::{LargeObject, LargeObjectGrant};
pub use marker::{MARKER_PREFIX, Marker};
pub use note::{DDL_PREFIX, Dropped, Note, Touched};
pub use pipe::{Call, Caller, Listener, pipe};
pub(crate) use pipe::{unexpected, unexpected_answer};
pub use relation::{
    ColumnStructure, ConstraintStructure, IndexStructure, ParentName, RelationKind,
    RelationStructure,
};
pub use roles::{Membership, ParameterGrant, Role, Roles, Verifier};
pub use structure::{
    ExtensionStructure, FunctionStructure, SchemaStructure, SequenceStructure, Structure,
    TypeStructure,
};
