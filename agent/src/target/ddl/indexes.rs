//! The indexes of a table, and the one that tells its rows apart.
use super::{
    constraints::{is_that, joins_with_partitions},
    name_of,
    renames::ordered,
};
use crate::{
    postgres::{identifier, qualified},
    wire::{IndexStructure, RelationKind, RelationStructure},
};

/// A partition's share of one index goes with that, and another's can have its name and words.
fn is_that_index(
    old: &RelationStructure,
    new: &RelationStructure,
    before: &IndexStructure,
    after: &IndexStructure,
) -> bool {
    is_that(old, new, before.oid, after.oid)
        && (before.oid == after.oid || before.parent == after.parent)
}

/// REPLICA IDENTITY USING INDEX, of which no command takes the index away but its drop.
pub(super) fn has_lost_its_index(old: &RelationStructure, new: &RelationStructure) -> bool {
    new.identity == "i" && new.identity_index.is_none() && old.identity_index.is_some()
}

fn index_kept<'a>(of: &'a RelationStructure, index: &IndexStructure) -> Option<&'a IndexStructure> {
    let alike = |other: &&IndexStructure| {
        (&other.name, other.unique, &other.definition)
            == (&index.name, index.unique, &index.definition)
    };
    of.indexes.iter().find(|other| other.oid == index.oid).or_else(|| of.indexes.iter().find(alike))
}

/// Gone and renamed ones.
pub(super) fn old_indexes(old: &RelationStructure, new: &RelationStructure) -> Vec<String> {
    let (mut gone, mut renames, mut set) = (Vec::new(), Vec::new(), Vec::new());
    for before in &old.indexes {
        match index_kept(new, before).filter(|after| is_that_index(old, new, before, after)) {
            // Taken over by a constraint (USING INDEX).
            None if new.constraints.iter().any(|c| c.is_of(before)) => {}
            None => {
                let name = qualified(&new.schema, &before.name);
                gone.push(format!("drop index if exists {name} cascade"));
            }
            Some(after) => {
                renames.push((before.name.clone(), after.name.clone()));
                let name = qualified(&new.schema, &after.name);
                set.extend(set_storage(&name, &before.definition, &after.definition));
            }
        }
    }
    let named = old.indexes.iter().map(|index| index.name.as_str());
    let renames = ordered(renames, named).into_iter().map(|(from, to)| {
        let from = qualified(&new.schema, &from);
        format!("alter index {from} rename to {}", identifier(&to))
    });
    gone.into_iter().chain(renames).chain(set).collect()
}

/// The storage parameters in an index's definition: `fillfactor='70', fastupdate='off'`.
fn storage(definition: &str) -> Vec<&str> {
    let given = definition.split_once(") WITH (").and_then(|(_, rest)| rest.split_once(')'));
    given.map_or_else(Vec::new, |(given, _)| given.split(", ").collect())
}

/// From those of the `old` definition to those of the `new` one.
fn set_storage(index: &str, old: &str, new: &str) -> Vec<String> {
    set_parameters(index, &storage(old), &storage(new))
}

/// From the one list of `name='value'` to the other.
pub(super) fn set_parameters(index: &str, old: &[&str], new: &[&str]) -> Vec<String> {
    let name = |parameter: &str| parameter.split('=').next().unwrap_or_default().to_owned();
    let gone: Vec<String> = old
        .iter()
        .map(|parameter| name(parameter))
        .filter(|gone| !new.iter().any(|kept| name(kept) == *gone))
        .collect();
    let set: Vec<&str> = new.iter().copied().filter(|parameter| !old.contains(parameter)).collect();
    let mut statements = Vec::new();
    if !gone.is_empty() {
        statements.push(format!("alter index {index} reset ({})", gone.join(", ")));
    }
    if !set.is_empty() {
        statements.push(format!("alter index {index} set ({})", set.join(", ")));
    }
    statements
}

pub(super) fn new_indexes(old: Option<&RelationStructure>, new: &RelationStructure) -> Vec<String> {
    let table = name_of(new);
    let alone = new.relkind == RelationKind::Partitioned && !joins_with_partitions(old, new);
    let only = if alone { "only " } else { "" };
    new.indexes
        .iter()
        // An invalid index of a table is one that is being built, or failed: nobody reads it.
        .filter(|index| index.valid && is_to_be_made(old, new, index))
        .map(|index| {
            let unique = if index.unique { "unique " } else { "" };
            let name = identifier(&index.name);
            format!("create {unique}index {name} on {only}{table} {}", index.definition)
        })
        .collect()
}

fn is_to_be_made(
    old: Option<&RelationStructure>,
    new: &RelationStructure,
    index: &IndexStructure,
) -> bool {
    let before = old.and_then(|old| {
        let kept = index_kept(old, index);
        kept.filter(|before| is_that_index(old, new, before, index))
    });
    let whole = new.relkind != RelationKind::Partitioned;
    before.is_none_or(|before| whole && !before.valid && index.valid)
}

/// Indexes of which not all partitions have a share, and those that belong to a parent's: behind all that is attached. An index
/// that is here already would be given to each partition that comes, and an index of a partition would be taken for its share.
pub(super) fn late_indexes(
    old: Option<&RelationStructure>,
    new: &RelationStructure,
) -> Vec<String> {
    let table = name_of(new);
    let in_part = |index: &&IndexStructure| {
        new.relkind == RelationKind::Partitioned && !index.valid && is_to_be_made(old, new, index)
    };
    let made = new.indexes.iter().filter(in_part).map(|index| {
        let unique = if index.unique { "unique " } else { "" };
        let (name, of) = (identifier(&index.name), &index.definition);
        format!("create {unique}index if not exists {name} on only {table} {of}")
    });
    // An invalid one of a table was not made.
    let is_here = |index: &&IndexStructure| index.valid || new.relkind == RelationKind::Partitioned;
    let attached = new.indexes.iter().filter(is_here).filter_map(|index| {
        let before = old.and_then(|old| {
            index_kept(old, index).filter(|before| is_that_index(old, new, before, index))
        });
        let parent = index.parent.as_ref()?;
        let is_new = before.is_none_or(|before| before.parent.is_none());
        is_new.then(|| attach_index(parent, new, &index.name))
    });
    made.chain(attached).collect()
}

pub(super) fn attach_index(parent: &str, of: &RelationStructure, name: &str) -> String {
    format!("alter index {parent} attach partition {}", qualified(&of.schema, name))
}

pub(super) fn identity(old: Option<&RelationStructure>, new: &RelationStructure) -> Vec<String> {
    let of =
        |relation: &RelationStructure| (relation.identity.clone(), relation.identity_index.clone());
    let unchanged = match old {
        Some(old) => of(old) == of(new),
        None => new.identity == "d",
    };
    if unchanged || !new.relkind.is_table() || old.is_some_and(|old| has_lost_its_index(old, new)) {
        return Vec::new();
    }
    let what = match (new.identity.as_str(), &new.identity_index) {
        ("f", _) => "full".to_owned(),
        ("n", _) => "nothing".to_owned(),
        ("i", Some(index)) => format!("using index {}", identifier(index)),
        // Its index is gone: it identifies nothing.
        ("i", None) => "nothing".to_owned(),
        _ => "default".to_owned(),
    };
    vec![format!("alter table only {} replica identity {what}", name_of(new))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_takes_its_storage_parameters_in_place() {
        let (bare, one) = ("USING btree (a)", "USING btree (a) WITH (fillfactor='70')");
        let two = "USING btree (a) WITH (fillfactor='80', deduplicate_items=off) WHERE (b > 1)";
        assert_eq!(set_storage("i", bare, one), ["alter index i set (fillfactor='70')"]);
        assert_eq!(set_storage("i", one, bare), ["alter index i reset (fillfactor)"]);
        assert_eq!(
            set_storage("i", one, two),
            ["alter index i set (fillfactor='80', deduplicate_items=off)"]
        );
        assert!(set_storage("i", two, two).is_empty());
    }
}
