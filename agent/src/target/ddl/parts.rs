//! What hangs on a table: constraints, indexes, parents, replica identity.
use super::{
    Around, name_of, not_null,
    renames::{Rename, ordered},
};
use crate::{
    postgres::{identifier, literal, qualified},
    wire::{ConstraintStructure, IndexStructure, ParentName, RelationKind, RelationStructure},
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
fn is_that(old: &RelationStructure, new: &RelationStructure, before: u32, after: u32) -> bool {
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
fn has_lost_its_index(old: &RelationStructure, new: &RelationStructure) -> bool {
    new.identity == "i" && new.identity_index.is_none() && old.identity_index.is_some()
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
    let (mut gone, mut proven) = (Vec::new(), Vec::new());
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
    gone.into_iter().chain(renames).chain(proven).collect()
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
            // ONLY: partitions' keys are made by themselves, under their own names, and attached.
            let only = if constraint.contype == "c" || joins_with_partitions(old, new) {
                ""
            } else {
                "only "
            };
            format!(
                "alter table {only}{table} add constraint {} {}",
                identifier(&constraint.name),
                constraint.definition
            )
        })
        .collect()
}

/// A check that it had of its parents alone.
fn becomes_its_own(before: &ConstraintStructure, after: &ConstraintStructure) -> bool {
    after.contype == "c" && before.inherited && !before.local && after.local
}

/// A partitioned table with partitions became one itself. Its indexes came of the attaching, to all below it, and are made so:
/// one without its partitions' shares is not valid, and the attaching makes another, a second primary key.
fn joins_with_partitions(old: Option<&RelationStructure>, new: &RelationStructure) -> bool {
    old.is_some_and(|old| old.bound.is_none()) && new.bound.is_some() && !new.children.is_empty()
}

/// A key that took an index over (USING INDEX): the index that is here bears its name already.
fn take_index_over(
    old: Option<&RelationStructure>,
    constraint: &ConstraintStructure,
) -> Option<String> {
    let index = old?.indexes.iter().find(|index| index.name == constraint.name && index.unique)?;
    let kind = match constraint.contype.as_str() {
        "p" => "primary key",
        "u" => "unique",
        _ => return None,
    };
    let deferrable =
        constraint.definition.find(" DEFERRABLE").map_or("", |at| &constraint.definition[at..]);
    let name = identifier(&index.name);
    Some(format!("add constraint {name} {kind} using index {name}{deferrable}"))
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
            // Taken over by a constraint (USING INDEX), under the constraint's name.
            None if new.constraints.iter().any(|c| c.name == before.name) => {}
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
    let (old, new) = (storage(old), storage(new));
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

fn attach_index(parent: &str, of: &RelationStructure, name: &str) -> String {
    format!("alter index {parent} attach partition {}", qualified(&of.schema, name))
}

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
        .filter(|parent| !new.parents.iter().any(|other| other.oid == parent.oid))
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
        .filter(|parent| !old.parents.iter().any(|other| other.oid == parent.oid))
        .map(|parent| match &new.bound {
            Some(bound) => attach(parent, &table, bound),
            None => {
                format!("alter table {table} inherit {}", qualified(&parent.schema, &parent.name))
            }
        })
        .collect()
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
