//! Which rows a window of the change stream touches, by their keys, as COPY's text of (OID, array of texts).
//!
//! PURE. A row counts by its key before and its key after. What can't be told by keys is told by a null in their place,
//! once, and nothing more of that table then: a truncate, a time without a key, a key that did not come, too many of them.
use std::collections::{HashMap, HashSet};

use bytes::{BufMut as _, Bytes, BytesMut};
use whimbrel_proto::Lsn;

use crate::{
    replication::pgoutput::{Message, OldTuple, REPLICA_IDENTITY_FULL, Relation, Value},
    wire::{ChangedTable, Note},
};

/// Keys that are remembered so as not to be told twice in a row: a counter is updated all day. At some 60 bytes each, a
/// few megabytes.
const REMEMBERED: usize = 50_000;

/// Collects keys.
#[derive(Debug)]
pub(super) struct ChangedKeys {
    tables: HashMap<u32, Watched>,
    told: HashSet<(u32, Vec<Bytes>)>,
    out: BytesMut,
}

#[derive(Debug)]
struct Watched {
    wanted: ChangedTable,
    /// Where the key's columns are in a row of the stream; `None` before its columns came.
    places: Option<Vec<usize>>,
    count: u64,
    /// By keys it can't be told.
    lost: bool,
}

impl ChangedKeys {
    pub(super) fn new(tables: &[ChangedTable]) -> Self {
        let watched = |wanted: &ChangedTable| Watched {
            wanted: wanted.clone(),
            places: None,
            count: 0,
            lost: false,
        };
        Self {
            tables: tables.iter().map(|table| (table.oid, watched(table))).collect(),
            told: HashSet::new(),
            out: BytesMut::new(),
        }
    }

    /// Takes a message in, of the transaction that commits at `commit`.
    pub(super) fn add(&mut self, message: &Message, commit: Lsn) {
        match message {
            Message::Relation(relation) => self.relation(relation),
            Message::Insert { relation, new, .. } => self.row(*relation, new, None, commit),
            Message::Update { relation, old, new, .. } => {
                let old = old.as_ref().map(values);
                if let Some(old) = old {
                    self.row(*relation, old, None, commit);
                }
                self.row(*relation, new, old, commit);
            }
            Message::Delete { relation, old, .. } => {
                self.row(*relation, values(old), None, commit);
            }
            Message::Truncate { relations, .. } => {
                for relation in relations {
                    if self.is_wanted(*relation, commit) {
                        self.lose(*relation);
                    }
                }
            }
            _ => {}
        }
    }

    /// Takes in what a command has done. While a table has no key its updates and deletes are not published, and nothing else
    /// in the stream tells so once it has its key again.
    pub(super) fn schema_change(&mut self, note: &Note, commit: Lsn) {
        let touched: Vec<u32> = self
            .tables
            .keys()
            .copied()
            .filter(|table| note.may_hide_changes(*table) && self.is_wanted(*table, commit))
            .collect();
        for table in touched {
            self.lose(table);
        }
    }

    /// What was written since the last time.
    pub(super) fn take(&mut self) -> Bytes {
        self.out.split().freeze()
    }

    /// Bytes that [`ChangedKeys::take`] would give.
    pub(super) fn waiting(&self) -> usize {
        self.out.len()
    }

    fn relation(&mut self, relation: &Relation) {
        let Some(watched) = self.tables.get_mut(&relation.id) else { return };
        let place = |name: &String| relation.columns.iter().position(|column| column.name == *name);
        let places: Option<Vec<usize>> = watched.wanted.key.iter().map(place).collect();
        let full = relation.replica_identity == REPLICA_IDENTITY_FULL;
        // With another identity the old rows are told by other columns.
        let same = |places: &Vec<usize>| {
            full || relation
                .columns
                .iter()
                .enumerate()
                .all(|(at, column)| column.key == places.contains(&at))
        };
        watched.places = places.filter(same);
        if watched.places.is_none() {
            self.lose(relation.id);
        }
    }

    fn is_wanted(&self, table: u32, commit: Lsn) -> bool {
        self.tables
            .get(&table)
            .is_some_and(|watched| !watched.lost && commit >= watched.wanted.from)
    }

    /// A row's key; a value that was not sent is that of `before`.
    fn row(&mut self, table: u32, row: &[Value], before: Option<&[Value]>, commit: Lsn) {
        if !self.is_wanted(table, commit) {
            return;
        }
        let Some(watched) = self.tables.get_mut(&table) else { return };
        let value = |at: &usize| text(row, *at).or_else(|| text(before?, *at));
        let places = watched.places.as_deref();
        let key: Option<Vec<Bytes>> = places.and_then(|places| places.iter().map(value).collect());
        let Some(key) = key.filter(|_| watched.count < watched.wanted.limit) else {
            return self.lose(table);
        };
        if self.told.len() >= REMEMBERED {
            self.told.clear();
        }
        let entry = (table, key);
        if self.told.contains(&entry) {
            return;
        }
        watched.count += 1;
        write(&mut self.out, table, Some(&entry.1));
        self.told.insert(entry);
    }

    fn lose(&mut self, table: u32) {
        if let Some(watched) = self.tables.get_mut(&table)
            && !std::mem::replace(&mut watched.lost, true)
        {
            write(&mut self.out, table, None);
        }
    }
}

fn values(old: &OldTuple) -> &[Value] {
    match old {
        OldTuple::Key(values) | OldTuple::Full(values) => values,
    }
}

/// A value that a statement of ours can name.
fn text(row: &[Value], at: usize) -> Option<Bytes> {
    match row.get(at)? {
        Value::Text(bytes) if std::str::from_utf8(bytes).is_ok() => Some(bytes.clone()),
        _ => None,
    }
}

/// One line (PostgreSQL manual, COPY, "Text Format"; "Array Input and Output Syntax").
fn write(out: &mut BytesMut, table: u32, key: Option<&[Bytes]>) {
    out.put_slice(table.to_string().as_bytes());
    let Some(key) = key else { return out.put_slice(b"\t\\N\n") };
    out.put_slice(b"\t{");
    for (at, value) in key.iter().enumerate() {
        out.put_slice(if at == 0 { b"\"" } else { b",\"" });
        for byte in value.iter() {
            match byte {
                b'"' => out.put_slice(b"\\\\\""),
                b'\\' => out.put_slice(b"\\\\\\\\"),
                b'\n' => out.put_slice(b"\\n"),
                b'\r' => out.put_slice(b"\\r"),
                b'\t' => out.put_slice(b"\\t"),
                other => out.put_u8(*other),
            }
        }
        out.put_u8(b'"');
    }
    out.put_slice(b"}\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replication::pgoutput::Column;

    fn keys(limit: u64) -> ChangedKeys {
        let key = vec!["b".to_owned(), "a".to_owned()];
        let mut keys = ChangedKeys::new(&[ChangedTable { oid: 7, key, from: Lsn(10), limit }]);
        keys.add(
            &Message::Relation(relation(7, &[("a", true), ("b", true), ("v", false)])),
            Lsn(1),
        );
        keys
    }

    fn relation(id: u32, columns: &[(&str, bool)]) -> Relation {
        let column = |(name, key): &(&str, bool)| Column {
            key: *key,
            name: (*name).into(),
            type_oid: 25,
            typmod: -1,
        };
        Relation {
            xid: None,
            id,
            namespace: "s".into(),
            name: "t".into(),
            replica_identity: b'd',
            columns: columns.iter().map(column).collect(),
        }
    }

    fn row(texts: &[&'static str]) -> Vec<Value> {
        texts.iter().map(|text| Value::Text(Bytes::from_static(text.as_bytes()))).collect()
    }

    fn update(old: Option<OldTuple>, new: Vec<Value>) -> Message {
        Message::Update { xid: None, relation: 7, old, new }
    }

    fn told(keys: &mut ChangedKeys) -> String {
        String::from_utf8(keys.take().to_vec()).unwrap()
    }

    #[test]
    fn keys_before_and_after_are_told_once_in_the_order_asked_for() {
        let mut keys = keys(9);
        keys.add(&update(None, row(&["1", "x", ""])), Lsn(9));
        assert_eq!(told(&mut keys), "", "before the window");
        let old = Some(OldTuple::Key(vec![
            Value::Text(Bytes::from_static(b"1")),
            Value::Text(Bytes::from_static(b"a\"\\\t")),
            Value::Null,
        ]));
        let new = vec![Value::Text(Bytes::from_static(b"2")), Value::UnchangedToast, Value::Null];
        keys.add(&update(old, new), Lsn(10));
        assert_eq!(
            told(&mut keys),
            "7\t{\"a\\\\\"\\\\\\\\\\t\",\"1\"}\n7\t{\"a\\\\\"\\\\\\\\\\t\",\"2\"}\n"
        );
        let delete =
            Message::Delete { xid: None, relation: 7, old: OldTuple::Key(row(&["3", "c", ""])) };
        keys.add(&delete, Lsn(11));
        keys.add(&delete, Lsn(12));
        assert_eq!(told(&mut keys), "7\t{\"c\",\"3\"}\n");
        keys.add(&Message::Insert { xid: None, relation: 8, new: row(&["1"]) }, Lsn(12));
        assert_eq!(told(&mut keys), "", "another table");
    }

    /// What the event trigger told of a command, and of a table's key.
    fn note(oid: u32, keyed: bool, more: &str) -> Note {
        let form = format!(
            r#"{{"kind": "relation", "class": 1259, "oid": {oid}, "schema": "s", "name": "t", "relkind": "r",
                "persistence": "p", "owner": "o", "options": [], "parents": [], "children": [], "identity": "d",
                "keyed": {keyed}, "columns": [], "stored": [], "binary": true, "constraints": [], "indexes": []}}"#
        );
        let text = format!(r#"{{"slot": "s", "tag": "ALTER TABLE", "objects": [{form}]{more}}}"#);
        Note::parse("s", text.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn a_table_that_had_no_key_in_the_window_can_not_be_told_by_keys() {
        let failed = Note { failed: Some("XX000".into()), ..Note::default() };
        let unpublished = note(7, true, r#", "unpublished": "55P03""#);
        let taken_out = note(7, true, r#", "taken_out": [7]"#);
        let back = note(7, true, r#", "published": [7]"#);
        for note in [note(7, false, ""), unpublished, taken_out, back, failed] {
            let mut keys = keys(9);
            keys.schema_change(&note, Lsn(9));
            assert_eq!(told(&mut keys), "", "before the window");
            keys.schema_change(&note, Lsn(10));
            keys.schema_change(&note, Lsn(10));
            keys.add(&update(None, row(&["1", "x", ""])), Lsn(10));
            assert_eq!(told(&mut keys), "7\t\\N\n", "{note:?}");
        }
        let mut keys = keys(9);
        keys.schema_change(&note(7, true, ""), Lsn(10));
        keys.schema_change(&note(8, false, ""), Lsn(10));
        assert_eq!(told(&mut keys), "", "another change, and another table");
    }

    #[test]
    fn what_keys_cannot_tell_is_a_null_once() {
        let truncate = |relation| Message::Truncate {
            xid: None,
            relations: vec![relation],
            cascade: false,
            restart_identity: false,
        };
        let toasted = update(None, vec![Value::UnchangedToast, Value::Null, Value::Null]);
        let binary = update(
            None,
            row(&["1", "2", "3"]).into_iter().map(|_| Value::Binary(Bytes::new())).collect(),
        );
        let another = Message::Relation(relation(7, &[("a", false), ("b", true), ("v", true)]));
        let gone = Message::Relation(relation(7, &[("a", true), ("v", false)]));
        let other_bytes = update(None, vec![Value::Text(Bytes::from_static(b"\xff")); 3]);
        for message in [truncate(7), toasted, binary, another, gone, other_bytes] {
            let mut keys = keys(9);
            keys.add(&message, Lsn(10));
            keys.add(&message, Lsn(10));
            keys.add(&update(None, row(&["1", "x", ""])), Lsn(10));
            assert_eq!(told(&mut keys), "7\t\\N\n", "{message:?}");
        }
        let mut keys = keys(1);
        keys.add(&truncate(8), Lsn(10));
        keys.add(&truncate(7), Lsn(9));
        keys.add(&update(None, row(&["1", "x", ""])), Lsn(10));
        keys.add(&update(None, row(&["2", "x", ""])), Lsn(10));
        assert_eq!(told(&mut keys), "7\t{\"x\",\"1\"}\n7\t\\N\n");
    }
}
