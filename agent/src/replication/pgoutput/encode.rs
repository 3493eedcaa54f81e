//! The other direction, for tests only: written from the manual's tables, not from the decoder.
use bytes::{BufMut as _, Bytes, BytesMut};

use super::{Message, OldTuple, Prepared, Relation, Value};

pub(super) fn encode(message: &Message) -> Bytes {
    let mut out = BytesMut::new();
    write(message, &mut out);
    out.freeze()
}

fn text(out: &mut BytesMut, text: &str) {
    out.put_slice(text.as_bytes());
    out.put_u8(0);
}

fn xid(out: &mut BytesMut, xid: Option<u32>) {
    if let Some(xid) = xid {
        out.put_u32(xid);
    }
}

fn sized(out: &mut BytesMut, bytes: &[u8]) {
    out.put_u32(bytes.len() as u32);
    out.put_slice(bytes);
}

fn tuple(out: &mut BytesMut, kind: u8, values: &[Value]) {
    out.put_u8(kind);
    out.put_u16(values.len() as u16);
    for value in values {
        match value {
            Value::Null => out.put_u8(b'n'),
            Value::UnchangedToast => out.put_u8(b'u'),
            Value::Text(bytes) => {
                out.put_u8(b't');
                sized(out, bytes);
            }
            Value::Binary(bytes) => {
                out.put_u8(b'b');
                sized(out, bytes);
            }
        }
    }
}

fn old(out: &mut BytesMut, old: &OldTuple) {
    match old {
        OldTuple::Key(values) => tuple(out, b'K', values),
        OldTuple::Full(values) => tuple(out, b'O', values),
    }
}

fn prepared(out: &mut BytesMut, tag: u8, flags: bool, prepared: &Prepared) {
    out.put_u8(tag);
    if flags {
        out.put_u8(0);
    }
    out.put_u64(prepared.lsn.0);
    out.put_u64(prepared.end_lsn.0);
    out.put_i64(prepared.time);
    out.put_u32(prepared.xid);
    text(out, &prepared.gid);
}

fn namespace(out: &mut BytesMut, name: &str) {
    text(out, if name == "pg_catalog" { "" } else { name });
}

fn relation(out: &mut BytesMut, relation: &Relation) {
    out.put_u8(b'R');
    xid(out, relation.xid);
    out.put_u32(relation.id);
    namespace(out, &relation.namespace);
    text(out, &relation.name);
    out.put_u8(relation.replica_identity);
    out.put_u16(relation.columns.len() as u16);
    for column in &relation.columns {
        out.put_u8(u8::from(column.key));
        text(out, &column.name);
        out.put_u32(column.type_oid);
        out.put_i32(column.typmod);
    }
}

fn write(message: &Message, out: &mut BytesMut) {
    match message {
        Message::Begin { final_lsn, commit_time, xid } => {
            out.put_u8(b'B');
            out.put_u64(final_lsn.0);
            out.put_i64(*commit_time);
            out.put_u32(*xid);
        }
        Message::Commit { commit_lsn, end_lsn, commit_time } => {
            out.put_slice(b"C\0");
            out.put_u64(commit_lsn.0);
            out.put_u64(end_lsn.0);
            out.put_i64(*commit_time);
        }
        Message::Origin { lsn, name } => {
            out.put_u8(b'O');
            out.put_u64(lsn.0);
            text(out, name);
        }
        Message::Relation(told) => relation(out, told),
        Message::Type { xid: of, id, namespace: schema, name } => {
            out.put_u8(b'Y');
            xid(out, *of);
            out.put_u32(*id);
            namespace(out, schema);
            text(out, name);
        }
        Message::Insert { .. }
        | Message::Update { .. }
        | Message::Delete { .. }
        | Message::Truncate { .. } => write_change(message, out),
        Message::Message { xid: of, transactional, lsn, prefix, content } => {
            out.put_u8(b'M');
            xid(out, *of);
            out.put_u8(u8::from(*transactional));
            out.put_u64(lsn.0);
            text(out, prefix);
            sized(out, content);
        }
        Message::BeginPrepare(told) => prepared(out, b'b', false, told),
        Message::Prepare(told) => prepared(out, b'P', true, told),
        Message::CommitPrepared(told) => prepared(out, b'K', true, told),
        Message::StreamPrepare(told) => prepared(out, b'p', true, told),
        _ => write_stream(message, out),
    }
}

fn write_change(message: &Message, out: &mut BytesMut) {
    match message {
        Message::Insert { xid: of, relation, new } => {
            out.put_u8(b'I');
            xid(out, *of);
            out.put_u32(*relation);
            tuple(out, b'N', new);
        }
        Message::Update { xid: of, relation, old: before, new } => {
            out.put_u8(b'U');
            xid(out, *of);
            out.put_u32(*relation);
            if let Some(before) = before {
                old(out, before);
            }
            tuple(out, b'N', new);
        }
        Message::Delete { xid: of, relation, old: before } => {
            out.put_u8(b'D');
            xid(out, *of);
            out.put_u32(*relation);
            old(out, before);
        }
        Message::Truncate { xid: of, relations, cascade, restart_identity } => {
            out.put_u8(b'T');
            xid(out, *of);
            out.put_u32(relations.len() as u32);
            out.put_u8(u8::from(*cascade) | u8::from(*restart_identity) << 1);
            relations.iter().for_each(|relation| out.put_u32(*relation));
        }
        other => panic!("not a change: {other:?}"),
    }
}

fn write_stream(message: &Message, out: &mut BytesMut) {
    match message {
        Message::StreamStart { xid, first } => {
            out.put_u8(b'S');
            out.put_u32(*xid);
            out.put_u8(u8::from(*first));
        }
        Message::StreamStop => out.put_u8(b'E'),
        Message::StreamCommit { xid, commit_lsn, end_lsn, commit_time } => {
            out.put_u8(b'c');
            out.put_u32(*xid);
            out.put_u8(0);
            out.put_u64(commit_lsn.0);
            out.put_u64(end_lsn.0);
            out.put_i64(*commit_time);
        }
        Message::StreamAbort { xid, sub_xid, at } => {
            out.put_u8(b'A');
            out.put_u32(*xid);
            out.put_u32(*sub_xid);
            if let Some((lsn, time)) = at {
                out.put_u64(lsn.0);
                out.put_i64(*time);
            }
        }
        Message::RollbackPrepared {
            prepare_end_lsn,
            rollback_end_lsn,
            prepare_time,
            rollback_time,
            xid,
            gid,
        } => {
            out.put_slice(b"r\0");
            out.put_u64(prepare_end_lsn.0);
            out.put_u64(rollback_end_lsn.0);
            out.put_i64(*prepare_time);
            out.put_i64(*rollback_time);
            out.put_u32(*xid);
            text(out, gid);
        }
        other => panic!("not of a stream: {other:?}"),
    }
}
