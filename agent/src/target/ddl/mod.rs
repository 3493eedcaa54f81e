//! What a change of the source's schema is on the target: PURE, from two forms of an object to statements.
//!
//! An older form (the ledger's) and a newer one (the source's) of the same object, told apart by the OIDs and column
//! numbers of the source, which no rename changes. What can't be turned into statements is named, and the stream holds
//! there. Triggers, rules, policies, comments and the like act on nothing of ours: they come from a dump that is taken at
//! the cutover. Foreign keys come at the cutover too.
mod column;
mod constraints;
mod dropped;
mod indexes;
mod not_null;
mod objects;
mod parents;
mod relation;
mod renames;

use crate::wire::{RelationStructure, Structure};

pub(super) use constraints::late_constraints;
pub(super) use dropped::{Gone, gone};
pub(super) use objects::routine;
pub(super) use relation::{numbered, relation_of};

/// What is known besides the two forms.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Around<'a> {
    /// The table is empty here, and will be copied again: no value must survive.
    pub(super) emptied: bool,
    /// The source has no command that changes what a generated column is made of (before 17): when its words change, a name
    /// in them has, and it is changed here by the command that changed it there.
    pub(super) expressions_stay: bool,
    /// The target keeps not-null constraints, with names (18).
    pub(super) names_not_null: bool,
    /// It keeps those of domains (17).
    pub(super) names_domains_not_null: bool,
    /// Every form that came in the same message: a parent's column has no rows of its own to tell what older rows have.
    pub(super) told: &'a [Structure],
}

/// The statements that make `new` of `old`; all of it when there is no `old`.
///
/// # Errors
/// What can't be carried, in words.
pub(super) fn statements(
    old: Option<&Structure>,
    new: &Structure,
    around: Around<'_>,
) -> Result<Vec<String>, String> {
    match (old, new) {
        (Some(Structure::Relation(old)), Structure::Relation(new)) => {
            relation::alter(old, new, around)
        }
        (_, Structure::Relation(new)) => relation::create(new, around),
        (Some(Structure::Sequence(old)), Structure::Sequence(new)) => {
            Ok(objects::alter_sequence(old, new))
        }
        (_, Structure::Sequence(new)) => Ok(objects::create_sequence(new)),
        (Some(Structure::Type(old)), Structure::Type(new)) => {
            Ok(objects::alter_type(old, new, around))
        }
        (_, Structure::Type(new)) => Ok(objects::create_type(new)),
        (Some(Structure::Function(old)), Structure::Function(new)) => {
            Ok(objects::alter_function(old, new))
        }
        (_, Structure::Function(new)) => Ok(objects::create_function(new)),
        (Some(Structure::Schema(old)), Structure::Schema(new)) => {
            Ok(objects::alter_schema(old, new))
        }
        (_, Structure::Schema(new)) => Ok(objects::create_schema(new)),
        (Some(Structure::Extension(old)), Structure::Extension(new)) => {
            Ok(objects::alter_extension(old, new))
        }
        (_, Structure::Extension(new)) => Ok(objects::create_extension(new)),
    }
}

/// Statements that must come when all objects of a message are there: what a sequence is owned by, and what attached partitions
/// share of an index.
pub(super) fn afterwards(old: Option<&Structure>, new: &Structure) -> Vec<String> {
    match (old, new) {
        (Some(Structure::Sequence(old)), Structure::Sequence(new))
            if old.owned_by == new.owned_by =>
        {
            Vec::new()
        }
        (_, Structure::Sequence(new)) => objects::own_sequence(new),
        (Some(Structure::Relation(old)), Structure::Relation(new)) => {
            indexes::late_indexes(Some(old), new)
        }
        (_, Structure::Relation(new)) => indexes::late_indexes(None, new),
        _ => Vec::new(),
    }
}

fn name_of(relation: &RelationStructure) -> String {
    crate::postgres::qualified(&relation.schema, &relation.name)
}
