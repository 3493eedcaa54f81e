//! The parents of a table: partitioned ones and those that it inherits from.
use super::name_of;
use crate::{
    postgres::{literal, qualified},
    wire::{ParentName, RelationStructure},
};

pub(super) fn attach(parent: &ParentName, table: &str, bound: &str) -> String {
    let parent = qualified(&parent.schema, &parent.name);
    format!("alter table {parent} attach partition {table} {bound}")
}

/// Leaves the parents that it no longer has, and what it got of them here after it had left them there.
pub(super) fn detach(old: &RelationStructure, new: &RelationStructure) -> Vec<String> {
    let table = name_of(new);
    let mut statements: Vec<String> = old
        .parents
        .iter()
        .filter(|parent| {
            !new.parents.iter().any(|other| other.oid == parent.oid) || changes_place(old, new)
        })
        .map(|parent| {
            let parent = qualified(&parent.schema, &parent.name);
            if old.bound.is_some() {
                format!("alter table {parent} detach partition {table}")
            } else {
                format!("alter table {table} no inherit {parent}")
            }
        })
        .collect();
    if !statements.is_empty() {
        statements.push(drop_unknown_columns(&table, old, new));
    }
    statements
}

/// A partition has left, and come back with another bound.
fn changes_place(old: &RelationStructure, new: &RelationStructure) -> bool {
    old.bound.is_some() && new.bound.is_some() && old.bound != new.bound
}

/// A parent's new column comes to all that are its children here, where nothing has told that one has left. Neither form has it.
fn drop_unknown_columns(table: &str, old: &RelationStructure, new: &RelationStructure) -> String {
    let known = old.columns.iter().chain(&new.columns).map(|column| literal(&column.name));
    let known = known.collect::<Vec<_>>().join(", ");
    let body = format!(
        "declare of regclass := {}; begin execute (\
             select coalesce(string_agg(format('alter table only %s drop column %I', of, attname), '; '), 'select') \
             from pg_attribute where attrelid = of and attnum > 0 and not attisdropped \
             and attname <> all (array[{known}]::name[])); end",
        literal(table)
    );
    format!("do {}", literal(&body))
}

/// Joins the parents that it has now.
pub(super) fn join(old: &RelationStructure, new: &RelationStructure) -> Vec<String> {
    let table = name_of(new);
    new.parents
        .iter()
        .filter(|parent| {
            !old.parents.iter().any(|other| other.oid == parent.oid) || changes_place(old, new)
        })
        .map(|parent| match &new.bound {
            Some(bound) => attach(parent, &table, bound),
            None => {
                format!("alter table {table} inherit {}", qualified(&parent.schema, &parent.name))
            }
        })
        .collect()
}
