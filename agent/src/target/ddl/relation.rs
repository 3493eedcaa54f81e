//! Tables, views and composite types.
use std::borrow::Cow;

use super::{Around, column, constraints, indexes, name_of, not_null, parents};
use crate::{
    postgres::{identifier, literal, qualified},
    wire::{ColumnStructure, Publish, Relation, RelationKind, RelationStructure},
};

pub(super) fn create(new: &RelationStructure, around: Around<'_>) -> Result<Vec<String>, String> {
    let name = name_of(new);
    let mut statements = vec![match new.relkind {
        RelationKind::Table | RelationKind::Partitioned => create_table(new, around)?,
        RelationKind::View => {
            format!("create view {name}{} as {}", options(new), definition(new)?)
        }
        RelationKind::MaterializedView => format!(
            "create materialized view {name}{}{}{} as {} with no data",
            access_method(new),
            options(new),
            tablespace(new),
            definition(new)?
        ),
        RelationKind::Composite => {
            let columns: Vec<String> = new.columns.iter().map(column::attribute).collect();
            format!("create type {name} as ({})", columns.join(", "))
        }
        // From a dump, which has its server and its options too.
        RelationKind::Foreign => return Ok(Vec::new()),
    }];
    if new.relkind.is_table() {
        let own = |column: &&ColumnStructure| {
            is_written(new, column) && !is_parents_not_null(new, column)
        };
        let written = new.columns.iter().filter(own);
        statements.extend(written.filter_map(|column| not_null::of_made(new, column, around)));
        statements.extend(column::settings(None, new));
        statements.extend(constraints::new_constraints(None, new));
    }
    statements.extend(indexes::new_indexes(None, new));
    // Behind its keys, so that the parents' indexes find theirs.
    if let (Some(bound), Some(parent)) = (&new.bound, new.parents.first()) {
        statements.push(parents::attach(parent, &name, bound));
        statements.extend(constraints::attach_keys(None, new));
    }
    statements.extend(indexes::identity(None, new));
    statements.push(owner(new));
    Ok(statements)
}

/// Whether CREATE TABLE names the column: an heir's comes with its parent's.
fn is_written(of: &RelationStructure, column: &ColumnStructure) -> bool {
    !of.is_heir() || column.local
}

/// Whether the NOT NULL of a column that an heir names comes with its parent's alone, as 18 tells.
fn is_parents_not_null(of: &RelationStructure, column: &ColumnStructure) -> bool {
    of.is_heir() && column.not_null_inherited && !column.not_null_local
}

fn create_table(new: &RelationStructure, around: Around<'_>) -> Result<String, String> {
    let written = new.columns.iter().filter(|column| is_written(new, column));
    let mut columns: Vec<String> = written
        .map(|column| match &new.of_type {
            Some(_) => column::options_of_typed(column),
            None if is_parents_not_null(new, column) => {
                column::definition(&ColumnStructure { not_null: false, ..column.clone() })
            }
            None => column::definition(column),
        })
        .collect();
    if around.names_not_null {
        // Later it could not be made: where a parent's came, it would be there under that name.
        let own = new.columns.iter().filter(|own| !is_written(new, own) && own.not_null_local);
        columns.extend(own.filter(|own| !own.not_null_unproven).filter_map(not_null::constraint));
    }
    let unlogged = if new.persistence == "u" { "unlogged " } else { "" };
    let mut sql = format!("create {unlogged}table {}", name_of(new));
    if let Some(of) = &new.of_type {
        sql.push_str(&format!(" of {of}"));
    }
    // A type's columns are named once more; where it has none, nothing may stand there.
    if new.of_type.is_none() || !columns.is_empty() {
        sql.push_str(&format!(" ({})", columns.join(", ")));
    }
    if new.is_heir() {
        let parents: Vec<String> =
            new.parents.iter().map(|parent| qualified(&parent.schema, &parent.name)).collect();
        sql.push_str(&format!(" inherits ({})", parents.join(", ")));
    }
    if let Some(key) = &new.partition_key {
        sql.push_str(&format!(" partition by {key}"));
    }
    sql.push_str(&access_method(new));
    sql.push_str(&options(new));
    sql.push_str(&tablespace(new));
    Ok(sql)
}

fn access_method(new: &RelationStructure) -> String {
    new.access_method.as_ref().map_or_else(String::new, |it| format!(" using {}", identifier(it)))
}

fn tablespace(new: &RelationStructure) -> String {
    new.tablespace.as_ref().map_or_else(String::new, |it| format!(" tablespace {}", identifier(it)))
}

/// Where its rows lie, and how.
fn set_place(old: &RelationStructure, new: &RelationStructure) -> Vec<String> {
    let alter = format!("alter {} {}", new.relkind.keyword(), name_of(new));
    let mut statements = Vec::new();
    if old.access_method != new.access_method {
        let name = match &new.access_method {
            Some(name) => identifier(name),
            // It has none of its own.
            None if new.relkind == RelationKind::Partitioned => "default".to_owned(),
            None => "heap".to_owned(),
        };
        statements.push(format!("{alter} set access method {name}"));
    }
    if old.tablespace != new.tablespace {
        let name = new.tablespace.as_deref().unwrap_or("pg_default");
        statements.push(format!("{alter} set tablespace {}", identifier(name)));
    }
    statements
}

pub(super) fn alter(
    old: &RelationStructure,
    new: &RelationStructure,
    around: Around<'_>,
) -> Result<Vec<String>, String> {
    // A rule has made a view of it (before 16), which the source lets be of an empty table only.
    if (old.relkind, new.relkind) == (RelationKind::Table, RelationKind::View) {
        let drop = format!("drop table {}", name_of(old));
        return Ok([vec![drop], create(new, around)?].concat());
    }
    if old.relkind != new.relkind {
        return Err("it became an object of another kind".into());
    }
    if new.relkind == RelationKind::Foreign {
        return alter_foreign(old, new, around);
    }
    let mut statements = rename(old, new);
    let name = name_of(new);
    if new.relkind.is_table() {
        if old.persistence != new.persistence {
            let how = if new.persistence == "u" { "unlogged" } else { "logged" };
            statements.push(format!("alter table {name} set {how}"));
        }
        statements.extend(parents::detach(old, new));
        statements.extend(constraints::old_constraints(old, new, around));
    }
    statements.extend(indexes::old_indexes(old, new));
    match new.relkind {
        RelationKind::Table | RelationKind::Partitioned => {
            // What is of a type can't be altered by itself.
            if old.of_type.is_some() && old.of_type != new.of_type {
                statements.push(format!("alter table {name} not of"));
            }
            statements.extend(column::alter(old, &of_its_own(old, new), around)?);
            if let Some(of) = new.of_type.as_ref().filter(|_| old.of_type != new.of_type) {
                statements.push(format!("alter table {name} of {of}"));
            }
            statements.extend(column::settings(Some(old), new));
            statements.extend(constraints::new_constraints(Some(old), new));
        }
        RelationKind::Composite => statements.extend(column::alter_attributes(old, new)),
        RelationKind::View => {
            statements.extend(column::rename(old, new));
            if (&old.definition, &old.rule) != (&new.definition, &new.rule) {
                let how = format!("create or replace view {name}{}", options(new));
                statements.push(format!("{how} as {}", definition(new)?));
            }
        }
        RelationKind::MaterializedView | RelationKind::Foreign => {
            statements.extend(column::rename(old, new));
        }
    }
    statements.extend(indexes::new_indexes(Some(old), new));
    statements.extend(parents::join(old, new));
    statements.extend(constraints::attach_keys(Some(old), new));
    statements.extend(indexes::identity(Some(old), new));
    statements.extend(set_options(old, new));
    statements.extend(set_place(old, new));
    if old.owner != new.owner {
        statements.push(owner(new));
    }
    Ok(statements)
}

/// What it has in common with a table. Its options, and those of its columns, come with the switch.
fn alter_foreign(
    old: &RelationStructure,
    new: &RelationStructure,
    around: Around<'_>,
) -> Result<Vec<String>, String> {
    // It has no rows here that could be other ones.
    let around = Around { emptied: false, ..around };
    let mut statements = rename(old, new);
    statements.extend(parents::detach(old, new));
    statements.extend(constraints::old_constraints(old, new, around));
    statements.extend(column::alter(old, &of_its_own(old, new), around)?);
    statements.extend(column::settings(Some(old), new));
    statements.extend(constraints::new_constraints(Some(old), new));
    statements.extend(parents::join(old, new));
    if old.owner != new.owner {
        statements.push(owner(new));
    }
    Ok(statements)
}

/// As `new`, without columns that come by a parent, if it has parents that it had not: it joins those with the columns that it has
/// then.
fn of_its_own<'a>(
    old: &RelationStructure,
    new: &'a RelationStructure,
) -> Cow<'a, RelationStructure> {
    let had = |oid: u32| old.parents.iter().any(|parent| parent.oid == oid);
    if new.parents.iter().all(|parent| had(parent.oid)) {
        return Cow::Borrowed(new);
    }
    let mut own = new.clone();
    for column in &mut own.columns {
        column.inherited = false;
    }
    Cow::Owned(own)
}

fn rename(old: &RelationStructure, new: &RelationStructure) -> Vec<String> {
    let keyword = new.relkind.keyword();
    let mut statements = Vec::new();
    let mut name = old.name.clone();
    let mut rename = |statements: &mut Vec<String>, schema: &str, to: &str| {
        let from = qualified(schema, &name);
        statements.push(format!("alter {keyword} {from} rename to {}", identifier(to)));
        to.clone_into(&mut name);
    };
    if old.schema != new.schema {
        // By its old name another may be there by now, and by its new one another here.
        let name = match old.name == new.name {
            true => old.name.clone(),
            false => format!("whimbrel_moves_{}", new.oid),
        };
        if old.name != new.name {
            rename(&mut statements, &old.schema, &name);
        }
        let (from, to) = (qualified(&old.schema, &name), identifier(&new.schema));
        statements.push(format!("alter {keyword} {from} set schema {to}"));
    }
    if old.name != new.name {
        rename(&mut statements, &new.schema, &new.name);
    }
    statements
}

fn owner(new: &RelationStructure) -> String {
    format!("alter {} {} owner to {}", new.relkind.keyword(), name_of(new), identifier(&new.owner))
}

fn definition(new: &RelationStructure) -> Result<&str, String> {
    let text = new.definition.as_deref().ok_or("a view without a definition")?;
    Ok(text.trim_end().trim_end_matches(';'))
}

/// ` with (name = 'value', …)`, or nothing.
fn options(new: &RelationStructure) -> String {
    if new.options.is_empty() {
        return String::new();
    }
    format!(
        " with ({})",
        new.options.iter().map(|option| set(option)).collect::<Vec<_>>().join(", ")
    )
}

fn set(option: &str) -> String {
    let (name, value) = option.split_once('=').unwrap_or((option, "true"));
    format!("{} = {}", parameter(name), literal(value).trim_start())
}

/// A storage parameter's name; those of its TOAST table are the table's too.
fn parameter(name: &str) -> String {
    match name.strip_prefix("toast.") {
        Some(name) => format!("toast.{}", identifier(name)),
        None => identifier(name),
    }
}

fn set_options(old: &RelationStructure, new: &RelationStructure) -> Vec<String> {
    // A view's come with its definition too; setting them twice does no harm.
    let keyword = new.relkind.keyword();
    let name_only = |option: &String| option.split('=').next().unwrap_or_default().to_owned();
    let mut statements = Vec::new();
    let gone: Vec<String> = old
        .options
        .iter()
        .map(name_only)
        .filter(|name| !new.options.iter().map(name_only).any(|kept| kept == *name))
        .map(|name| parameter(&name))
        .collect();
    if !gone.is_empty() {
        statements.push(format!("alter {keyword} {} reset ({})", name_of(new), gone.join(", ")));
    }
    let changed: Vec<String> =
        new.options.iter().filter(|o| !old.options.contains(o)).map(|o| set(o)).collect();
    if !changed.is_empty() {
        statements.push(format!("alter {keyword} {} set ({})", name_of(new), changed.join(", ")));
    }
    statements
}

/// The target's own form, with the source's numbers: what is here is known by the name that it had in the `known` form, or
/// has in the `new` one (what a parent's change has brought, or a person has made).
pub(in crate::target) fn numbered(
    here: &RelationStructure,
    known: Option<&RelationStructure>,
    new: &RelationStructure,
) -> RelationStructure {
    let forms: Vec<&RelationStructure> = known.into_iter().chain([new]).collect();
    let mut here = here.clone();
    let mut of_columns = forms.clone();
    if known.is_some_and(|known| has_new_names(&here, known, new)) {
        of_columns.reverse();
    }
    for column in &mut here.columns {
        let named =
            of_columns.iter().find_map(|f| f.columns.iter().find(|c| c.name == column.name));
        let named = known.and_then(|known| inherited(&column.name, known, new)).or(named);
        column.num = named.map_or(-1, |named| named.num);
        column.not_null_oid = not_null_oid(&forms, column);
        if !column.generated.is_empty() && is_generated_as_before(known, new, column.num) {
            column.default = named.and_then(|named| named.default.clone());
        }
    }
    for constraint in &mut here.constraints {
        let named = |f: &&RelationStructure| {
            f.constraints.iter().find(|c| c.name == constraint.name).map(|c| c.oid)
        };
        constraint.oid = forms.iter().find_map(named).unwrap_or_default();
    }
    for index in &mut here.indexes {
        let named =
            |f: &&RelationStructure| f.indexes.iter().find(|i| i.name == index.name).map(|i| i.oid);
        index.oid = forms.iter().find_map(named).unwrap_or_default();
    }
    // In the source's words, which are its version's.
    if here.bound.is_some() {
        let bound = known.and_then(|known| known.bound.clone()).or_else(|| new.bound.clone());
        here.bound = bound.or(here.bound);
    }
    let parents: Vec<_> = forms.iter().flat_map(|form| &form.parents).collect();
    for parent in &mut here.parents {
        let named = parents.iter().find(|p| (&p.schema, &p.name) == (&parent.schema, &parent.name));
        parent.oid = named.map_or(0, |named| named.oid);
    }
    here
}

/// The column of that name that came with a parent's, and does still: it has its new name with the parent's, which goes first.
fn inherited<'a>(
    name: &str,
    known: &RelationStructure,
    new: &'a RelationStructure,
) -> Option<&'a ColumnStructure> {
    let column = new.columns.iter().find(|column| column.inherited && column.name == name)?;
    let before = known.columns.iter().find(|before| before.num == column.num)?;
    before.inherited.then_some(column)
}

/// Whether a person has given the columns here their new names already. A name can be one column's in the known form and another
/// one's in the new form: then their places tell. Those of what inherits are not its own.
fn has_new_names(
    here: &RelationStructure,
    known: &RelationStructure,
    new: &RelationStructure,
) -> bool {
    let names = |of: &RelationStructure| -> Vec<String> {
        of.columns.iter().map(|column| column.name.clone()).collect()
    };
    let here = names(here);
    let mut before = names(known);
    // It may have gone with its type.
    before.retain(|name| here.contains(name));
    known.parents.is_empty() && new.parents.is_empty() && here == names(new) && here != before
}

/// The source's number of the not-null constraint that has this name there, or had it.
fn not_null_oid(forms: &[&RelationStructure], here: &ColumnStructure) -> u32 {
    let of = |form: &&RelationStructure| form.columns.iter().find(|c| c.name == here.name).cloned();
    let named = forms.iter().filter_map(of).find(|c| c.not_null_name == here.not_null_name);
    named.map_or(0, |named| named.not_null_oid)
}

/// Whether the source generates the column as it did. The target writes that in words of its own, which are no change: to set
/// the expression again would rewrite the table, and before 17 no command does it. What a person has made of it here is found
/// by the cutover's comparison.
fn is_generated_as_before(
    known: Option<&RelationStructure>,
    new: &RelationStructure,
    num: i16,
) -> bool {
    let of = |form: &RelationStructure| {
        let column = form.columns.iter().find(|column| column.num == num)?;
        Some((column.generated.clone(), column.type_name.clone(), column.default.clone()))
    };
    known.and_then(of).is_some_and(|before| of(new) == Some(before))
}

/// As the catalog knows a table with rows of its own.
pub(in crate::target) fn relation_of(new: &RelationStructure) -> Option<Relation> {
    if new.relkind != RelationKind::Table {
        return None;
    }
    let publish = new.publish();
    Some(Relation {
        oid: new.oid,
        schema: new.schema.clone(),
        name: new.name.clone(),
        pages: 0,
        bytes: 0,
        columns: new.stored.clone(),
        identity: new.row_identity(),
        publish,
        binary: new.binary,
        file: None,
        conflicts: publish == Publish::InsertTruncate && arbitrates(new),
    })
}

/// Whether a unique or exclusion index can tell a row that is there already: a deferrable one can't.
fn arbitrates(new: &RelationStructure) -> bool {
    let mut keys = new.constraints.iter().filter(|c| c.has_index()).peekable();
    let any = keys.peek().is_some() || new.indexes.iter().any(|index| index.unique);
    any && keys.all(|key| !key.definition.contains(" DEFERRABLE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The source's numbers of the columns that are here.
    fn numbers(here: &[&str], known: &[(i16, &str)], new: &[(i16, &str)]) -> Vec<i16> {
        let here: Vec<(i16, &str)> = here.iter().map(|name| (0, *name)).collect();
        let form = RelationStructure::of_columns;
        let here = numbered(&form(&here), Some(&form(known)), &form(new));
        here.columns.iter().map(|column| column.num).collect()
    }

    #[test]
    fn a_column_is_known_by_its_older_name_unless_a_person_has_given_it_the_new_one() {
        let known = [(1, "a"), (2, "b")];
        let (handed, exchanged) = ([(1, "b"), (2, "x")], [(1, "b"), (2, "a")]);
        for new in [handed, exchanged] {
            assert_eq!(numbers(&["a", "b"], &known, &new), [1, 2], "not yet");
            assert_eq!(numbers(&["b", new[1].1], &known, &new), [1, 2], "by hand");
        }
        // One has gone with its type, before those that exchange their names are renamed.
        let three = [(1, "a"), (2, "b"), (3, "c")];
        assert_eq!(numbers(&["a", "b"], &three, &exchanged), [1, 2]);
    }
}
