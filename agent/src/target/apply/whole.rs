//! What a run of changes of a table without a key comes to: rows that go, and rows that come, each so many times.
//!
//! PURE. Such rows have no identity: of those that are the same in every column, any one stands for the others. So an
//! update is a row that goes and another that comes, and a run of them is two statements, not a search for each.
use std::{borrow::Cow, collections::HashMap, sync::Arc};

use bytes::Bytes;

use super::{
    fold::{Alone, Folded, Row},
    table::Table,
};
use crate::replication::pgoutput::{Message, OldTuple, Value};

/// The net changes of one table.
#[derive(Debug)]
pub(super) struct Whole<'a> {
    pub(super) table: Arc<Table>,
    /// Of a table whose rows never go: nothing has to be found again.
    inserts: Vec<Row<'a>>,
    rows: HashMap<Texts<'a>, Count>,
}

/// A row's texts; `None`: a null.
type Texts<'a> = Vec<Option<&'a Bytes>>;

/// How often a row is there.
#[derive(Debug, Default)]
struct Count {
    /// On the target before, and to be deleted there.
    gone: u32,
    /// Come in this run, and still there.
    here: u32,
}

impl<'a> Whole<'a> {
    pub(super) fn new(table: Arc<Table>) -> Self {
        Self { table, inserts: Vec::new(), rows: HashMap::new() }
    }

    /// Takes a change in.
    ///
    /// # Errors
    /// [`Alone`]: it does not tell the whole old row, or is a truncate.
    pub(super) fn add(&mut self, message: &'a Message) -> Result<(), Alone> {
        match message {
            Message::Insert { new, .. } if !self.table.full_identity => {
                self.inserts.push(Cow::Borrowed(new));
            }
            Message::Insert { new, .. } => self.come(row(new)?),
            Message::Update { old: Some(OldTuple::Full(old)), new, .. } => {
                let (before, after) = (row(old)?, row_over(old, new)?);
                self.go(before);
                self.come(after);
            }
            Message::Delete { old: OldTuple::Full(old), .. } => self.go(row(old)?),
            _ => return Err(Alone),
        }
        Ok(())
    }

    fn come(&mut self, row: Texts<'a>) {
        self.rows.entry(row).or_default().here += 1;
    }

    /// One that came in this run goes first: those of before must then be on the target, and are counted there.
    fn go(&mut self, row: Texts<'a>) {
        let count = self.rows.entry(row).or_default();
        if count.here > 0 {
            count.here -= 1;
        } else {
            count.gone += 1;
        }
    }

    /// What it came to.
    pub(super) fn finish(self) -> Folded<'a> {
        let mut folded = Folded { inserts: self.inserts, ..Folded::default() };
        for (row, Count { gone, here }) in self.rows {
            let value = |text: Option<&Bytes>| text.cloned().map_or(Value::Null, Value::Text);
            let row: Row<'a> = row.into_iter().map(value).collect();
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

/// A row's values as texts, if all of them came so.
fn row(values: &[Value]) -> Result<Texts<'_>, Alone> {
    values.iter().map(text).collect()
}

/// As [`row`], of a later row: what did not come is as it was before.
fn row_over<'a>(before: &'a [Value], after: &'a [Value]) -> Result<Texts<'a>, Alone> {
    let kept = |(at, value): (usize, &'a Value)| match value {
        Value::UnchangedToast => before.get(at).ok_or(Alone).and_then(text),
        other => text(other),
    };
    after.iter().enumerate().map(kept).collect()
}

fn text(value: &Value) -> Result<Option<&Bytes>, Alone> {
    match value {
        Value::Null => Ok(None),
        Value::Text(bytes) => Ok(Some(bytes)),
        Value::UnchangedToast | Value::Binary(_) => Err(Alone),
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
            alone: false,
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
        let there = update(vec![value("a")], vec![value("b")]);
        let back = update(vec![value("b")], vec![value("a")]);
        whole.add(&there).unwrap();
        whole.add(&back).unwrap();
        let folded = whole.finish();
        assert_eq!(folded.whole_deletes, [(Cow::from(vec![value("a")]), 1)]);
        assert_eq!(folded.inserts, [vec![value("a")]]);
    }

    #[test]
    fn a_value_that_was_not_sent_is_the_old_rows() {
        let mut whole = Whole::new(table());
        let old = vec![value("a"), value("long")];
        let change = update(old, vec![Value::Null, Value::UnchangedToast]);
        whole.add(&change).unwrap();
        assert_eq!(whole.finish().inserts, [vec![Value::Null, value("long")]]);
    }
}
