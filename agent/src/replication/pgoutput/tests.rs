//! Any bytes give a message or an error; what is encoded comes back.
use bytes::Bytes;
use proptest::{collection::vec, option, prelude::*};
use whimbrel_proto::Lsn;

use super::{
    Column, DecodeError, Message, OldTuple, Prepared, Relation, Value, decode, encode::encode,
};

const TAGS: &[u8] = b"BCORYIUDTMSEcAbPKrp";

fn name() -> impl Strategy<Value = String> {
    "[a-zA-Z \"é]{1,12}"
}

fn bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..20).prop_map(Bytes::from)
}

fn lsn() -> impl Strategy<Value = Lsn> {
    any::<u64>().prop_map(Lsn)
}

fn values() -> impl Strategy<Value = Vec<Value>> {
    let value = prop_oneof![
        Just(Value::Null),
        Just(Value::UnchangedToast),
        bytes().prop_map(Value::Text),
        bytes().prop_map(Value::Binary),
    ];
    vec(value, 0..6)
}

fn old() -> impl Strategy<Value = OldTuple> {
    prop_oneof![values().prop_map(OldTuple::Key), values().prop_map(OldTuple::Full)]
}

fn column() -> impl Strategy<Value = Column> {
    (any::<bool>(), name(), any::<u32>(), any::<i32>())
        .prop_map(|(key, name, type_oid, typmod)| Column { key, name, type_oid, typmod })
}

fn prepared() -> impl Strategy<Value = Prepared> {
    (lsn(), lsn(), any::<i64>(), any::<u32>(), name())
        .prop_map(|(lsn, end_lsn, time, xid, gid)| Prepared { lsn, end_lsn, time, xid, gid })
}

/// Messages that carry a transaction's id inside a stream.
fn streamable(xid: Option<u32>) -> BoxedStrategy<Message> {
    let relation = (any::<u32>(), name(), name(), any::<u8>(), vec(column(), 0..5)).prop_map(
        move |(id, namespace, name, replica_identity, columns)| {
            Message::Relation(Relation { xid, id, namespace, name, replica_identity, columns })
        },
    );
    prop_oneof![
        relation,
        (any::<u32>(), name()).prop_map(move |(id, name)| {
            Message::Type { xid, id, namespace: "pg_catalog".into(), name }
        }),
        (any::<u32>(), values()).prop_map(move |(relation, new)| Message::Insert {
            xid,
            relation,
            new
        }),
        (any::<u32>(), option::of(old()), values())
            .prop_map(move |(relation, old, new)| Message::Update { xid, relation, old, new }),
        (any::<u32>(), old()).prop_map(move |(relation, old)| Message::Delete {
            xid,
            relation,
            old
        }),
        (vec(any::<u32>(), 0..5), any::<bool>(), any::<bool>()).prop_map(
            move |(relations, cascade, restart_identity)| Message::Truncate {
                xid,
                relations,
                cascade,
                restart_identity
            }
        ),
        (any::<bool>(), lsn(), name(), bytes()).prop_map(
            move |(transactional, lsn, prefix, content)| Message::Message {
                xid,
                transactional,
                lsn,
                prefix,
                content
            }
        ),
    ]
    .boxed()
}

fn other() -> BoxedStrategy<Message> {
    prop_oneof![
        (lsn(), any::<i64>(), any::<u32>()).prop_map(|(final_lsn, commit_time, xid)| {
            Message::Begin { final_lsn, commit_time, xid }
        }),
        (lsn(), lsn(), any::<i64>()).prop_map(|(commit_lsn, end_lsn, commit_time)| {
            Message::Commit { commit_lsn, end_lsn, commit_time }
        }),
        (lsn(), name()).prop_map(|(lsn, name)| Message::Origin { lsn, name }),
        (any::<u32>(), any::<bool>()).prop_map(|(xid, first)| Message::StreamStart { xid, first }),
        Just(Message::StreamStop),
        (any::<u32>(), lsn(), lsn(), any::<i64>()).prop_map(
            |(xid, commit_lsn, end_lsn, commit_time)| Message::StreamCommit {
                xid,
                commit_lsn,
                end_lsn,
                commit_time
            }
        ),
        (any::<u32>(), any::<u32>(), option::of((lsn(), any::<i64>())))
            .prop_map(|(xid, sub_xid, at)| Message::StreamAbort { xid, sub_xid, at }),
        prepared().prop_map(Message::BeginPrepare),
        prepared().prop_map(Message::Prepare),
        prepared().prop_map(Message::CommitPrepared),
        prepared().prop_map(Message::StreamPrepare),
        (prepared(), any::<i64>()).prop_map(|(told, rollback_time)| Message::RollbackPrepared {
            prepare_end_lsn: told.lsn,
            rollback_end_lsn: told.end_lsn,
            prepare_time: told.time,
            rollback_time,
            xid: told.xid,
            gid: told.gid,
        }),
    ]
    .boxed()
}

/// A message, and whether it is inside a stream.
fn message() -> impl Strategy<Value = (Message, bool)> {
    prop_oneof![
        streamable(None).prop_map(|message| (message, false)),
        any::<u32>().prop_flat_map(|xid| streamable(Some(xid))).prop_map(|m| (m, true)),
        (other(), any::<bool>()),
    ]
}

proptest! {
    #[test]
    fn what_is_encoded_comes_back((message, in_stream) in message()) {
        prop_assert_eq!(decode(encode(&message), in_stream), Ok(message));
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(
        tag in prop::sample::select(TAGS),
        body in vec(any::<u8>(), 0..200),
        in_stream in any::<bool>(),
    ) {
        let bytes: Vec<u8> = std::iter::once(tag).chain(body).collect();
        // A panic fails the test; whatever is decoded must be what was sent.
        if let Ok(message) = decode(Bytes::from(bytes.clone()), in_stream)
            && !matches!(message, Message::Relation(_) | Message::Type { .. })
        {
            prop_assert_eq!(encode(&message), Bytes::from(bytes));
        }
    }

    #[test]
    fn a_cut_or_changed_message_does_no_harm(
        (message, in_stream) in message(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let whole = encode(&message);
        let at = at.index(whole.len());
        // An abort without its position is a whole message of an older version.
        if at > 0 && !matches!(message, Message::StreamAbort { .. }) {
            prop_assert!(decode(whole.slice(..at), in_stream).is_err());
        }
        let mut changed = whole.to_vec();
        changed[at] = byte;
        drop(decode(Bytes::from(changed), in_stream));
    }
}

#[test]
fn a_count_is_not_taken_on_its_word() {
    // A truncation of 4 billion tables in 6 bytes.
    let error = decode(Bytes::from_static(b"T\xff\xff\xff\xff\0"), false).unwrap_err();
    assert!(matches!(error, DecodeError::Malformed { message: "Truncate", .. }), "{error}");
    assert_eq!(decode(Bytes::new(), false), Err(DecodeError::Empty));
    assert_eq!(decode(Bytes::from_static(b"?"), false), Err(DecodeError::UnknownMessage(b'?')));
}

#[test]
fn values_are_slices_of_the_message() {
    let text = Bytes::from(vec![b'x'; 64]);
    let new = vec![Value::Text(text)];
    let bytes = encode(&Message::Insert { xid: None, relation: 1, new });
    let Ok(Message::Insert { new, .. }) = decode(bytes.clone(), false) else {
        panic!("not an insert");
    };
    let Value::Text(text) = &new[0] else { panic!("not a text") };
    assert!(bytes.as_ptr_range().contains(&text.as_ptr()));
}
