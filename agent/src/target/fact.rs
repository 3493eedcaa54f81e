//! What a receiver tells while it works.
use whimbrel_proto::Lsn;

use crate::fault::Fault;

/// What the controller must know.
#[derive(Debug)]
pub enum Fact {
    /// The target database is there, under its name, with a ledger.
    Prepared {
        /// Its OID.
        oid: u32,
    },
    /// Worth an event.
    Milestone(&'static str, String),
    /// Base copy, keys, indexes and statistics are there.
    CopyFinished {
        /// Tables.
        tables: u32,
        /// Rows.
        rows: u64,
        /// Bytes, as COPY counts.
        bytes: u64,
    },
    /// The change stream flows.
    StreamStarted(Lsn),
    /// A table is left out from here on.
    TableHeld {
        /// "public.orders".
        table: String,
        /// Why.
        fault: Fault,
    },
}
