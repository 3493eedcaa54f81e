//! What a transaction tells that was begun before another one's change of the schema, and commits behind it.
//!
//! A command tells the forms of what it has not locked itself (an index's table, a parent's heirs), and two commands whose locks go
//! together change one table at once: what one of them has told knows nothing of the other's, whichever commits first. A form that
//! was told before the last change of its object was committed is an older one, for a command that has locked its object keeps
//! every change of others away until it commits. So is one that was read by a snapshot which has not seen that change: a trigger looks
//! a moment before it tells, and in REPEATABLE READ with the eyes of the transaction's begin. Types are locked by no row: what was written before a label was renamed, or an
//! attribute dropped, is told by what the type was then.
use std::collections::{HashMap, HashSet};

use tokio_postgres::types::PgLsn;
use whimbrel_proto::Lsn;

use super::{change::Changes, needs::types_of, seen::Seen};
use crate::{
    fault::{Doing, Fault},
    replication::pgoutput::Message,
    target::{
        structure::{self, LastChange, StructureId},
        untold::is_same,
    },
    wire::{Note, RelationKind, RelationStructure, Structure, TypeStructure},
};

/// What makes an index of a table, beside others that do.
const MAKES_INDEX: &str = "CREATE INDEX";

/// Where a note was told, and by whom.
#[derive(Debug)]
pub(super) struct Told {
    /// The message's own place.
    pub(super) at: Lsn,
    /// Where its transaction commits.
    pub(super) commit: Lsn,
    /// What its author saw; not known of an older trigger's.
    pub(super) seen: Option<Seen>,
}

impl Told {
    /// It knows nothing of that change.
    fn is_before(&self, last: LastChange) -> bool {
        if last.commit == self.commit {
            return false;
        }
        match (&self.seen, last.xid) {
            (Some(seen), Some(xid)) => !seen.has_seen(xid),
            _ => self.at < last.commit,
        }
    }

    /// A table of which it was told, behind that change, by a snapshot of before: what its command has made of it is in the form, and
    /// the change is not.
    fn is_unsure(&self, last: LastChange, form: &Structure) -> Option<u32> {
        match form {
            Structure::Relation(of) if of.relkind == RelationKind::Table => {
                (self.at > last.commit).then_some(of.oid)
            }
            _ => None,
        }
    }

    fn by(&self) -> LastChange {
        LastChange { commit: self.commit, xid: self.seen.as_ref().map(Seen::xid) }
    }
}

/// A note without what is older than what is known.
#[derive(Debug)]
pub(super) struct Sifted {
    pub(super) note: Note,
    /// What it changes.
    pub(super) changed: Vec<StructureId>,
    /// Tables that it may have changed, and tells by what they were when its transaction began: nothing says what they are.
    pub(super) unsure: Vec<u32>,
}

impl Changes {
    /// The note with no form that is older than the one that is known; and what it changes.
    pub(super) async fn without_older(
        &mut self,
        mut note: Note,
        told: &Told,
    ) -> Result<Sifted, Fault> {
        let known = structure::known_of(self.session(), &note.objects).await?;
        let (mut objects, mut changed, mut types) = (Vec::new(), Vec::new(), HashSet::new());
        let mut unsure = Vec::new();
        for form in std::mem::take(&mut note.objects) {
            let Some((before, last)) = known.get(&form.id()) else {
                changed.push(form.id());
                objects.push(form);
                continue;
            };
            let form = match last.is_some_and(|last| told.is_before(last)) {
                false => form,
                true => match with_its_own(before, form, &note) {
                    Some(form) => form,
                    None => {
                        unsure.extend(last.and_then(|last| told.is_unsure(last, before)));
                        continue;
                    }
                },
            };
            if !is_same(Some(before), &form) {
                changed.push(form.id());
                types.extend(tells_otherwise(before, &form).then(|| form.id()));
            }
            objects.push(form);
        }
        note.objects = objects;
        self.retype(&types, told.commit).await?;
        Ok(Sifted { note, changed, unsure })
    }

    /// These were changed by that transaction.
    pub(super) async fn tell_when(
        &mut self,
        changed: &[StructureId],
        told: &Told,
    ) -> Result<(), Fault> {
        if changed.is_empty() {
            return Ok(());
        }
        structure::tell_when(self.session(), changed, told.by()).await
    }

    /// Values of tables with these types are told otherwise by transactions that were begun before.
    async fn retype(&mut self, types: &HashSet<StructureId>, commit: Lsn) -> Result<(), Fault> {
        if types.is_empty() {
            return Ok(());
        }
        let all: Vec<Structure> = structure::all(self.session()).await?.into_values().collect();
        let uses = |of: &RelationStructure| !types_of(of, &all).is_disjoint(types);
        let tables: Vec<u32> = all
            .iter()
            .filter_map(|form| match form {
                Structure::Relation(of) if of.relkind.is_table() && uses(of) => Some(of.oid),
                _ => None,
            })
            .collect();
        self.session()
            .execute(
                "update whimbrel.relation set retyped = $1 where source_oid = any($2)",
                &[&PgLsn::from(commit.0), &tables],
            )
            .await
            .doing("recording in the ledger since when types tell their values otherwise")?;
        self.tables.retyped(tables.into_iter().map(|table| (table, commit)));
        Ok(())
    }

    /// The table whose values the change tells by what its types were before, if it does.
    pub(super) fn older_values(
        &self,
        message: &Message,
        (first, commit): (Lsn, Lsn),
    ) -> Option<u32> {
        let (Message::Insert { relation, .. }
        | Message::Update { relation, .. }
        | Message::Delete { relation, .. }) = message
        else {
            return None;
        };
        let is_older = self.tables.is_told_by_older_types(*relation, first)
            && !self.tables.leaves_out(*relation, commit);
        is_older.then_some(*relation)
    }
}

/// The known form with what the older one has of its own: the indexes that its command has made, or altered; the labels that it has
/// added, which nobody can take away.
fn with_its_own(known: &Structure, older: Structure, note: &Note) -> Option<Structure> {
    match (known, older) {
        (Structure::Relation(known), Structure::Relation(older)) => {
            with_its_indexes(known, *older, note)
        }
        (Structure::Type(known), Structure::Type(older)) => with_its_labels(known, &older),
        _ => None,
    }
}

fn with_its_labels(known: &TypeStructure, older: &TypeStructure) -> Option<Structure> {
    let named = |oid: u32| known.labels.iter().find(|label| label.oid == oid);
    let all_are_there =
        known.labels.iter().all(|label| older.labels.iter().any(|it| it.oid == label.oid));
    if !all_are_there || older.labels.len() == known.labels.len() {
        return None;
    }
    let labels = older.labels.iter().map(|label| named(label.oid).unwrap_or(label).clone());
    let form = TypeStructure { labels: labels.collect(), ..known.clone() };
    Some(Structure::Type(form))
}

fn with_its_indexes(
    known: &RelationStructure,
    older: RelationStructure,
    note: &Note,
) -> Option<Structure> {
    let touched: HashSet<u32> = note.others.iter().filter_map(|it| it.oid).collect();
    let mut form = known.clone();
    for index in older.indexes {
        let place = form.indexes.iter().position(|it| it.oid == index.oid);
        match place.and_then(|place| form.indexes.get_mut(place)) {
            Some(there) if touched.contains(&index.oid) => *there = index,
            None if note.tag == MAKES_INDEX => form.indexes.push(index),
            _ => {}
        }
    }
    form.indexes.sort_by_key(|index| index.oid);
    (form.indexes != known.indexes).then(|| Structure::Relation(Box::new(form)))
}

/// Whether the text of a value is another one, or another value's, since it has this form.
fn tells_otherwise(before: &Structure, now: &Structure) -> bool {
    match (before, now) {
        (Structure::Type(before), Structure::Type(now)) => renames_label(before, now),
        (Structure::Relation(before), Structure::Relation(now)) => {
            now.relkind == RelationKind::Composite && attributes(before) != attributes(now)
        }
        _ => false,
    }
}

fn renames_label(before: &TypeStructure, now: &TypeStructure) -> bool {
    let names: HashMap<u32, &str> =
        now.labels.iter().map(|label| (label.oid, label.label.as_str())).collect();
    before.labels.iter().any(|label| names.get(&label.oid).is_some_and(|now| *now != label.label))
}

fn attributes(of: &RelationStructure) -> Vec<(i16, u32, i32)> {
    of.columns.iter().map(|column| (column.num, column.type_oid, column.typmod)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::IndexStructure;

    fn labels(labels: &[(u32, &str)], owner: &str) -> Structure {
        let labels: Vec<_> = labels
            .iter()
            .map(|(oid, label)| serde_json::json!({ "oid": oid, "label": label }))
            .collect();
        Structure::Type(TypeStructure {
            class: 1247,
            oid: 7,
            schema: "s".into(),
            name: "mood".into(),
            typtype: "e".into(),
            owner: owner.into(),
            labels: serde_json::from_value(labels.into()).unwrap(),
            base: None,
            collation: None,
            not_null: false,
            not_null_oid: 0,
            not_null_name: None,
            default: None,
            options: None,
            settings: None,
            constraints: Vec::new(),
        })
    }

    fn indexes(indexes: &[(u32, &str)]) -> Structure {
        let mut of = RelationStructure::of_columns(&[(1, "id")]);
        let index = |(oid, name): &(u32, &str)| IndexStructure {
            oid: *oid,
            name: (*name).into(),
            unique: false,
            valid: true,
            definition: "USING btree (id)".into(),
            parent: None,
        };
        of.indexes = indexes.iter().map(index).collect();
        Structure::Relation(Box::new(of))
    }

    #[test]
    fn an_older_form_gives_the_labels_that_it_has_added() {
        let known = labels(&[(1, "x"), (2, "b")], "new");
        let older = labels(&[(3, "first"), (1, "a"), (2, "b")], "old");
        let wanted = labels(&[(3, "first"), (1, "x"), (2, "b")], "new");
        assert_eq!(with_its_own(&known, older, &Note::default()), Some(wanted));
        assert_eq!(
            with_its_own(&known, labels(&[(1, "a"), (2, "b")], "old"), &Note::default()),
            None
        );
        assert!(tells_otherwise(&labels(&[(1, "a")], "o"), &labels(&[(1, "x")], "o")));
        assert!(!tells_otherwise(&labels(&[(1, "a")], "o"), &labels(&[(1, "a"), (2, "b")], "o")));
    }

    #[test]
    fn an_older_form_gives_the_indexes_of_its_command() {
        let (known, older) = (indexes(&[(1, "i"), (2, "j")]), indexes(&[(1, "old"), (3, "k")]));
        assert_eq!(with_its_own(&known, older.clone(), &Note::default()), None);
        let made = Note { tag: MAKES_INDEX.into(), ..Note::default() };
        let all = indexes(&[(1, "i"), (2, "j"), (3, "k")]);
        assert_eq!(with_its_own(&known, older, &made), Some(all));
    }
}
