//! NOT NULL. 18 keeps it as a constraint: it has a name, may be no heir's, and need not be proven of the rows that are there.
use super::{Around, name_of, renames::Rename};
use crate::{
    postgres::{identifier, literal},
    wire::{ColumnStructure, RelationStructure},
};

/// Behind a column's type. What is not proven can't be said there, and is made by itself.
pub(super) fn clause(column: &ColumnStructure) -> String {
    if !column.not_null || column.not_null_unproven {
        return String::new();
    }
    // Older servers take the name, and forget it.
    match &column.not_null_name {
        Some(name) => format!(" constraint {} not null", identifier(name)),
        None => " not null".into(),
    }
}

/// As 18 writes it apart from the column.
pub(super) fn constraint(column: &ColumnStructure) -> Option<String> {
    let name = column.not_null_name.as_ref()?;
    let alone = if column.not_null_alone { " no inherit" } else { "" };
    let unproven = if column.not_null_unproven { " not valid" } else { "" };
    let column = identifier(&column.name);
    Some(format!("constraint {} not null {column}{alone}{unproven}", identifier(name)))
}

/// What [`clause`] could not say of a column that was just made.
pub(super) fn of_made(
    table: &RelationStructure,
    column: &ColumnStructure,
    around: Around<'_>,
) -> Option<String> {
    if !column.not_null || !around.names_not_null {
        return None;
    }
    let table = name_of(table);
    if column.not_null_unproven {
        return Some(make(&table, column, around));
    }
    heirs(&table, false, column)
}

/// From the one that is here, if any, to that of the source, if any is left there.
pub(super) fn change(
    table: &str,
    old: &ColumnStructure,
    new: &ColumnStructure,
    around: Around<'_>,
) -> Vec<String> {
    match (old.not_null, new.not_null) {
        (_, false) => Vec::new(),
        (false, true) => {
            let mut statements = vec![make(table, new, around)];
            statements.extend(shared(table, new, around));
            statements
        }
        (true, true) if !around.names_not_null => Vec::new(),
        (true, true) if is_another(old, new) => {
            vec![gone(table, new), make(table, new, around)]
        }
        (true, true) => alter(table, old, new),
    }
}

/// The not-null constraints of a heir's parents on a column, and whether every heir of theirs has one too.
const OF_PARENTS: &str = "select k.conrelid::regclass as parent, k.conname from pg_inherits i \
     join pg_constraint k on k.conrelid = i.inhparent and k.contype = 'n' \
     join pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[1] \
     where i.inhrelid = {table}::regclass and a.attname = {column} and k.connoinherit = {alone}";

const ALL_HEIRS_HAVE_IT: &str = " and not exists (with recursive heir(oid) as (select i.inhparent union \
     select d.inhrelid from pg_inherits d join heir on heir.oid = d.inhparent) \
     select from heir join pg_attribute h on h.attrelid = heir.oid where h.attname = {column} and not h.attnotnull)";

/// Before 18 an heir's column may be null where its parent's may not. 18 takes that only of a parent's constraint that is
/// not its heirs'.
pub(super) fn freed(
    table: &str,
    old: &ColumnStructure,
    new: &ColumnStructure,
    around: Around<'_>,
) -> Option<String> {
    let is_bound = around.names_not_null && old.not_null_inherited;
    is_bound.then(|| of_parents(table, new, "false", "", "no inherit"))
}

/// The way back of [`freed`], once no heir may have null any more; of a source that can't say what is not inherited.
fn shared(table: &str, new: &ColumnStructure, around: Around<'_>) -> Option<String> {
    let unsaid = around.names_not_null && new.inherited && new.not_null_name.is_none();
    unsaid.then(|| of_parents(table, new, "true", ALL_HEIRS_HAVE_IT, "inherit"))
}

fn of_parents(table: &str, column: &ColumnStructure, alone: &str, also: &str, how: &str) -> String {
    let which = format!("{OF_PARENTS}{also}")
        .replace("{table}", &literal(table))
        .replace("{column}", &literal(&column.name))
        .replace("{alone}", alone);
    format!(
        "do $whimbrel$ declare its record; begin for its in {which} loop \
         execute format('alter table %s alter constraint %I {how}', its.parent, its.conname); end loop; end $whimbrel$"
    )
}

pub(super) fn gone(table: &str, column: &ColumnStructure) -> String {
    format!("alter table {table} alter column {} drop not null", identifier(&column.name))
}

fn make(table: &str, new: &ColumnStructure, around: Around<'_>) -> String {
    match constraint(new).filter(|_| around.names_not_null) {
        Some(constraint) => format!("alter table {table} add {constraint}"),
        None => format!("alter table {table} alter column {} set not null", identifier(&new.name)),
    }
}

/// Whether the source has dropped it and made one anew: a rename would not do, where an heir has one of its own, and none
/// becomes unproven. An heir can't drop its parent's.
fn is_another(old: &ColumnStructure, new: &ColumnStructure) -> bool {
    let known = old.not_null_oid != 0 && new.not_null_oid != 0;
    let renamed = known && old.not_null_oid != new.not_null_oid && is_renamed(old, new);
    !new.not_null_inherited && (renamed || new.not_null_unproven && !old.not_null_unproven)
}

/// An heir's is renamed with its parent's.
fn is_renamed(old: &ColumnStructure, new: &ColumnStructure) -> bool {
    let named = old.not_null_name.is_some() && new.not_null_name.is_some();
    named
        && old.not_null_name != new.not_null_name
        && !(old.not_null_inherited && new.not_null_inherited)
}

/// Those of columns that stay, which share their names with the table's other constraints.
pub(super) fn renames(
    old: &RelationStructure,
    new: &RelationStructure,
    around: Around<'_>,
) -> Vec<Rename> {
    if !around.names_not_null {
        return Vec::new();
    }
    let rename = |after: &ColumnStructure| {
        let before = old.columns.iter().find(|before| before.num == after.num)?;
        let stays = before.not_null && after.not_null && !is_another(before, after);
        (stays && is_renamed(before, after))
            .then(|| Some((before.not_null_name.clone()?, after.not_null_name.clone()?)))?
    };
    new.columns.iter().filter_map(rename).collect()
}

/// Its name it has already.
fn alter(table: &str, old: &ColumnStructure, new: &ColumnStructure) -> Vec<String> {
    let (Some(name), Some(to)) = (old.not_null_name.as_ref(), new.not_null_name.as_ref()) else {
        return Vec::new();
    };
    let name = if is_renamed(old, new) { to } else { name };
    let mut statements = Vec::new();
    if old.not_null_unproven && !new.not_null_unproven {
        statements.push(format!("alter table {table} validate constraint {}", identifier(name)));
    }
    statements.extend(heirs(table, old.not_null_alone, new));
    statements
}

/// Whether the column's constraint is its heirs' too, as on the source; `alone`: it is not here.
fn heirs(table: &str, alone: bool, new: &ColumnStructure) -> Option<String> {
    let name = new.not_null_name.as_ref().filter(|_| alone != new.not_null_alone)?;
    let how = if new.not_null_alone { "no inherit" } else { "inherit" };
    Some(format!("alter table {table} alter constraint {} {how}", identifier(name)))
}
