//! What a transaction tells that was begun before another one's change of the schema, and commits behind it.
//!
//! A command tells the forms of what it has not locked itself (an index's table, a parent's heirs), and two commands whose locks go
//! together change one table at once: what one of them has told knows nothing of the other's, whichever commits first. A form that
//! was read by a snapshot which has not seen the last change of its object is an older one: a trigger looks a moment before it tells,
//! and in REPEATABLE READ with the eyes of its transaction's first statement. It is joined with the form that is known
//! ([`merged`]). Types are locked by no row: what was written before a label was renamed, or an attribute dropped, is told by what the
//! type was then.
use std::collections::{HashMap, HashSet};

use tokio_postgres::types::PgLsn;
use whimbrel_proto::Lsn;

use super::{change::Changes, needs::types_of, seen::Seen};
use crate::{
    fault::{Doing, Fault},
    replication::pgoutput::Message,
    target::{
        merge::merged,
        structure::{self, LastChange, StructureId},
        untold::is_same,
    },
    wire::{Note, RelationKind, RelationStructure, Structure, TypeStructure},
};

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
        match (&self.seen, last.xid) {
            (Some(seen), Some(xid)) => !seen.has_seen(xid),
            _ => self.at < last.commit,
        }
    }

    fn by(&self) -> LastChange {
        LastChange { commit: self.commit, xid: self.seen.as_ref().map(Seen::xid) }
    }
}

/// The last changes of objects by others than the transaction that commits there: its second command is as old as its first.
#[derive(Debug, Default)]
pub(super) struct Others {
    commit: Lsn,
    last: HashMap<StructureId, LastChange>,
}

impl Others {
    fn of(&mut self, id: StructureId, last: Option<LastChange>, commit: Lsn) -> Option<LastChange> {
        if self.commit != commit {
            *self = Self { commit, last: HashMap::new() };
        }
        match last {
            Some(own) if own.commit == commit => self.last.get(&id).copied(),
            Some(other) => {
                self.last.insert(id, other);
                Some(other)
            }
            None => None,
        }
    }
}

/// A note without what is older than what is known.
#[derive(Debug)]
pub(super) struct Sifted {
    pub(super) note: Note,
    /// What it changes.
    pub(super) changed: Vec<StructureId>,
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
        for form in std::mem::take(&mut note.objects) {
            let Some((before, last)) = known.get(&form.id()) else {
                changed.push(form.id());
                objects.push(form);
                continue;
            };
            let last = self.others.of(form.id(), *last, told.commit);
            let form = match last.is_some_and(|last| told.is_before(last)) {
                false => form,
                true => match self.with_its_own(before, &form).await? {
                    Some(form) => form,
                    None => continue,
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
        Ok(Sifted { note, changed })
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

    /// The known form with what the older one has of its own.
    async fn with_its_own(
        &mut self,
        known: &Structure,
        older: &Structure,
    ) -> Result<Option<Structure>, Fault> {
        if is_same(Some(known), older) {
            return Ok(None);
        }
        let relations = match older {
            Structure::Relation(of) => vec![of.oid],
            // All that is: single ones are not to be had.
            _ => Vec::new(),
        };
        let forms = structure::fetch(&self.caller, relations, false).await?;
        let Some(now) = forms.into_iter().find(|form| form.id() == older.id()) else {
            return Ok(None);
        };
        let form = merged(known, older, &now)?;
        Ok((form != *known).then_some(form))
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

    fn composite(columns: &[(i16, &str)]) -> Structure {
        let mut of = RelationStructure::of_columns(columns);
        of.relkind = RelationKind::Composite;
        Structure::Relation(Box::new(of))
    }

    #[test]
    fn an_attribute_that_goes_tells_its_type_otherwise_and_a_name_does_not() {
        let before = composite(&[(1, "a"), (2, "b")]);
        assert!(tells_otherwise(&before, &composite(&[(2, "b"), (3, "c")])));
        assert!(!tells_otherwise(&before, &composite(&[(1, "x"), (2, "b")])));
    }

    #[test]
    fn the_second_command_of_a_transaction_is_as_old_as_its_first() {
        let change = |commit| LastChange { commit: Lsn(commit), xid: None };
        let mut others = Others::default();
        let mut of = |last: Option<u64>, commit| {
            others.of((1259, 7), last.map(change), Lsn(commit)).map(|last| last.commit)
        };
        assert_eq!(of(Some(10), 20), Some(Lsn(10)));
        assert_eq!(of(Some(20), 20), Some(Lsn(10)));
        assert_eq!(of(Some(20), 30), Some(Lsn(20)));
        assert_eq!(of(None, 40), None);
        assert_eq!(of(Some(40), 40), None);
    }
}
