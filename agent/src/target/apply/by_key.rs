//! A change that tells the whole old row (REPLICA IDENTITY FULL), of a table that has a key besides: as if the key were its
//! identity.
//!
//! PURE. The key finds the row by an index, where all columns would be searched for.
use super::table::Table;
use crate::replication::pgoutput::{Message, OldTuple, Value};

/// The change, told by the key.
pub(super) fn by_key(table: &Table, message: Message) -> Message {
    match message {
        Message::Update { xid, relation, old: Some(OldTuple::Full(old)), mut new } => {
            fill_key(table, &old, &mut new);
            let pairs = table.columns.iter().zip(old.iter().zip(&new));
            if pairs.into_iter().all(|(column, (old, new))| !column.key || old == new) {
                return Message::Update { xid, relation, old: None, new };
            }
            Message::Update { xid, relation, old: Some(OldTuple::Key(old)), new }
        }
        Message::Delete { xid, relation, old: OldTuple::Full(old) } => {
            Message::Delete { xid, relation, old: OldTuple::Key(old) }
        }
        other => other,
    }
}

/// A key that was stored out of line and stays is not sent; the old row has it.
pub(super) fn with_key(table: &Table, mut message: Message) -> Message {
    if let Message::Update { old: Some(OldTuple::Full(old)), new, .. } = &mut message {
        fill_key(table, old, new);
    }
    message
}

fn fill_key(table: &Table, old: &[Value], new: &mut [Value]) {
    for ((column, old), new) in table.columns.iter().zip(old).zip(new) {
        if column.key && *new == Value::UnchangedToast {
            new.clone_from(old);
        }
    }
}
