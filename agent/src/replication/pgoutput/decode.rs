//! Bytes to [`Message`].
use bytes::Bytes;

use super::message::{Column, Message, OldTuple, Prepared, Relation, Value};
use crate::replication::reader::{ReadError, Reader};

/// A message that is not pgoutput's, or one of a version that is not known here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No byte at all.
    #[error("decoding a change: the message is empty")]
    Empty,
    /// The first byte names no message of versions 1 to 4.
    #[error("decoding a change: message type {0:#04x} is not known (protocol versions 1 to 4 are)")]
    UnknownMessage(u8),
    /// A byte that must be one of a few is not.
    #[error("decoding a change ({message}): {field} is {value:#04x}, which is not known")]
    UnknownByte {
        /// The message.
        message: &'static str,
        /// The field.
        field: &'static str,
        /// What it is.
        value: u8,
    },
    /// The bytes don't make up the message.
    #[error("decoding a change ({message}): {cause}")]
    Malformed {
        /// The message.
        message: &'static str,
        /// What is wrong.
        cause: ReadError,
    },
    /// Bytes are left after the message.
    #[error("decoding a change ({message}): {count} bytes are left over")]
    Trailing {
        /// The message.
        message: &'static str,
        /// How many.
        count: usize,
    },
}

/// Decodes one message. `in_stream` is true between [`Message::StreamStart`] and [`Message::StreamStop`]: messages
/// carry their transaction's id there.
///
/// # Errors
/// [`DecodeError`]; never a panic.
pub fn decode(bytes: Bytes, in_stream: bool) -> Result<Message, DecodeError> {
    let mut reader = Reader::new(bytes);
    let tag = reader.u8("type").map_err(|_| DecodeError::Empty)?;
    let message = name_of(tag).ok_or(DecodeError::UnknownMessage(tag))?;
    let mut body = Body { reader, message, in_stream };
    let decoded = body.decode(tag)?;
    match body.reader.left() {
        0 => Ok(decoded),
        count => Err(DecodeError::Trailing { message, count }),
    }
}

const fn name_of(tag: u8) -> Option<&'static str> {
    Some(match tag {
        b'B' => "Begin",
        b'C' => "Commit",
        b'O' => "Origin",
        b'R' => "Relation",
        b'Y' => "Type",
        b'I' => "Insert",
        b'U' => "Update",
        b'D' => "Delete",
        b'T' => "Truncate",
        b'M' => "Message",
        b'S' => "StreamStart",
        b'E' => "StreamStop",
        b'c' => "StreamCommit",
        b'A' => "StreamAbort",
        b'b' => "BeginPrepare",
        b'P' => "Prepare",
        b'K' => "CommitPrepared",
        b'r' => "RollbackPrepared",
        b'p' => "StreamPrepare",
        _ => return None,
    })
}

struct Body {
    reader: Reader,
    message: &'static str,
    in_stream: bool,
}

type Decoded<T> = Result<T, DecodeError>;

impl Body {
    fn read<T>(
        &mut self,
        field: &'static str,
        take: impl FnOnce(&mut Reader, &'static str) -> Result<T, ReadError>,
    ) -> Decoded<T> {
        take(&mut self.reader, field)
            .map_err(|cause| DecodeError::Malformed { message: self.message, cause })
    }

    const fn unknown(&self, field: &'static str, value: u8) -> DecodeError {
        DecodeError::UnknownByte { message: self.message, field, value }
    }

    fn decode(&mut self, tag: u8) -> Decoded<Message> {
        match tag {
            b'B' => self.begin(),
            b'C' => self.commit(),
            b'O' => self.origin(),
            b'R' => self.relation(),
            b'Y' => self.type_(),
            b'I' => self.insert(),
            b'U' => self.update(),
            b'D' => self.delete(),
            b'T' => self.truncate(),
            b'M' => self.logical_message(),
            b'S' => self.stream_start(),
            b'E' => Ok(Message::StreamStop),
            b'c' => self.stream_commit(),
            b'A' => self.stream_abort(),
            b'b' => Ok(Message::BeginPrepare(self.prepared()?)),
            b'P' => Ok(Message::Prepare(self.flagged_prepared()?)),
            b'K' => Ok(Message::CommitPrepared(self.flagged_prepared()?)),
            b'r' => self.rollback_prepared(),
            b'p' => Ok(Message::StreamPrepare(self.flagged_prepared()?)),
            other => Err(DecodeError::UnknownMessage(other)),
        }
    }

    fn xid(&mut self) -> Decoded<Option<u32>> {
        if self.in_stream { self.read("xid", Reader::u32).map(Some) } else { Ok(None) }
    }

    /// PostgreSQL leaves `pg_catalog` out to save bytes.
    fn namespace(&mut self) -> Decoded<String> {
        let name = self.read("namespace", Reader::name)?;
        Ok(if name.is_empty() { "pg_catalog".to_owned() } else { name })
    }

    /// The flags byte of commit-like messages: "currently unused", so anything but 0 is something we don't know.
    fn no_flags(&mut self) -> Decoded<()> {
        match self.read("flags", Reader::u8)? {
            0 => Ok(()),
            other => Err(self.unknown("flags", other)),
        }
    }

    fn begin(&mut self) -> Decoded<Message> {
        Ok(Message::Begin {
            final_lsn: self.read("final_lsn", Reader::lsn)?,
            commit_time: self.read("commit_time", Reader::i64)?,
            xid: self.read("xid", Reader::u32)?,
        })
    }

    fn commit(&mut self) -> Decoded<Message> {
        self.no_flags()?;
        Ok(Message::Commit {
            commit_lsn: self.read("commit_lsn", Reader::lsn)?,
            end_lsn: self.read("end_lsn", Reader::lsn)?,
            commit_time: self.read("commit_time", Reader::i64)?,
        })
    }

    fn origin(&mut self) -> Decoded<Message> {
        Ok(Message::Origin {
            lsn: self.read("lsn", Reader::lsn)?,
            name: self.read("name", Reader::name)?,
        })
    }

    fn relation(&mut self) -> Decoded<Message> {
        let xid = self.xid()?;
        let id = self.read("id", Reader::u32)?;
        let namespace = self.namespace()?;
        let name = self.read("name", Reader::name)?;
        let replica_identity = self.read("replica_identity", Reader::u8)?;
        let count = usize::from(self.read("columns", Reader::u16)?);
        // Flags, an empty name's zero byte, type, modifier.
        const COLUMN_BYTES_MIN: usize = 10;
        self.read("columns", |reader, field| reader.check_count(field, count, COLUMN_BYTES_MIN))?;
        let mut columns = Vec::with_capacity(count);
        for _ in 0..count {
            columns.push(self.column()?);
        }
        Ok(Message::Relation(Relation { xid, id, namespace, name, replica_identity, columns }))
    }

    fn column(&mut self) -> Decoded<Column> {
        let flags = self.read("column flags", Reader::u8)?;
        if flags & !1 != 0 {
            return Err(self.unknown("column flags", flags));
        }
        Ok(Column {
            key: flags == 1,
            name: self.read("column name", Reader::name)?,
            type_oid: self.read("column type", Reader::u32)?,
            typmod: self.read("column modifier", Reader::i32)?,
        })
    }

    fn type_(&mut self) -> Decoded<Message> {
        Ok(Message::Type {
            xid: self.xid()?,
            id: self.read("id", Reader::u32)?,
            namespace: self.namespace()?,
            name: self.read("name", Reader::name)?,
        })
    }

    fn insert(&mut self) -> Decoded<Message> {
        let xid = self.xid()?;
        let relation = self.read("relation", Reader::u32)?;
        match self.read("tuple kind", Reader::u8)? {
            b'N' => Ok(Message::Insert { xid, relation, new: self.tuple()? }),
            other => Err(self.unknown("tuple kind", other)),
        }
    }

    fn update(&mut self) -> Decoded<Message> {
        let xid = self.xid()?;
        let relation = self.read("relation", Reader::u32)?;
        let mut kind = self.read("tuple kind", Reader::u8)?;
        let old = self.old_tuple(kind)?;
        if old.is_some() {
            kind = self.read("tuple kind", Reader::u8)?;
        }
        match kind {
            b'N' => Ok(Message::Update { xid, relation, old, new: self.tuple()? }),
            other => Err(self.unknown("tuple kind", other)),
        }
    }

    fn delete(&mut self) -> Decoded<Message> {
        let xid = self.xid()?;
        let relation = self.read("relation", Reader::u32)?;
        let kind = self.read("tuple kind", Reader::u8)?;
        let old = self.old_tuple(kind)?.ok_or(self.unknown("tuple kind", kind))?;
        Ok(Message::Delete { xid, relation, old })
    }

    fn old_tuple(&mut self, kind: u8) -> Decoded<Option<OldTuple>> {
        match kind {
            b'K' => Ok(Some(OldTuple::Key(self.tuple()?))),
            b'O' => Ok(Some(OldTuple::Full(self.tuple()?))),
            _ => Ok(None),
        }
    }

    fn tuple(&mut self) -> Decoded<Vec<Value>> {
        let count = usize::from(self.read("values", Reader::u16)?);
        // A null is one byte.
        self.read("values", |reader, field| reader.check_count(field, count, 1))?;
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            values.push(self.value()?);
        }
        Ok(values)
    }

    fn value(&mut self) -> Decoded<Value> {
        match self.read("value kind", Reader::u8)? {
            b'n' => Ok(Value::Null),
            b'u' => Ok(Value::UnchangedToast),
            b't' => Ok(Value::Text(self.read("value", Reader::sized)?)),
            b'b' => Ok(Value::Binary(self.read("value", Reader::sized)?)),
            other => Err(self.unknown("value kind", other)),
        }
    }

    fn truncate(&mut self) -> Decoded<Message> {
        let xid = self.xid()?;
        let count = self.read("relations", Reader::u32)? as usize;
        let options = self.read("options", Reader::u8)?;
        if options & !3 != 0 {
            return Err(self.unknown("options", options));
        }
        self.read("relations", |reader, field| reader.check_count(field, count, 4))?;
        let mut relations = Vec::with_capacity(count);
        for _ in 0..count {
            relations.push(self.read("relation", Reader::u32)?);
        }
        let (cascade, restart_identity) = (options & 1 != 0, options & 2 != 0);
        Ok(Message::Truncate { xid, relations, cascade, restart_identity })
    }

    fn logical_message(&mut self) -> Decoded<Message> {
        let xid = self.xid()?;
        let flags = self.read("flags", Reader::u8)?;
        if flags & !1 != 0 {
            return Err(self.unknown("flags", flags));
        }
        Ok(Message::Message {
            xid,
            transactional: flags == 1,
            lsn: self.read("lsn", Reader::lsn)?,
            prefix: self.read("prefix", Reader::name)?,
            content: self.read("content", Reader::sized)?,
        })
    }

    fn stream_start(&mut self) -> Decoded<Message> {
        let xid = self.read("xid", Reader::u32)?;
        match self.read("first segment", Reader::u8)? {
            first @ (0 | 1) => Ok(Message::StreamStart { xid, first: first == 1 }),
            other => Err(self.unknown("first segment", other)),
        }
    }

    fn stream_commit(&mut self) -> Decoded<Message> {
        let xid = self.read("xid", Reader::u32)?;
        self.no_flags()?;
        Ok(Message::StreamCommit {
            xid,
            commit_lsn: self.read("commit_lsn", Reader::lsn)?,
            end_lsn: self.read("end_lsn", Reader::lsn)?,
            commit_time: self.read("commit_time", Reader::i64)?,
        })
    }

    fn stream_abort(&mut self) -> Decoded<Message> {
        let xid = self.read("xid", Reader::u32)?;
        let sub_xid = self.read("sub_xid", Reader::u32)?;
        let at = if self.reader.left() == 0 {
            None
        } else {
            Some((self.read("abort_lsn", Reader::lsn)?, self.read("abort_time", Reader::i64)?))
        };
        Ok(Message::StreamAbort { xid, sub_xid, at })
    }

    fn flagged_prepared(&mut self) -> Decoded<Prepared> {
        self.no_flags()?;
        self.prepared()
    }

    fn prepared(&mut self) -> Decoded<Prepared> {
        Ok(Prepared {
            lsn: self.read("lsn", Reader::lsn)?,
            end_lsn: self.read("end_lsn", Reader::lsn)?,
            time: self.read("time", Reader::i64)?,
            xid: self.read("xid", Reader::u32)?,
            gid: self.read("gid", Reader::name)?,
        })
    }

    fn rollback_prepared(&mut self) -> Decoded<Message> {
        self.no_flags()?;
        Ok(Message::RollbackPrepared {
            prepare_end_lsn: self.read("prepare_end_lsn", Reader::lsn)?,
            rollback_end_lsn: self.read("rollback_end_lsn", Reader::lsn)?,
            prepare_time: self.read("prepare_time", Reader::i64)?,
            rollback_time: self.read("rollback_time", Reader::i64)?,
            xid: self.read("xid", Reader::u32)?,
            gid: self.read("gid", Reader::name)?,
        })
    }
}
