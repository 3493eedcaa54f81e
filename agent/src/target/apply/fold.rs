//! What a run of changes of one table comes to, row by row: an insert, an update or a delete for each key, at most.
//!
//! PURE. A key is known by the very text of its columns: PostgreSQL sends the old key whenever a stored key changed at
//! all, so that two texts are two rows here. What can't be folded is told, and goes alone, in its place. The rows stay in
//! the run's own messages: nothing is copied, but a row that is put together from several.
use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use super::{table::Table, whole::Whole};
use crate::replication::pgoutput::{Message, OldTuple, Value};

/// A row's values, in the order of the table's columns.
pub(super) type Row<'a> = Cow<'a, [Value]>;

/// The change must go by itself, after what was taken in before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Alone;

/// The net changes of one table.
#[derive(Debug)]
pub(super) enum Fold<'a> {
    /// Row by row, by its key.
    Keyed(Keyed<'a>),
    /// Rows that have none.
    Whole(Whole<'a>),
}

impl<'a> Fold<'a> {
    pub(super) fn new(table: &Arc<Table>) -> Self {
        if table.keyed {
            Self::Keyed(Keyed::new(table))
        } else {
            Self::Whole(Whole::new(Arc::clone(table)))
        }
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
    /// [`Alone`], and the change is not taken in.
    pub(super) fn add(&mut self, message: &'a Message) -> Result<(), Alone> {
        match self {
            Self::Keyed(fold) => fold.add(message),
            Self::Whole(fold) => fold.add(message),
        }
    }

    /// What it came to.
    pub(super) fn finish(self) -> Folded<'a> {
        match self {
            Self::Keyed(fold) => fold.finish(),
            Self::Whole(fold) => fold.finish(),
        }
    }
}

/// The net changes of a table with a key.
#[derive(Debug)]
pub(super) struct Keyed<'a> {
    table: Arc<Table>,
    /// Places of the key's columns.
    places: Vec<usize>,
    /// By key: where in `rows`.
    by_key: HashMap<Key<'a>, usize>,
    /// In the order in which the run first speaks of them: rows come to lie as they lie on the source, and an index that
    /// grows at its end is written there.
    rows: Vec<Net<'a>>,
}

/// The texts of a key's columns. Most keys have one, which then is held without a list.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Key<'a> {
    One(&'a [u8]),
    Many(Vec<&'a [u8]>),
}

/// What becomes of one row.
#[derive(Debug)]
enum Net<'a> {
    /// It was not there before.
    Insert(Row<'a>),
    /// It was.
    Update(Row<'a>),
    /// It was; only the key columns are known.
    Delete(Row<'a>),
    /// It was inserted and deleted again.
    Nothing,
}

/// The net changes, by kind.
#[derive(Debug, Default)]
pub(super) struct Folded<'a> {
    pub(super) deletes: Vec<Row<'a>>,
    /// Without a key: how many rows that are the same in every column.
    pub(super) whole_deletes: Vec<(Row<'a>, u32)>,
    pub(super) updates: Vec<Row<'a>>,
    pub(super) inserts: Vec<Row<'a>>,
}

impl<'a> Keyed<'a> {
    fn new(table: &Arc<Table>) -> Self {
        let keys = table.columns.iter().enumerate().filter(|(_, column)| column.key);
        let places = keys.map(|(at, _)| at).collect();
        Self { table: Arc::clone(table), places, by_key: HashMap::new(), rows: Vec::new() }
    }

    /// Takes a change in.
    ///
    /// # Errors
    /// [`Alone`]: a changed key, a key that did not come, a change that contradicts an earlier one (which will be told by
    /// the server), or is of another row of the same key, a truncate.
    fn add(&mut self, message: &'a Message) -> Result<(), Alone> {
        match message {
            Message::Insert { new, .. } => self.insert(new),
            Message::Update { old: None, new, .. } => self.update(None, new),
            Message::Update { old: Some(OldTuple::Full(old)), new, .. } => {
                self.update(Some(old), new)
            }
            Message::Delete { old: OldTuple::Key(old), .. } => self.delete(old, false),
            Message::Delete { old: OldTuple::Full(old), .. } => self.delete(old, true),
            _ => Err(Alone),
        }
    }

    fn insert(&mut self, new: &'a [Value]) -> Result<(), Alone> {
        let Some(here) = self.known(new, Net::Insert)? else { return Ok(()) };
        match here {
            Net::Nothing => *here = Net::Insert(Cow::Borrowed(new)),
            // The row of before is the same one to everybody but its storage: all of its columns are known.
            Net::Delete(_) => *here = Net::Update(Cow::Borrowed(new)),
            Net::Insert(_) | Net::Update(_) => return Err(Alone),
        }
        Ok(())
    }

    fn update(&mut self, old: Option<&'a [Value]>, new: &'a [Value]) -> Result<(), Alone> {
        if old.is_some_and(|old| self.places.iter().any(|place| old.get(*place) != new.get(*place)))
        {
            return Err(Alone);
        }
        let Some(here) = self.known(new, Net::Update)? else { return Ok(()) };
        match here {
            Net::Insert(row) | Net::Update(row) if old.is_none_or(|old| is_that(row, old)) => {
                put_over(row, new);
            }
            _ => return Err(Alone),
        }
        Ok(())
    }

    /// `whole`: the old row is told whole.
    fn delete(&mut self, old: &'a [Value], whole: bool) -> Result<(), Alone> {
        let Some(here) = self.known(old, Net::Delete)? else { return Ok(()) };
        match here {
            Net::Insert(row) | Net::Update(row) if whole && !is_that(row, old) => {
                return Err(Alone);
            }
            Net::Update(_) => *here = Net::Delete(Cow::Borrowed(old)),
            Net::Insert(_) => *here = Net::Nothing,
            Net::Delete(_) | Net::Nothing => return Err(Alone),
        }
        Ok(())
    }

    /// What is known of the row by now; `None`: nothing was, and it is taken in as `first` says.
    fn known(
        &mut self,
        row: &'a [Value],
        first: impl FnOnce(Row<'a>) -> Net<'a>,
    ) -> Result<Option<&mut Net<'a>>, Alone> {
        let key = match self.places.as_slice() {
            [place] => Key::One(text(row, *place)?),
            places => {
                let texts: Result<_, Alone> =
                    places.iter().map(|place| text(row, *place)).collect();
                Key::Many(texts?)
            }
        };
        match self.by_key.entry(key) {
            Entry::Occupied(at) => Ok(self.rows.get_mut(*at.get())),
            Entry::Vacant(free) => {
                free.insert(self.rows.len());
                self.rows.push(first(Cow::Borrowed(row)));
                Ok(None)
            }
        }
    }

    fn finish(self) -> Folded<'a> {
        let mut folded = Folded::default();
        for net in self.rows {
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

/// A key's value. One that is null, or was not sent, tells no row.
fn text(row: &[Value], place: usize) -> Result<&[u8], Alone> {
    match row.get(place) {
        Some(Value::Text(bytes) | Value::Binary(bytes)) => Ok(bytes),
        _ => Err(Alone),
    }
}

/// Whether the old row that is told whole is the one that is known by its key. It is not where the key is none any more: its index is
/// dead from before DROP INDEX CONCURRENTLY is told, and rows of one key come meanwhile.
fn is_that(row: &[Value], old: &[Value]) -> bool {
    let alike = |(row, old): (&Value, &Value)| *row == Value::UnchangedToast || row == old;
    row.len() == old.len() && row.iter().zip(old).all(alike)
}

/// A later row over an earlier one: a value that was not sent is the earlier one's.
fn put_over<'a>(before: &mut Row<'a>, after: &'a [Value]) {
    if !after.contains(&Value::UnchangedToast) {
        *before = Cow::Borrowed(after);
        return;
    }
    let kept = |(before, after): (&Value, &Value)| match after {
        Value::UnchangedToast => before.clone(),
        after => after.clone(),
    };
    *before = before.iter().zip(after).map(kept).collect();
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use whimbrel_proto::Lsn;

    use super::*;
    use crate::target::apply::{array::Elements, table::TableColumn};

    fn table(keys: usize) -> Arc<Table> {
        let column = |at| TableColumn {
            name: format!("c{at}"),
            type_name: "text".into(),
            elements: Elements::Text,
            key: at < keys,
            exact: true,
            operator: "operator(pg_catalog.=)".into(),
            collation: None,
            used: false.into(),
        };
        Arc::new(Table {
            oid: 1,
            label: "s.t".into(),
            name: "t".into(),
            point: Lsn(0),
            columns: (0..3).map(column).collect(),
            conflicts: false,
            alone: false,
            full_identity: false,
            keyed: true,
        })
    }

    fn row(texts: [&'static str; 3]) -> Vec<Value> {
        let value = |text: &'static str| match text {
            "" => Value::Null,
            "toast" => Value::UnchangedToast,
            text => Value::Text(Bytes::from_static(text.as_bytes())),
        };
        texts.map(value).to_vec()
    }

    fn insert(texts: [&'static str; 3]) -> Message {
        Message::Insert { xid: None, relation: 1, new: row(texts) }
    }

    fn update(texts: [&'static str; 3]) -> Message {
        Message::Update { xid: None, relation: 1, old: None, new: row(texts) }
    }

    fn delete(key: [&'static str; 3]) -> Message {
        Message::Delete { xid: None, relation: 1, old: OldTuple::Key(row(key)) }
    }

    /// Deletes, updates, inserts.
    fn folded(keys: usize, run: &[Message]) -> Result<[Vec<Vec<Value>>; 3], Alone> {
        let mut fold = Fold::new(&table(keys));
        run.iter().try_for_each(|message| fold.add(message))?;
        let Folded { deletes, updates, inserts, .. } = fold.finish();
        Ok([deletes, updates, inserts]
            .map(|rows| rows.into_iter().map(Cow::into_owned).collect::<Vec<_>>()))
    }

    #[test]
    fn a_row_comes_to_its_last_form() {
        let run =
            [update(["1", "a", "b"]), update(["1", "c", "toast"]), update(["1", "toast", ""])];
        assert_eq!(folded(1, &run), Ok([vec![], vec![row(["1", "c", ""])], vec![]]));
        let run = [update(["1", "toast", "b"]), update(["1", "c", "toast"])];
        assert_eq!(folded(1, &run), Ok([vec![], vec![row(["1", "c", "b"])], vec![]]));
        let run = [insert(["1", "a", "b"]), update(["1", "toast", "c"])];
        assert_eq!(folded(1, &run), Ok([vec![], vec![], vec![row(["1", "a", "c"])]]));
    }

    #[test]
    fn what_came_and_went_is_nothing_and_what_went_and_came_is_an_update() {
        let (gone, here) = (delete(["1", "", ""]), insert(["1", "a", "b"]));
        assert_eq!(folded(1, &[here.clone(), gone.clone()]), Ok([vec![], vec![], vec![]]));
        let update_only = Ok([vec![], vec![row(["1", "a", "b"])], vec![]]);
        assert_eq!(folded(1, &[gone.clone(), here.clone()]), update_only);
        let inserted = Ok([vec![], vec![], vec![row(["1", "a", "b"])]]);
        assert_eq!(folded(1, &[here.clone(), gone.clone(), here.clone()]), inserted);
        let deleted = Ok([vec![row(["1", "", ""])], vec![], vec![]]);
        assert_eq!(folded(1, &[update(["1", "x", "y"]), gone.clone()]), deleted);
        for contradiction in [[&here, &here], [&gone, &gone]] {
            assert_eq!(folded(1, &contradiction.map(Clone::clone)), Err(Alone));
        }
        assert_eq!(folded(1, &[gone, update(["1", "x", "y"])]), Err(Alone));
    }

    /// Its index is dead on the source, and rows of one key are there.
    #[test]
    fn a_row_that_is_told_whole_is_the_one_that_is_known() {
        let update = |old, new| Message::Update {
            xid: None,
            relation: 1,
            old: Some(OldTuple::Full(row(old))),
            new: row(new),
        };
        let delete =
            |old| Message::Delete { xid: None, relation: 1, old: OldTuple::Full(row(old)) };
        let came = insert(["1", "b", ""]);
        let nothing = Ok([vec![], vec![], vec![]]);
        assert_eq!(folded(1, &[came.clone(), delete(["1", "b", ""])]), nothing);
        let of_another = [delete(["1", "a", ""]), update(["1", "a", ""], ["1", "c", ""])];
        for change in of_another {
            assert_eq!(folded(1, &[came.clone(), change]), Err(Alone));
        }
        let kept = [
            update(["1", "a", "long"], ["1", "b", "toast"]),
            update(["1", "b", "long"], ["1", "c", "toast"]),
        ];
        assert_eq!(folded(1, &kept), Ok([vec![], vec![row(["1", "c", "toast"])], vec![]]));
        let anew = [update(["1", "a", "b"], ["2", "a", "b"])];
        assert_eq!(folded(1, &anew), Err(Alone), "the key is another");
    }

    #[test]
    fn a_key_of_several_columns_is_all_of_them() {
        let run = [insert(["1", "2", "a"]), insert(["12", "", "b"])];
        assert_eq!(folded(2, &run), Err(Alone), "a null tells no row");
        let run = [insert(["1", "23", "a"]), insert(["12", "3", "b"])];
        assert_eq!(folded(2, &run).map(|[_, _, inserts]| inserts.len()), Ok(2));
        assert_eq!(
            folded(1, &[update(["toast", "a", "b"])]),
            Err(Alone),
            "nor does what was not sent"
        );
    }
}
