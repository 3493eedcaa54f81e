//! What a message of the change stream can be.
use bytes::Bytes;
use whimbrel_proto::Lsn;

/// `pg_class.relreplident`: the primary key, if there is one.
pub const REPLICA_IDENTITY_DEFAULT: u8 = b'd';
/// `pg_class.relreplident`: nothing, so updates and deletes carry no old key.
pub const REPLICA_IDENTITY_NOTHING: u8 = b'n';
/// `pg_class.relreplident`: the whole old row.
pub const REPLICA_IDENTITY_FULL: u8 = b'f';
/// `pg_class.relreplident`: a named unique index.
pub const REPLICA_IDENTITY_INDEX: u8 = b'i';

/// One column's value in a row change.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// SQL null.
    Null,
    /// A TOASTed value that the update left as it was: not sent.
    UnchangedToast,
    /// The type's text form.
    Text(Bytes),
    /// The type's binary (send) form.
    Binary(Bytes),
}

/// A row's values must not reach a log: only their kind and length are told.
impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::UnchangedToast => f.write_str("UnchangedToast"),
            Self::Text(bytes) => write!(f, "Text({} bytes)", bytes.len()),
            Self::Binary(bytes) => write!(f, "Binary({} bytes)", bytes.len()),
        }
    }
}

/// What an update or a delete says of the row before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OldTuple {
    /// The replica identity's columns; the others are null.
    Key(Vec<Value>),
    /// The whole row (`REPLICA IDENTITY FULL`).
    Full(Vec<Value>),
}

/// A table as the following row changes see it. Comes before the first change of a table, and again when it changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// Only inside a streamed transaction.
    pub xid: Option<u32>,
    /// `pg_class.oid` on the publisher.
    pub id: u32,
    /// Schema; `pg_catalog` is sent as empty, and told here by its name.
    pub namespace: String,
    /// Table.
    pub name: String,
    /// `pg_class.relreplident`, see [`REPLICA_IDENTITY_DEFAULT`] and its neighbours.
    pub replica_identity: u8,
    /// The published columns, in the order of the values.
    pub columns: Vec<Column>,
}

/// A published column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Part of the replica identity.
    pub key: bool,
    /// Name.
    pub name: String,
    /// `pg_type.oid` on the publisher.
    pub type_oid: u32,
    /// `pg_attribute.atttypmod`.
    pub typmod: i32,
}

/// What the messages of a two-phase transaction have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// Where the record (prepare or commit prepared) starts.
    pub lsn: Lsn,
    /// Where it ends.
    pub end_lsn: Lsn,
    /// Microseconds since 2000-01-01 UTC.
    pub time: i64,
    /// The transaction.
    pub xid: u32,
    /// The name given to `PREPARE TRANSACTION`.
    pub gid: String,
}

/// One message. Times are microseconds since 2000-01-01 UTC; `xid` is set only inside a streamed transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A transaction begins; its changes follow.
    Begin {
        /// Where the transaction's commit record *starts*.
        final_lsn: Lsn,
        /// When it was committed.
        commit_time: i64,
        /// The transaction.
        xid: u32,
    },
    /// The transaction of the last [`Message::Begin`] ends.
    Commit {
        /// Where the commit record starts.
        commit_lsn: Lsn,
        /// Where the commit record ends: the position that a ledger keeps.
        end_lsn: Lsn,
        /// When it was committed.
        commit_time: i64,
    },
    /// The transaction came to the publisher by replication.
    Origin {
        /// The commit's position on the origin server.
        lsn: Lsn,
        /// The origin's name on the publisher.
        name: String,
    },
    /// A table's columns.
    Relation(Relation),
    /// A type that is not built in.
    Type {
        /// Only inside a streamed transaction.
        xid: Option<u32>,
        /// `pg_type.oid` on the publisher.
        id: u32,
        /// Schema; `pg_catalog` is told by its name.
        namespace: String,
        /// Type.
        name: String,
    },
    /// A row was inserted.
    Insert {
        /// Only inside a streamed transaction.
        xid: Option<u32>,
        /// [`Relation::id`].
        relation: u32,
        /// The row.
        new: Vec<Value>,
    },
    /// A row was updated.
    Update {
        /// Only inside a streamed transaction.
        xid: Option<u32>,
        /// [`Relation::id`].
        relation: u32,
        /// Only when the key changed, or the replica identity is FULL.
        old: Option<OldTuple>,
        /// The row after.
        new: Vec<Value>,
    },
    /// A row was deleted.
    Delete {
        /// Only inside a streamed transaction.
        xid: Option<u32>,
        /// [`Relation::id`].
        relation: u32,
        /// The row before.
        old: OldTuple,
    },
    /// Tables were truncated together.
    Truncate {
        /// Only inside a streamed transaction.
        xid: Option<u32>,
        /// [`Relation::id`] of each.
        relations: Vec<u32>,
        /// `CASCADE` was said.
        cascade: bool,
        /// `RESTART IDENTITY` was said.
        restart_identity: bool,
    },
    /// `pg_logical_emit_message`.
    Message {
        /// Only inside a streamed transaction.
        xid: Option<u32>,
        /// Belongs to the transaction around it.
        transactional: bool,
        /// Where the record is.
        lsn: Lsn,
        /// Whose it is.
        prefix: String,
        /// What it says.
        content: Bytes,
    },
    /// A block of a transaction that is still running.
    StreamStart {
        /// The transaction.
        xid: u32,
        /// The first block of it.
        first: bool,
    },
    /// The block ends.
    StreamStop,
    /// The streamed transaction was committed.
    StreamCommit {
        /// The transaction.
        xid: u32,
        /// Where the commit record starts.
        commit_lsn: Lsn,
        /// Where the commit record ends.
        end_lsn: Lsn,
        /// When it was committed.
        commit_time: i64,
    },
    /// The streamed transaction, or a subtransaction of it, was rolled back.
    StreamAbort {
        /// The transaction.
        xid: u32,
        /// The subtransaction; the transaction itself when it is all of it.
        sub_xid: u32,
        /// Where and when; only with `streaming 'parallel'`.
        at: Option<(Lsn, i64)>,
    },
    /// As [`Message::Begin`], of a transaction that will be prepared.
    BeginPrepare(Prepared),
    /// The transaction was prepared.
    Prepare(Prepared),
    /// The prepared transaction was committed.
    CommitPrepared(Prepared),
    /// The prepared transaction was rolled back.
    RollbackPrepared {
        /// Where the prepare record ends.
        prepare_end_lsn: Lsn,
        /// Where the rollback record ends.
        rollback_end_lsn: Lsn,
        /// When it was prepared.
        prepare_time: i64,
        /// When it was rolled back.
        rollback_time: i64,
        /// The transaction.
        xid: u32,
        /// The name given to `PREPARE TRANSACTION`.
        gid: String,
    },
    /// The streamed transaction was prepared.
    StreamPrepare(Prepared),
}
