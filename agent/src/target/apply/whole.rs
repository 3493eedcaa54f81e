//! What a run of changes of a table without a key comes to: rows that go, and rows that come, each so many times.
//!
//! PURE. Such rows have no identity: of those that are the same in every column, any one stands for the others. So an
//! update is a row that goes and another that comes, and a run of them is two statements, not a search for each.
use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;

use super::{
    fold::{Folded, Row},
    table::Table,
};
use crate::replication::pgoutput::{Message, OldTuple, Value};

/// The net changes of one table.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) table: Arc<Table>,
    /// Of a table whose rows never go: nothing has to be found again.
    inserts: Vec<Row>,
    rows: HashMap<Vec<Option<Bytes>>, Count>,
}

/// How often a row is there.
#[derive(Debug, Default)]
struct Count {
    /// On the target before, and to be deleted there.
    gone: u32,
    /// Come in this run, and still there.
    here: u32,
}

impl Whole {
    pub(super) fn new(table: Arc<Table>) -> Self {
        Self { table, inserts: Vec::new(), rows: HashMap::new() }
    }

    /// Takes a change in.
    ///
    /// # Errors
    /// The change itself when it must go alone: it does not tell the whole old row, or is a truncate.
    pub(super) fn add(&mut self, message: Message) -> Result<(), Message> {
        match message {
            Message::Insert { new, .. } if !self.table.full_identity => {
                self.inserts.push(new);
                Ok(())
            }
            Message::Insert { xid, relation, new } => match row(&new) {
                Some(key) => {
                    self.come(key);
                    Ok(())
                }
                None => Err(Message::Insert { xid, relation, new }),
            },
            Message::Update { xid, relation, old: Some(OldTuple::Full(old)), new } => {
                match (row(&old), row_over(&old, &new)) {
                    (Some(before), Some(after)) => {
                        self.go(before);
                        self.come(after);
                        Ok(())
                    }
                    _ => {
                        let old = Some(OldTuple::Full(old));
                        Err(Message::Update { xid, relation, old, new })
                    }
                }
            }
            Message::Delete { xid, relation, old: OldTuple::Full(old) } => match row(&old) {
                Some(key) => {
                    self.go(key);
                    Ok(())
                }
                None => Err(Message::Delete { xid, relation, old: OldTuple::Full(old) }),
            },
            other => Err(other),
        }
    }

    fn come(&mut self, row: Vec<Option<Bytes>>) {
        self.rows.entry(row).or_default().here += 1;
    }

    /// One that came in this run goes first: those of before must then be on the target, and are counted there.
    fn go(&mut self, row: Vec<Option<Bytes>>) {
        let count = self.rows.entry(row).or_default();
        if count.here > 0 {
            count.here -= 1;
        } else {
            count.gone += 1;
        }
    }

    /// What it came to.
    pub(super) fn finish(self) -> Folded {
        let mut folded = Folded { inserts: self.inserts, ..Folded::default() };
        for (row, Count { gone, here }) in self.rows {
            let row: Row =
                row.into_iter().map(|value| value.map_or(Value::Null, Value::Text)).collect();
            for _ in 0..here {
                folded.inserts.push(row.clone());
            }
            if gone > 0 {
                folded.whole_deletes.push((row, gone));
            }
        }
        folded
    }
}

/// A row's values as texts; `None` when one of them did not come so.
fn row(values: &[Value]) -> Option<Vec<Option<Bytes>>> {
    values.iter().map(text).collect()
}

/// As [`row`], of a later row: what did not come is as it was before.
fn row_over(before: &[Value], after: &[Value]) -> Option<Vec<Option<Bytes>>> {
    let kept = |(at, value)| match value {
        &Value::UnchangedToast => before.get(at).and_then(text),
        other => text(other),
    };
    after.iter().enumerate().map(kept).collect()
}

#[allow(
    clippy::option_option,
    reason = "an outer None is a value that is not known, an inner one a null"
)]
fn text(value: &Value) -> Option<Option<Bytes>> {
    match value {
        Value::Null => Some(None),
        Value::Text(bytes) => Some(Some(bytes.clone())),
        Value::UnchangedToast | Value::Binary(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use whimbrel_proto::Lsn;

    use super::*;

    fn table() -> Arc<Table> {
        Arc::new(Table {
            oid: 1,
            label: "s.t".into(),
            name: "t".into(),
            point: Lsn(0),
            columns: Vec::new(),
            conflicts: false,
            full_identity: true,
            keyed: false,
        })
    }

    fn value(text: &'static str) -> Value {
        Value::Text(Bytes::from_static(text.as_bytes()))
    }

    fn update(old: Vec<Value>, new: Vec<Value>) -> Message {
        Message::Update { xid: None, relation: 1, old: Some(OldTuple::Full(old)), new }
    }

    #[test]
    fn a_row_there_and_back_must_have_been_there() {
        let mut whole = Whole::new(table());
        whole.add(update(vec![value("a")], vec![value("b")])).unwrap();
        whole.add(update(vec![value("b")], vec![value("a")])).unwrap();
        let folded = whole.finish();
        assert_eq!(folded.whole_deletes, [(vec![value("a")], 1)]);
        assert_eq!(folded.inserts, [[value("a")]]);
    }

    #[test]
    fn a_value_that_was_not_sent_is_the_old_rows() {
        let mut whole = Whole::new(table());
        let old = vec![value("a"), value("long")];
        whole.add(update(old, vec![Value::Null, Value::UnchangedToast])).unwrap();
        assert_eq!(whole.finish().inserts, [[Value::Null, value("long")]]);
    }
}
