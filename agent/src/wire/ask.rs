//! The asks, and the frames that answer them.
use std::collections::HashMap;

use bytes::Bytes;
use whimbrel_proto::Lsn;

use super::{Catalog, Column, DatabaseProperties, ExtensionTable, LargeObject, Roles};
use crate::fault::Fault;

/// What a target has of its source, at the latest: a table's copy can be of a later moment than the change stream.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// The largest of the ledger's position and the tables' points.
    pub seen: Lsn,
    /// The server that they are of: another one's WAL has other positions.
    pub system: u64,
    /// Its timeline then; none is known of a ledger whose snapshot needed no slot.
    pub timeline: Option<u32>,
}

/// A commit of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastCommit {
    /// Behind its record; 0 when there was none since the stream began.
    pub end: Lsn,
    /// When: microseconds since 2000-01-01 UTC.
    pub time: i64,
}

/// What the receiver wants of the sender.
#[derive(Debug, Clone)]
pub enum Ask {
    /// A consistent point and a snapshot of it, held until the next `Snapshot` or `Release`. One [`Answer::Snapshot`].
    Snapshot {
        /// What it is for.
        kind: SnapshotKind,
        /// What is here of earlier ones: the source must have been there.
        known: Option<Known>,
    },
    /// Let go of the snapshot: the source's vacuum horizon moves on. One [`Answer::Done`].
    Release,
    /// How the database itself is made. One [`Answer::Database`].
    Database,
    /// What is set on the database itself. One [`Answer::Statements`].
    DatabaseSettings,
    /// The server's roles. One [`Answer::Roles`].
    Roles,
    /// What is in the database, as the snapshot sees it. One [`Answer::Catalog`].
    Catalog,
    /// What the shape of the database's objects is now, or as the snapshot sees it. One [`Answer::Shape`].
    Shape {
        /// Under the held snapshot, not now.
        under_snapshot: bool,
    },
    /// pg_dump's archive without data. Many [`Frame::Bytes`].
    Dump {
        /// Major version of the server that will receive it: pg_dump's own version is chosen by it.
        target_major: u32,
        /// Under the held snapshot, not now.
        under_snapshot: bool,
    },
    /// Rows of a table, as COPY gives them, under the snapshot. Many [`Frame::Bytes`].
    Copy(CopyOf),
    /// As [`Ask::Copy`], of the rows that have one of some keys and lie in some ranges of pages.
    CopyKeys {
        /// Where they are, and how they are sent; its own range is not looked at.
        copy: CopyOf,
        /// The columns of the key.
        key: Vec<Column>,
        /// Their values as texts, in the order of `key`, each key once.
        keys: Vec<Vec<String>>,
        /// Where the rows lie; none: anywhere.
        pages: Vec<PageRange>,
    },
    /// Keys of the rows that changed from one point to another, by the migration's slot, which stays where it is. Many
    /// [`Frame::Bytes`]: COPY's text of (OID of the table, its key as an array of texts). A null key: which rows of that
    /// table changed can't be told, or are too many.
    ChangedKeys {
        /// Which tables.
        tables: Vec<ChangedTable>,
        /// The end of the window.
        to: Lsn,
        /// The newest that is here, but for that.
        known: Known,
    },
    /// Tables of extensions with rows of the user's, parents before what refers to them. One [`Answer::ExtensionTables`].
    ExtensionTables {
        /// Under the held snapshot, not now.
        under_snapshot: bool,
    },
    /// Those rows of one, as COPY gives them as text, under the snapshot. Many [`Frame::Bytes`].
    ExtensionRows(ExtensionTable),
    /// Number of those rows now and their checksum, or as the snapshot sees it. One [`Answer::Checksum`].
    ExtensionChecksum {
        /// Which.
        table: ExtensionTable,
        /// Under the held snapshot, not now.
        under_snapshot: bool,
    },
    /// The next large objects. One [`Answer::LargeObjects`], shorter than a page at the end.
    LargeObjects {
        /// Those with larger OIDs.
        after: u32,
        /// With digests of their contents.
        digests: bool,
        /// Under the held snapshot, not now.
        under_snapshot: bool,
    },
    /// Contents of large objects, under the snapshot. Many [`Frame::LargeObject`], each object's in order.
    LargeObjectContents {
        /// Which.
        oids: Vec<u32>,
    },
    /// The change stream from a position, for ever. A [`Frame::Timeline`], then many [`Frame::Changes`], [`Frame::Position`], [`Frame::SourceAt`].
    Follow {
        /// Where the ledger stands.
        from: Lsn,
        /// The newest that is here.
        known: Known,
        /// What the ledger ends with; none in one that an older agent wrote.
        last: Option<LastCommit>,
    },
    /// What objects are made of, as [`super::Structure`]s in JSON. One [`Frame::Bytes`] each.
    Structures {
        /// OIDs of relations; none: every object of the database.
        relations: Vec<u32>,
        /// Under the held snapshot, not now.
        under_snapshot: bool,
    },
    /// The rights on the database's objects, now or as the snapshot sees them, as statements that grant them. One
    /// [`Answer::Statements`].
    Rights {
        /// Under the held snapshot, not now.
        under_snapshot: bool,
    },
    /// What is set on objects and comes neither with the stream nor as an entry of a dump. One [`Answer::Traits`].
    Traits,
    /// Whether event triggers tell changes of the schema. One [`Answer::Followed`].
    Followed,
    /// Our publications, and what is in them. One [`Answer::Published`].
    Published,
    /// Which tables are in none of our publications, and belong in one. One [`Answer::Tables`].
    Unpublished,
    /// Put every table into the publication that it belongs in; of those that are in none these alone (OIDs), whose gap is on record. One
    /// [`Answer::Tables`], of those that were put.
    Publish(Vec<u32>),
    /// Transactions that a slot which is being made waits for. One [`Answer::Blockers`].
    Blockers,
    /// How many sessions of others the source's server works for at this moment. One [`Answer::Load`].
    Load,
    /// Every sequence's value now. One [`Answer::Sequences`].
    Sequences,
    /// The file of every table. One [`Answer::Files`].
    Files {
        /// Under the held snapshot, not now.
        under_snapshot: bool,
    },
    /// Number of rows and a checksum of a table as it is now, or as the snapshot sees it. One [`Answer::Checksum`].
    Checksum {
        /// Schema and name, not quoted.
        name: (String, String),
        /// The columns that are compared, in this order: an inheriting table can have them in another order on the target.
        columns: Vec<String>,
        /// Under the held snapshot, not now.
        under_snapshot: bool,
    },
    /// Put a probe into the change stream behind everything committed. One [`Answer::Done`].
    Probe {
        /// Its content: comes back in the stream.
        probe: String,
    },
    /// Is anybody writing? Puts a probe into the change stream behind everything committed. One [`Answer::Quiet`].
    Quiet {
        /// The probe's content: comes back in the stream.
        probe: String,
    },
}

/// Rows of a table, and how they are sent.
#[derive(Debug, Clone)]
pub struct CopyOf {
    /// The table's OID on the source.
    pub table: u32,
    /// Schema and name, not quoted.
    pub name: (String, String),
    /// Names of the columns, not quoted.
    pub columns: Vec<String>,
    /// All of it, or a range of pages.
    pub pages: Option<PageRange>,
    /// What both sides can read.
    pub format: CopyFormat,
}

/// A table whose changed rows are asked for.
#[derive(Debug, Clone)]
pub struct ChangedTable {
    /// Its OID on the source.
    pub oid: u32,
    /// Names of the columns of its key, in the order of the answer's arrays.
    pub key: Vec<String>,
    /// The window's begin: commits that begin here or later.
    pub from: Lsn,
    /// More keys than this are not worth telling.
    pub limit: u64,
}

/// Where the consistent point comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotKind {
    /// Make the migration's slot (dropping one that never served) and use its snapshot.
    NewSlot,
    /// The slot is there and has served: a temporary slot's snapshot.
    Renewed,
    /// No slot: an offline migration's plain exported snapshot.
    Offline,
}

/// Pages `from..to` of a table's heap, 8 kB each; the last range is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PageRange {
    /// First page.
    pub from: u32,
    /// The page after the last one; `None`: to the end, wherever that is.
    pub to: Option<u32>,
}

/// COPY's format (PostgreSQL manual, COPY, "File Formats").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyFormat {
    /// All columns have binary forms that mean the same on both servers.
    Binary,
    /// Always possible.
    Text,
}

/// One element of an answer.
#[derive(Debug)]
pub enum Frame {
    /// The whole answer of an ask that has one.
    Answer(Box<Answer>),
    /// A piece of a byte stream.
    Bytes(Bytes),
    /// A piece of a large object's content.
    LargeObject {
        /// Which.
        oid: u32,
        /// Where in it.
        offset: i64,
        /// What is there.
        data: Bytes,
    },
    /// The timeline of the source that the change stream is of.
    Timeline(u32),
    /// Messages of the change stream, in order.
    Changes(Vec<Change>),
    /// Everything before this position was sent; nothing is pending at the sender.
    Position(Lsn),
    /// The source's WAL has come to here: for the lag in bytes only, it says nothing about what was sent.
    SourceAt(Lsn),
    /// The stream is complete. A stream that ends without it was cut.
    End,
    /// It can't be answered.
    Failed(Fault),
}

impl Frame {
    /// What the frame weighs against the credit, in bytes.
    pub fn weight(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::LargeObject { data, .. } => data.len() + 32,
            Self::Changes(changes) => changes.iter().map(|change| change.data.len() + 32).sum(),
            Self::Answer(_)
            | Self::Timeline(_)
            | Self::Position(_)
            | Self::SourceAt(_)
            | Self::End
            | Self::Failed(_) => 32,
        }
    }
}

/// One message of the change stream: pgoutput's bytes, undecoded.
#[derive(Debug, Clone)]
pub struct Change {
    /// When the source sent it, by the source's clock, in microseconds since 2000-01-01: less a commit's own time, the
    /// age it had then, whatever our clocks say.
    pub sent_us: i64,
    /// Of which place in the WAL it tells: a BEGIN's is the first of what its transaction has written, or has told here.
    pub at: Lsn,
    /// A pgoutput message.
    pub data: Bytes,
}

/// Our publications by what nobody can alter without leaving a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Each one's name, OID and the transaction that wrote its row of the catalog (`xmin`); empty where there is none.
    pub publications: String,
    /// By OID, the tables: each one's membership, by the OIDs that it has in `pg_publication_rel`.
    pub tables: HashMap<u32, String>,
}

/// The answers that fit in one frame.
#[derive(Debug)]
pub enum Answer {
    /// Nothing more to say.
    Done,
    /// To [`Ask::Snapshot`].
    Snapshot(SnapshotTaken),
    /// To [`Ask::Database`].
    Database(DatabaseProperties),
    /// To [`Ask::DatabaseSettings`], for a database of the same name; to [`Ask::Rights`].
    Statements(Vec<String>),
    /// To [`Ask::Roles`].
    Roles(Roles),
    /// To [`Ask::Catalog`].
    Catalog(Catalog),
    /// To [`Ask::Shape`], ordered by object.
    Shape(Vec<ShapeItem>),
    /// To [`Ask::Traits`].
    Traits(Vec<Trait>),
    /// To [`Ask::Followed`].
    Followed(bool),
    /// To [`Ask::ExtensionTables`].
    ExtensionTables(Vec<ExtensionTable>),
    /// To [`Ask::LargeObjects`].
    LargeObjects(Vec<LargeObject>),
    /// To [`Ask::Published`].
    Published(Published),
    /// To [`Ask::Unpublished`] (they are new, or somebody took them out) and [`Ask::Publish`]: OIDs.
    Tables(Vec<u32>),
    /// To [`Ask::Blockers`], the oldest first, not all of many: "pid 4711 (app, user alice, database shop)".
    Blockers(Vec<String>),
    /// To [`Ask::Load`].
    Load(u32),
    /// To [`Ask::Sequences`].
    Sequences(Vec<SequenceValue>),
    /// To [`Ask::Files`]: `pg_class.relfilenode` by OID.
    Files(Vec<(u32, u32)>),
    /// To [`Ask::Checksum`].
    Checksum(TableChecksum),
    /// To [`Ask::Quiet`].
    Quiet(Quiet),
}

/// A snapshot that the sender holds.
#[derive(Debug, Clone, Copy)]
pub struct SnapshotTaken {
    /// Its consistent point; for an offline one the WAL position when it was taken.
    pub point: Lsn,
    /// `IDENTIFY_SYSTEM`'s system identifier: which server this is.
    pub system: u64,
    /// Its timeline.
    pub timeline: u32,
}

/// An object, and a digest of everything about it that the target must have too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct ShapeItem {
    /// "table public.orders".
    pub object: String,
    /// Changes when its definition does.
    pub digest: String,
}

/// Something that is set on an object, and is not as the server gives it by itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Trait {
    /// The item of the shape that is another one when it has changed.
    pub item: String,
    /// The statement that takes it away, if it can be.
    pub off: Option<String>,
    /// The statement that gives it.
    pub given: String,
}

/// A sequence's state.
#[derive(Debug, Clone)]
pub struct SequenceValue {
    /// Schema and name, not quoted.
    pub name: (String, String),
    /// As the sequence's own column.
    pub last_value: i64,
    /// As the sequence's own column.
    pub is_called: bool,
    /// As the sequence's own column: 0 as long as nobody has drawn from it since a crash.
    pub log_cnt: i64,
    /// What a draw adds; 0 when it is not known (a source before 10).
    pub increment: i64,
}

/// What a table holds: equal when the rows are, whatever their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableChecksum {
    /// Number of rows.
    pub rows: i64,
    /// Sum of the rows' 64-bit hashes, as a decimal number.
    pub sum: String,
}

/// Who can still write.
#[derive(Debug, Clone)]
pub struct Quiet {
    /// Transactions of this database that have written and are open: "pid 4711 (app, user alice)".
    pub writers: Vec<String>,
    /// Behind everything that was committed when it was asked.
    pub probe: Lsn,
}
