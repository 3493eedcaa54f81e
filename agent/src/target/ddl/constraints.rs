//! The constraints of a table.
use super::{
    Around,
    indexes::{attach_index, has_lost_its_index, set_parameters},
    name_of, not_null,
    renames::{Rename, ordered},
};
use crate::{
    postgres::{identifier, literal, qualified},
    wire::{ConstraintStructure, RelationKind, RelationStructure},
};

/// A constraint is the same one by its OID; one that was made anew (a type change does that) by its name and words.
fn kept<'a>(
    of: &'a RelationStructure,
    constraint: &ConstraintStructure,
) -> Option<&'a ConstraintStructure> {
    let alike = |other: &&ConstraintStructure| {
        other.name == constraint.name && other.definition == constraint.definition
    };
    of.constraints
        .iter()
        .find(|other| other.oid == constraint.oid)
        .or_else(|| of.constraints.iter().find(alike))
}

/// What has become of the `old` form's constraint. A column that is dropped takes along what is on it: in the same words it is then
/// on another column of that name.
fn kept_or_alike<'a>(
    old: &RelationStructure,
    new: &'a RelationStructure,
    before: &ConstraintStructure,
) -> Option<&'a ConstraintStructure> {
    kept(new, before).filter(|after| is_that(old, new, before.oid, after.oid))
}

/// What the `new` form's constraint was.
fn was<'a>(
    old: &'a RelationStructure,
    new: &RelationStructure,
    after: &ConstraintStructure,
) -> Option<&'a ConstraintStructure> {
    kept(old, after).filter(|before| is_that(old, new, before.oid, after.oid))
}

/// Whether what is alike is what it seems: neither of them is another one by its OID, no column has gone that may have taken the
/// older one along, and it is still what tells rows apart.
pub(super) fn is_that(
    old: &RelationStructure,
    new: &RelationStructure,
    before: u32,
    after: u32,
) -> bool {
    let has = |of: &RelationStructure, oid: u32| {
        let constraints = of.constraints.iter().map(|it| it.oid);
        constraints.chain(of.indexes.iter().map(|it| it.oid)).any(|it| it == oid)
    };
    before == after
        || !(has(new, before)
            || has(old, after)
            || drops_columns(old, new)
            || has_lost_its_index(old, new))
}

fn drops_columns(old: &RelationStructure, new: &RelationStructure) -> bool {
    old.columns.iter().any(|column| new.columns.iter().all(|it| it.num != column.num))
}

/// Gone, renamed and validated ones. Foreign keys may not be here yet, or hold no more than they will: what else they have
/// become is left to the cutover, but for the name, or there would be two of them.
pub(super) fn old_constraints(
    old: &RelationStructure,
    new: &RelationStructure,
    around: Around<'_>,
) -> Vec<String> {
    let alter = format!("alter table {}", name_of(new));
    let (mut gone, mut proven, mut set) = (Vec::new(), Vec::new(), Vec::new());
    let mut renames = not_null::renames(old, new, around);
    for before in &old.constraints {
        match kept_or_alike(old, new, before) {
            None if before.inherited && before.contype == "f" => {
                renames.extend(share_of_parents_key(old, new, before));
            }
            None => {
                let name = identifier(&before.name);
                gone.push(format!("{alter} drop constraint if exists {name} cascade"));
            }
            Some(after) if after.inherited && ["c", "f"].contains(&after.contype.as_str()) => {}
            Some(after) => {
                renames.push((before.name.clone(), after.name.clone()));
                set.extend(storage_of(Some(before), after, new));
                if before.contype != "f" && !before.valid && after.valid {
                    let name = identifier(&after.name);
                    proven.push(format!("{alter} validate constraint {name}"));
                }
            }
        }
    }
    let named = old.constraints.iter().map(|constraint| constraint.name.as_str());
    let renames = ordered(renames, named).into_iter().map(|(from, to)| {
        format!("{alter} rename constraint {} to {}", identifier(&from), identifier(&to))
    });
    gone.into_iter().chain(renames).chain(proven).chain(set).collect()
}

/// A partition that was attached with a foreign key of its own keeps it on the source, as its share of the parent's. Here it
/// was not there yet, and the attaching has made a share under the parent's name: it can't be dropped, and bears the
/// source's name from now on. No more can a share that a partitioned table has for each partition that its key refers to.
fn share_of_parents_key(
    old: &RelationStructure,
    new: &RelationStructure,
    share: &ConstraintStructure,
) -> Option<Rename> {
    let own = new.constraints.iter().find(|own| {
        own.contype == "f"
            && own.definition == share.definition
            && old.constraints.iter().all(|here| here.name != own.name)
    })?;
    Some((share.name.clone(), own.name.clone()))
}

/// Those that are new, but for foreign keys.
pub(super) fn new_constraints(
    old: Option<&RelationStructure>,
    new: &RelationStructure,
) -> Vec<String> {
    let table = name_of(new);
    // A partition that is to be attached must have its parent's checks before.
    let standalone = old.is_none() && new.bound.is_some();
    new.constraints
        .iter()
        .filter(|constraint| constraint.contype != "f")
        .filter(|constraint| {
            let before = old.and_then(|old| was(old, new, constraint));
            before.is_none_or(|before| becomes_its_own(before, constraint))
        })
        // What it has as its own is added to what it has of its parents: PostgreSQL makes one of the two.
        .filter(|constraint| {
            constraint.contype != "c" || !constraint.inherited || constraint.local || standalone
        })
        .map(|constraint| {
            if let Some(sql) = take_index_over(old, constraint) {
                return format!("alter table {table} {sql}");
            }
            let storage = storage_of(None, constraint, new);
            let proven = proves_its_parents(constraint, &table);
            // ONLY: partitions' keys are made by themselves, under their own names, and attached.
            let only = if constraint.contype == "c" || joins_with_partitions(old, new) {
                ""
            } else {
                "only "
            };
            format!(
                "{proven}alter table {only}{table} add constraint {} {}{}",
                identifier(&constraint.name),
                constraint.definition,
                storage.iter().map(|sql| format!("; {sql}")).collect::<String>()
            )
        })
        .collect()
}

/// Its own is valid, and its parent's may have come before it as one that is not: PostgreSQL makes one of the two only when what
/// is there is valid (heap.c, `MergeWithExistingConstraint`).
fn proves_its_parents(constraint: &ConstraintStructure, table: &str) -> String {
    if constraint.contype != "c" || !constraint.inherited || !constraint.valid {
        return String::new();
    }
    let (of, name) = (literal(table), literal(&constraint.name));
    let validate =
        format!("alter table {table} validate constraint {}", identifier(&constraint.name));
    let body = format!(
        "begin if exists (select from pg_constraint where conrelid = {of}::regclass and conname = {name} \
             and contype = 'c' and not convalidated) then {validate}; end if; end"
    );
    format!("do {}; ", literal(&body))
}

/// A check that it had of its parents alone, and has of them still. With the last of those that had it, PostgreSQL leaves it to the
/// heir.
fn becomes_its_own(before: &ConstraintStructure, after: &ConstraintStructure) -> bool {
    after.contype == "c" && before.inherited && !before.local && after.inherited && after.local
}

/// A partitioned table with partitions became one itself. Its indexes came of the attaching, to all below it, and are made so:
/// one without its partitions' shares is not valid, and the attaching makes another, a second primary key.
pub(super) fn joins_with_partitions(
    old: Option<&RelationStructure>,
    new: &RelationStructure,
) -> bool {
    old.is_some_and(|old| old.bound.is_none()) && new.bound.is_some() && !new.children.is_empty()
}

/// What gives a constraint's index its storage parameters; a partitioned one's can't be altered.
fn storage_of(
    before: Option<&ConstraintStructure>,
    after: &ConstraintStructure,
    of: &RelationStructure,
) -> Vec<String> {
    if of.relkind == RelationKind::Partitioned {
        return Vec::new();
    }
    let (old, new) = (before.map_or("", |before| &before.storage), &after.storage);
    let [old, new] = [old, new]
        .map(|list| list.split(", ").filter(|parameter| !parameter.is_empty()).collect::<Vec<_>>());
    set_parameters(&qualified(&of.schema, &after.name), &old, &new)
}

/// A key that took an index over (USING INDEX), which bears its name from then on.
fn take_index_over(
    old: Option<&RelationStructure>,
    constraint: &ConstraintStructure,
) -> Option<String> {
    let index = old?.indexes.iter().find(|index| constraint.is_of(index))?;
    let kind = match constraint.contype.as_str() {
        "p" => "primary key",
        "u" => "unique",
        _ => return None,
    };
    let deferrable =
        constraint.definition.find(" DEFERRABLE").map_or("", |at| &constraint.definition[at..]);
    let (name, index) = (identifier(&constraint.name), identifier(&index.name));
    Some(format!("add constraint {name} {kind} using index {index}{deferrable}"))
}

/// Indexes of constraints that belong to a parent's. When a partition is attached PostgreSQL finds them by itself; doing it again
/// does no harm.
pub(super) fn attach_keys(old: Option<&RelationStructure>, new: &RelationStructure) -> Vec<String> {
    let of_constraints = new.constraints.iter().filter_map(|constraint| {
        let before = old.and_then(|old| kept(old, constraint));
        let parent = constraint.parent_index.as_ref()?;
        let is_new = before.is_none_or(|before| before.parent_index.is_none());
        is_new.then(|| attach_index(parent, new, &constraint.name))
    });
    of_constraints.collect()
}

/// What a table lacks of its foreign keys and checks, each with the statement that makes it so. `here`: the definition of the
/// target's own one of that name. A partition's share of its parent's comes with it.
///
/// Checks come with the stream, but for the one that DETACH PARTITION CONCURRENTLY leaves on the table: that command tells of
/// the parent alone.
pub(in crate::target) fn late_constraints<'a>(
    of: &RelationStructure,
    here: impl Fn(&str) -> Option<&'a str>,
) -> Vec<(String, String)> {
    let late = |c: &&ConstraintStructure| !c.inherited && ["c", "f"].contains(&c.contype.as_str());
    let table = name_of(of);
    let mut statements = Vec::new();
    for constraint in of.constraints.iter().filter(late) {
        let name = identifier(&constraint.name);
        let made = match here(&constraint.name) {
            None => vec![format!("add constraint {name} {}", constraint.definition)],
            Some(here) if constraint.contype == "f" => {
                alter_key(&name, here, &constraint.definition)
            }
            Some(_) => Vec::new(),
        };
        let sql = made.into_iter().map(|what| format!("alter table {table} {what}"));
        statements.extend(sql.map(|sql| (constraint.name.clone(), sql)));
    }
    statements
}

/// A foreign key can become deferrable, or not, and valid; nothing else without being made anew.
fn alter_key(name: &str, here: &str, there: &str) -> Vec<String> {
    // Behind the columns, whose names may be anything.
    let words =
        |definition: &str| definition.rsplit_once(')').map_or_else(String::new, |d| d.1.to_owned());
    let when = |words: &str| match (
        words.contains(" INITIALLY DEFERRED"),
        words.contains(" DEFERRABLE"),
    ) {
        (true, _) => "deferrable initially deferred",
        (_, true) => "deferrable initially immediate",
        _ => "not deferrable",
    };
    let is_valid = |words: &str| !words.contains(" NOT VALID");
    let (here, there) = (words(here), words(there));
    let mut statements = Vec::new();
    if when(&here) != when(&there) {
        statements.push(format!("alter constraint {name} {}", when(&there)));
    }
    if !is_valid(&here) && is_valid(&there) {
        statements.push(format!("validate constraint {name}"));
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_key_is_altered_in_place() {
        let key = "FOREIGN KEY (\"x NOT VALID)\") REFERENCES public.t(id) ON DELETE CASCADE";
        let (late, unproven) =
            (format!("{key} DEFERRABLE INITIALLY DEFERRED"), format!("{key} NOT VALID"));
        assert!(alter_key("k", key, key).is_empty());
        assert_eq!(alter_key("k", &unproven, key), ["validate constraint k"]);
        assert_eq!(
            alter_key("k", key, &late),
            ["alter constraint k deferrable initially deferred"]
        );
        assert_eq!(
            alter_key("k", &late, &format!("{key} DEFERRABLE")),
            ["alter constraint k deferrable initially immediate"]
        );
        assert_eq!(alter_key("k", &late, key), ["alter constraint k not deferrable"]);
    }
}
