//! Sequences, types, functions, schemas, extensions.
use super::{Around, renames::ordered};
use crate::{
    postgres::{identifier, literal, qualified},
    wire::{
        ConstraintStructure, ExtensionStructure, FunctionStructure, SchemaStructure,
        SequenceStructure, TypeStructure,
    },
};

/// RENAME and SET SCHEMA: from where it was to where it is.
fn moved(keyword: &str, old: (&str, &str), new: (&str, &str), arguments: &str) -> Vec<String> {
    let mut statements = Vec::new();
    if old.0 != new.0 {
        let from = qualified(old.0, old.1);
        let to = identifier(new.0);
        statements.push(format!("alter {keyword} {from}{arguments} set schema {to}"));
    }
    if old.1 != new.1 {
        let from = qualified(new.0, old.1);
        let to = identifier(new.1);
        statements.push(format!("alter {keyword} {from}{arguments} rename to {to}"));
    }
    statements
}

fn owned(keyword: &str, name: &str, owner: &str) -> String {
    format!("alter {keyword} {name} owner to {}", identifier(owner))
}

/// An identity column's comes with its column.
pub(super) fn create_sequence(new: &SequenceStructure) -> Vec<String> {
    if new.identity {
        return Vec::new();
    }
    let name = qualified(&new.schema, &new.name);
    let kind = if new.persistence == "u" { "unlogged " } else { "" };
    vec![
        format!("create {kind}sequence {name} as {} {}", new.type_name, new.options),
        owned("sequence", &name, &new.owner),
    ]
}

pub(super) fn alter_sequence(old: &SequenceStructure, new: &SequenceStructure) -> Vec<String> {
    let mut statements = moved("sequence", (&old.schema, &old.name), (&new.schema, &new.name), "");
    let name = qualified(&new.schema, &new.name);
    if (&old.type_name, &old.options) != (&new.type_name, &new.options) {
        // RESTART: where it stands here may be out of its new bounds; its place comes with the cutover.
        let (kind, options) = (&new.type_name, &new.options);
        statements.push(format!("alter sequence {name} as {kind} {options} restart"));
    }
    if old.owner != new.owner && new.owned_by.is_none() {
        statements.push(owned("sequence", &name, &new.owner));
    }
    statements
}

pub(super) fn own_sequence(new: &SequenceStructure) -> Vec<String> {
    if new.identity {
        return vec![identity_type(new)];
    }
    let by = new.owned_by.as_deref().unwrap_or("none");
    vec![format!("alter sequence {} owned by {by}", qualified(&new.schema, &new.name))]
}

/// An identity's is of its column's type, which nobody can say otherwise; but one that came with LIKE … INCLUDING IDENTITY is a
/// bigint with the other one's bounds (parse_utilcmd.c, `transformTableLikeClause`), and pg_dump does not tell it.
fn identity_type(new: &SequenceStructure) -> String {
    let name = qualified(&new.schema, &new.name);
    format!("alter sequence {name} as {} {}", new.type_name, new.options)
}

pub(super) fn create_type(new: &TypeStructure) -> Vec<String> {
    let name = qualified(&new.schema, &new.name);
    let mut statements = match new.typtype.as_str() {
        "e" => {
            let labels: Vec<String> =
                new.labels.iter().map(|label| literal(&label.label)).collect();
            vec![format!("create type {name} as enum ({})", labels.join(", "))]
        }
        "d" => create_domain(new, &name),
        kind => {
            let options = new.options.as_deref().unwrap_or_default();
            let range = if kind == "r" { " as range" } else { "" };
            let defined = if options.is_empty() { "" } else { &format!("{range} ({options})") };
            vec![format!("create type {name}{defined}")]
        }
    };
    if is_shell(new) {
        return statements;
    }
    let keyword = if new.typtype == "d" { "domain" } else { "type" };
    statements.push(owned(keyword, &name, &new.owner));
    statements
}

/// `create type s.t;`: its functions can speak of it before it is defined.
fn is_shell(of: &TypeStructure) -> bool {
    of.typtype == "p"
}

fn create_domain(new: &TypeStructure, name: &str) -> Vec<String> {
    let mut sql = format!("create domain {name} as {}", new.base.as_deref().unwrap_or("text"));
    if let Some(collation) = &new.collation {
        sql.push_str(&format!(" collate {collation}"));
    }
    if let Some(default) = &new.default {
        sql.push_str(&format!(" default {default}"));
    }
    if new.not_null {
        // Older servers take the name, and forget it.
        if let Some(constraint) = &new.not_null_name {
            sql.push_str(&format!(" constraint {}", identifier(constraint)));
        }
        sql.push_str(" not null");
    }
    // In the same statement: one that is added is planned, and a function in it may read what is not there yet.
    let (valid, unproven): (Vec<_>, Vec<_>) = new.constraints.iter().partition(|it| it.valid);
    for constraint in valid {
        let name = identifier(&constraint.name);
        sql.push_str(&format!(" constraint {name} {}", constraint.definition));
    }
    let mut statements = vec![sql];
    statements.extend(unproven.into_iter().map(|constraint| add_check(name, constraint)));
    statements
}

fn add_check(domain: &str, constraint: &ConstraintStructure) -> String {
    let name = identifier(&constraint.name);
    format!("alter domain {domain} add constraint {name} {}", constraint.definition)
}

pub(super) fn alter_type(
    old: &TypeStructure,
    new: &TypeStructure,
    around: Around<'_>,
) -> Vec<String> {
    if is_shell(old) && !is_shell(new) {
        return create_type(new);
    }
    let keyword = if new.typtype == "d" { "domain" } else { "type" };
    let mut statements = moved(keyword, (&old.schema, &old.name), (&new.schema, &new.name), "");
    let name = qualified(&new.schema, &new.name);
    match new.typtype.as_str() {
        "e" => statements.extend(alter_labels(old, new, &name)),
        "d" => {
            statements.extend(alter_domain(old, new, &name));
            statements.extend(alter_not_null(old, new, &name, around.names_domains_not_null));
        }
        _ if old.settings != new.settings => {
            let settings = new.settings.as_deref().unwrap_or_default();
            statements.push(format!("alter type {name} set ({settings})"));
        }
        _ => {}
    }
    if old.owner != new.owner && !is_shell(new) {
        statements.push(owned(keyword, &name, &new.owner));
    }
    statements
}

/// A label can be added and renamed, never taken away. Names come first: a label that is new may have one that was another's.
fn alter_labels(old: &TypeStructure, new: &TypeStructure, name: &str) -> Vec<String> {
    let before = |oid: u32| old.labels.iter().find(|label| label.oid == oid);
    let renames = new.labels.iter().filter_map(|label| {
        before(label.oid).map(|before| (before.label.clone(), label.label.clone()))
    });
    let names = old.labels.iter().chain(&new.labels).map(|label| label.label.as_str());
    let rename = |(from, to): (String, String)| {
        format!("alter type {name} rename value {} to {}", literal(&from), literal(&to))
    };
    let mut statements: Vec<String> =
        ordered(renames.collect(), names).into_iter().map(rename).collect();
    let first = new.labels.iter().find(|label| before(label.oid).is_some());
    for (place, label) in new.labels.iter().enumerate() {
        if before(label.oid).is_some() {
            continue;
        }
        let at = match place.checked_sub(1).and_then(|before| new.labels.get(before)) {
            Some(before) => format!(" after {}", literal(&before.label)),
            None => {
                first.map_or_else(String::new, |first| format!(" before {}", literal(&first.label)))
            }
        };
        let to = literal(&label.label);
        statements.push(format!("alter type {name} add value if not exists {to}{at}"));
    }
    statements
}

fn alter_domain(old: &TypeStructure, new: &TypeStructure, name: &str) -> Vec<String> {
    let alter = format!("alter domain {name}");
    let (mut statements, mut renames, mut proven) = (Vec::new(), Vec::new(), Vec::new());
    for before in &old.constraints {
        let name = identifier(&before.name);
        match new.constraints.iter().find(|after| after.oid == before.oid) {
            None => statements.push(format!("{alter} drop constraint if exists {name}")),
            Some(after) => {
                renames.push((before.name.clone(), after.name.clone()));
                if !before.valid && after.valid {
                    let name = identifier(&after.name);
                    proven.push(format!("{alter} validate constraint {name}"));
                }
            }
        }
    }
    let named = old.constraints.iter().map(|constraint| constraint.name.as_str());
    for (from, to) in ordered(renames, named) {
        let (from, to) = (identifier(&from), identifier(&to));
        statements.push(format!("{alter} rename constraint {from} to {to}"));
    }
    statements.extend(proven);
    for after in &new.constraints {
        if !old.constraints.iter().any(|before| before.oid == after.oid) {
            statements.push(add_check(name, after));
        }
    }
    if old.default != new.default {
        statements.push(match &new.default {
            Some(default) => format!("{alter} set default {default}"),
            None => format!("{alter} drop default"),
        });
    }
    statements
}

/// A domain's. `named`: the target keeps it as a constraint.
fn alter_not_null(
    old: &TypeStructure,
    new: &TypeStructure,
    name: &str,
    named: bool,
) -> Vec<String> {
    let alter = format!("alter domain {name}");
    let gone = format!("{alter} drop not null");
    let made = match new.not_null_name.as_ref().filter(|_| named) {
        Some(constraint) => format!("{alter} add constraint {} not null", identifier(constraint)),
        None => format!("{alter} set not null"),
    };
    match (old.not_null, new.not_null) {
        (false, true) => vec![made],
        (true, false) => vec![gone],
        (true, true) if named => match (&old.not_null_name, &new.not_null_name) {
            (Some(from), Some(to)) if from != to && old.not_null_oid == new.not_null_oid => {
                let (from, to) = (identifier(from), identifier(to));
                vec![format!("{alter} rename constraint {from} to {to}")]
            }
            (Some(from), Some(to)) if from != to => vec![gone, made],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

pub(super) fn create_function(new: &FunctionStructure) -> Vec<String> {
    vec![new.definition.clone(), own_function(new)]
}

/// ROUTINE: a procedure as well.
pub(super) fn alter_function(old: &FunctionStructure, new: &FunctionStructure) -> Vec<String> {
    let arguments = format!("({})", new.arguments);
    let mut statements =
        moved("routine", (&old.schema, &old.name), (&new.schema, &new.name), &arguments);
    if (&old.definition, &old.source) != (&new.definition, &new.source) {
        statements.push(new.definition.clone());
    }
    if old.owner != new.owner {
        statements.push(own_function(new));
    }
    statements
}

fn own_function(new: &FunctionStructure) -> String {
    owned("routine", &routine(new), &new.owner)
}

/// As ALTER and DROP ROUTINE name it.
pub(in crate::target) fn routine(of: &FunctionStructure) -> String {
    format!("{}({})", qualified(&of.schema, &of.name), of.arguments)
}

pub(super) fn create_schema(new: &SchemaStructure) -> Vec<String> {
    let name = identifier(&new.name);
    vec![format!("create schema if not exists {name}"), owned("schema", &name, &new.owner)]
}

pub(super) fn alter_schema(old: &SchemaStructure, new: &SchemaStructure) -> Vec<String> {
    let name = identifier(&new.name);
    let mut statements = Vec::new();
    if old.name != new.name {
        statements.push(format!("alter schema {} rename to {name}", identifier(&old.name)));
    }
    if old.owner != new.owner {
        statements.push(owned("schema", &name, &new.owner));
    }
    statements
}

/// CASCADE: what it requires is in no message when it came in the same way on the source.
pub(super) fn create_extension(new: &ExtensionStructure) -> Vec<String> {
    vec![format!(
        "create extension if not exists {} schema {} cascade",
        identifier(&new.name),
        identifier(&new.schema)
    )]
}

pub(super) fn alter_extension(old: &ExtensionStructure, new: &ExtensionStructure) -> Vec<String> {
    let name = identifier(&new.name);
    let mut statements = Vec::new();
    if old.schema != new.schema {
        let schema = identifier(&new.schema);
        statements.push(format!("alter extension {name} set schema {schema}"));
    }
    // One that is newer here already stays: there is no way back.
    if old.version != new.version && numbers(&old.version) <= numbers(&new.version) {
        let version = literal(&new.version);
        statements.push(format!("alter extension {name} update to {}", version.trim_start()));
    }
    statements
}

/// Of a version: 1.10 is newer than 1.9.
fn numbers(version: &str) -> Vec<u64> {
    version.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}
