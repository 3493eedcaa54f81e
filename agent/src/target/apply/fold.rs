//! What a run of changes of one table comes to, row by row: an insert, an update or a delete for each key, at most.
//!
//! PURE. A key is known by the very text of its columns: PostgreSQL sends the old key whenever a stored key changed at
//! all, so that two texts are two rows here. What can't be folded is handed back, and goes alone, in its place.
use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;

use super::{table::Table, whole::Whole};
use crate::replication::pgoutput::{Message, OldTuple, Value};

/// A row's values, in the order of the table's columns.
pub(super) type Row = Vec<Value>;

/// The net changes of one table.
#[derive(Debug)]
pub(super) enum Fold {
    /// Row by row, by its key.
    Keyed(Keyed),
    /// Rows that have none.
    Whole(Whole),
}

impl Fold {
    pub(super) fn new(table: Arc<Table>) -> Self {
        if table.keyed { Self::Keyed(Keyed::new(table)) } else { Self::Whole(Whole::new(table)) }
    }

    pub(super) fn table(&self) -> &Arc<Table> {
        match self {
            Self::Keyed(fold) => &fold.table,
            Self::Whole(fold) => &fold.table,
        }
    }

    /// Takes a change in.
    ///
    /// # Errors
    /// The change itself when it must go alone, after what was taken in.
    pub(super) fn add(&mut self, message: Message) -> Result<(), Message> {
        match self {
            Self::Keyed(fold) => fold.add(message),
            Self::Whole(fold) => fold.add(message),
        }
    }

    /// What it came to.
    pub(super) fn finish(self) -> Folded {
        match self {
            Self::Keyed(fold) => fold.finish(),
            Self::Whole(fold) => fold.finish(),
        }
    }
}

/// The net changes of a table with a key.
#[derive(Debug)]
pub(super) struct Keyed {
    table: Arc<Table>,
    rows: HashMap<Vec<Option<Bytes>>, Net>,
}

/// What becomes of one row.
#[derive(Debug)]
enum Net {
    /// It was not there before.
    Insert(Row),
    /// It was.
    Update(Row),
    /// It was; only the key columns are known.
    Delete(Row),
    /// It was inserted and deleted again.
    Nothing,
}

/// The net changes, by kind.
#[derive(Debug, Default)]
pub(super) struct Folded {
    pub(super) deletes: Vec<Row>,
    /// Without a key: how many rows that are the same in every column.
    pub(super) whole_deletes: Vec<(Row, u32)>,
    pub(super) updates: Vec<Row>,
    pub(super) inserts: Vec<Row>,
}

impl Keyed {
    fn new(table: Arc<Table>) -> Self {
        Self { table, rows: HashMap::new() }
    }

    /// Takes a change in.
    ///
    /// # Errors
    /// The change itself when it must go alone: a changed key, a change that contradicts an earlier one (which will be
    /// told by the server), a truncate.
    fn add(&mut self, message: Message) -> Result<(), Message> {
        match message {
            Message::Insert { xid, relation, new } => match self.rows.remove(&self.key(&new)) {
                None | Some(Net::Nothing) => self.put(Net::Insert(new)),
                // The row of before is the same one to everybody but its storage: all of its columns are known.
                Some(Net::Delete(_)) => self.put(Net::Update(new)),
                Some(there) => {
                    self.put(there)?;
                    Err(Message::Insert { xid, relation, new })
                }
            },
            Message::Update { old: None, new, .. } => match self.rows.remove(&self.key(&new)) {
                None => self.put(Net::Update(new)),
                Some(Net::Insert(before)) => self.put(Net::Insert(merge(before, new))),
                Some(Net::Update(before)) => self.put(Net::Update(merge(before, new))),
                Some(gone @ (Net::Delete(_) | Net::Nothing)) => {
                    self.put(gone)?;
                    Err(Message::Update { xid: None, relation: self.table.oid, old: None, new })
                }
            },
            Message::Delete { xid, relation, old: OldTuple::Key(old) } => {
                match self.rows.remove(&self.key(&old)) {
                    None | Some(Net::Update(_)) => self.put(Net::Delete(old)),
                    Some(Net::Insert(_)) => {
                        self.rows.insert(self.key(&old), Net::Nothing);
                        Ok(())
                    }
                    Some(gone @ (Net::Delete(_) | Net::Nothing)) => {
                        self.put(gone)?;
                        Err(Message::Delete { xid, relation, old: OldTuple::Key(old) })
                    }
                }
            }
            other => Err(other),
        }
    }

    fn put(&mut self, net: Net) -> Result<(), Message> {
        let key = match &net {
            Net::Insert(row) | Net::Update(row) | Net::Delete(row) => self.key(row),
            // Its key is no longer known, and no later change of it can be folded.
            Net::Nothing => return Ok(()),
        };
        self.rows.insert(key, net);
        Ok(())
    }

    fn key(&self, row: &[Value]) -> Vec<Option<Bytes>> {
        let of = |value: &Value| match value {
            Value::Text(bytes) | Value::Binary(bytes) => Some(bytes.clone()),
            Value::Null | Value::UnchangedToast => None,
        };
        let keys = self.table.columns.iter().zip(row).filter(|(column, _)| column.key);
        keys.map(|(_, value)| of(value)).collect()
    }

    fn finish(self) -> Folded {
        let mut folded = Folded::default();
        for net in self.rows.into_values() {
            match net {
                Net::Insert(row) => folded.inserts.push(row),
                Net::Update(row) => folded.updates.push(row),
                Net::Delete(row) => folded.deletes.push(row),
                Net::Nothing => {}
            }
        }
        folded
    }
}

/// A later row over an earlier one: a value that was not sent is the earlier one's.
fn merge(before: Row, after: Row) -> Row {
    before
        .into_iter()
        .zip(after)
        .map(|(before, after)| if after == Value::UnchangedToast { before } else { after })
        .collect()
}
