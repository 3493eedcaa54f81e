//! Labels of an enum that were handed on from one value to another, and attributes of a composite type that have taken the place of
//! others, where nothing has told when.
use std::collections::HashSet;

use super::{change::Changes, find_out::may_tell_others, needs::types_of};
use crate::{
    fault::Fault,
    target::structure,
    wire::{Note, RelationStructure, Structure, TypeStructure},
};

impl Changes {
    /// Tables with values of types whose labels or attributes the note hands on: rows that the stream has brought since then came by the
    /// new ones, and were taken by the old ones. Those are to be copied again.
    pub(super) async fn tables_of_handed_on(&mut self, note: &Note) -> Result<Vec<u32>, Fault> {
        if !note.objects.iter().any(Structure::is_type) {
            return Ok(Vec::new());
        }
        let known = structure::all(self.session()).await?;
        let is_handed_on = |new: &&Structure| match (known.get(&new.id()), new) {
            (Some(Structure::Type(old)), Structure::Type(new)) => hands_on(old, new),
            (Some(Structure::Relation(old)), Structure::Relation(of)) => {
                new.is_type() && replaces(old, of)
            }
            _ => false,
        };
        let types: HashSet<(u32, u32)> =
            note.objects.iter().filter(is_handed_on).map(Structure::id).collect();
        if types.is_empty() {
            return Ok(Vec::new());
        }
        let all: Vec<Structure> = known.into_values().collect();
        let tables = all.iter().filter_map(|form| match form {
            Structure::Relation(of) if of.relkind.is_table() => Some(of),
            _ => None,
        });
        let uses = |of: &RelationStructure| !types_of(of, &all).is_disjoint(&types);
        Ok(tables.filter(|of| uses(of)).map(|of| of.oid).collect())
    }
}

/// Whether attributes are gone, of those that were known or of later ones, and others have come: a value's text tells them by their
/// places alone.
fn replaces(old: &RelationStructure, new: &RelationStructure) -> bool {
    let lacks = |of: &RelationStructure, num: i16| of.columns.iter().all(|it| it.num != num);
    let replaced = old.columns.iter().any(|it| lacks(new, it.num))
        && new.columns.iter().any(|it| lacks(old, it.num));
    replaced || may_tell_others(old, new)
}

/// Whether a label of `new` was another value's.
fn hands_on(old: &TypeStructure, new: &TypeStructure) -> bool {
    let was_anothers = |label: &str, oid: u32| {
        old.labels.iter().any(|before| before.label == label && before.oid != oid)
    };
    new.labels.iter().any(|label| was_anothers(&label.label, label.oid))
}
