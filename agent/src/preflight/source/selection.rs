//! Is something left out that what is chosen can't do without? Does every pattern mean something?
use serde::Deserialize;
use whimbrel_proto::agent::v1::Selection;

use crate::{
    fault::Fault,
    postgres::identifier,
    preflight::{
        ask::{ask, ask_one},
        check::{At, Check, Level, Run, Source},
        finding::{Found, listed},
    },
    selection::Selected,
};

pub(in crate::preflight) const CHECK: Check = Check {
    type_name: "SelectionValidation",
    level: Level::InDatabase,
    at: At::Preflight,
    online_only: false,
    run: Run::Source(|source| Box::pin(look(source))),
};

/// A pattern of the order.
struct Given {
    /// As an option has it.
    option: String,
    regex: String,
    of_schemas: bool,
    includes: bool,
}

#[derive(Deserialize)]
struct Met {
    place: usize,
    met: bool,
    /// Partitions and owned sequences that go with another table, against the pattern's word.
    parts: Vec<String>,
}

/// Something that is chosen, and what it needs.
#[derive(Deserialize)]
struct Dependent {
    object: String,
    needs: String,
    /// Schema and name, in JSON, of the relation that it is a part of.
    relation: Option<String>,
}

#[derive(Deserialize)]
struct Narrowed {
    code: String,
    object: String,
    about: String,
}

#[derive(Deserialize)]
struct LargeObjects {
    any: bool,
}

async fn look(source: &Source<'_>) -> Result<Vec<Found>, Fault> {
    let selected = source.input.selected;
    if selected.is_everything() {
        return Ok(Vec::new());
    }
    let doing = format!("asking what is left out of database {}", source.database);
    let mut found = patterns(source, &doing).await?;
    let sql = source.chosen(include_str!("../sql/selection_dependents.sql"));
    let dependents: Vec<Dependent> = ask(source.client, &doing, &sql, &[]).await?;
    found.extend(dependents.iter().map(needs_left_out));
    let sql = source.chosen(include_str!("../sql/selection_narrowed.sql"));
    let narrowed: Vec<Narrowed> = ask(source.client, &doing, &sql, &[]).await?;
    found.extend(narrowed.iter().filter_map(arrives_with_less));
    if !selected.has_large_objects() {
        let sql = "select exists (select from pg_largeobject_metadata) as any";
        let LargeObjects { any } = ask_one(source.client, &doing, sql, &[]).await?;
        found.extend(any.then(large_objects_stay));
    }
    Ok(found)
}

async fn patterns(source: &Source<'_>, doing: &str) -> Result<Vec<Found>, Fault> {
    let given = given(source.input.selection)?;
    let places: Vec<i32> = (0..).take(given.len()).collect();
    let regexes: Vec<&str> = given.iter().map(|pattern| pattern.regex.as_str()).collect();
    let of_schemas: Vec<bool> = given.iter().map(|pattern| pattern.of_schemas).collect();
    let includes: Vec<bool> = given.iter().map(|pattern| pattern.includes).collect();
    let sql = source.chosen(include_str!("../sql/selection_patterns.sql"));
    let met: Vec<Met> =
        ask(source.client, doing, &sql, &[&places, &regexes, &of_schemas, &includes]).await?;
    let mut found = Vec::new();
    for met in &met {
        let Some(pattern) = given.get(met.place) else { continue };
        if !met.parts.is_empty() {
            found.push(names_parts(pattern, &met.parts));
        } else if !met.met {
            found.push(meets_nothing(pattern, source.database));
        }
    }
    Ok(found)
}

/// Each pattern by itself.
fn given(selection: &Selection) -> Result<Vec<Given>, Fault> {
    let all = [
        ("--include-schema", &selection.include_schemas, true, true),
        ("--exclude-schema", &selection.exclude_schemas, true, false),
        ("--include-table", &selection.include_tables, false, true),
        ("--exclude-table", &selection.exclude_tables, false, false),
    ];
    let mut given = Vec::new();
    for (option, texts, of_schemas, includes) in all {
        for text in texts {
            let one = vec![text.clone()];
            let one = match of_schemas {
                true => Selection { include_schemas: one, ..Selection::default() },
                false => Selection { include_tables: one, ..Selection::default() },
            };
            let read = Selected::new(Some(&one))?;
            let regex = read.include_schemas.into_iter().chain(read.include_tables).next();
            given.push(Given {
                option: format!("{option} '{text}'"),
                regex: regex.unwrap_or_default(),
                of_schemas,
                includes,
            });
        }
    }
    Ok(given)
}

fn meets_nothing(pattern: &Given, database: &str) -> Found {
    let Given { option, includes, .. } = pattern;
    let message = format!("{option} matches nothing in database {database}");
    let found = match includes {
        true => Found::failed("PatternMatchesNothing", message),
        false => Found::warning("PatternMatchesNothing", message),
    };
    found.object(option).remedy("-- start a new migration with the pattern mended, or without it")
}

fn names_parts(pattern: &Given, parts: &[String]) -> Found {
    let Given { option, .. } = pattern;
    let message = format!(
        "{option} names {}: a partition goes with the table that it is a part of, a sequence with the table that owns it, \
         whatever it is called itself",
        listed(parts)
    );
    Found::failed("PatternNamesPart", message)
        .object(option)
        .remedy("-- start a new migration with a pattern for the partitioned or owning table, or one that does not match these")
}

fn needs_left_out(dependent: &Dependent) -> Found {
    let Dependent { object, needs, relation } = dependent;
    let message = format!("{object} is chosen, and needs {needs}, which is left out");
    let names: Option<(String, String)> =
        relation.as_deref().and_then(|names| serde_json::from_str(names).ok());
    let without = match names {
        Some((schema, name)) => {
            format!(
                ", or without its table: --exclude-table '{}.{}'",
                identifier(&schema),
                identifier(&name)
            )
        }
        None => ", or without its schema: --exclude-schema".to_owned(),
    };
    Found::failed("DependsOnLeftOut", message)
        .object(object)
        .remedy(format!("-- start a new migration that has {needs}{without}"))
}

fn arrives_with_less(narrowed: &Narrowed) -> Option<Found> {
    let Narrowed { code, object, about } = narrowed;
    let (code, message) = match code.as_str() {
        "ForeignKeyLeftOut" => (
            "ForeignKeyLeftOut",
            format!(
                "foreign key {object} refers to {about}, which is left out: it is not made on the target"
            ),
        ),
        "PublicationNarrowed" => (
            "PublicationNarrowed",
            format!("publication {object} comes without its table {about}, which is left out"),
        ),
        "HeirLeftOut" => (
            "HeirLeftOut",
            format!(
                "{about} inherits from {object} and is left out: its rows are not seen in {object} on the target"
            ),
        ),
        _ => return None,
    };
    let remedy = format!("-- include {about} too, if it is wanted");
    Some(Found::warning(code, message).object(object).remedy(remedy))
}

fn large_objects_stay() -> Found {
    Found::warning(
        "LargeObjectsLeftOut",
        "there are large objects: they belong to no schema, and stay behind when something is included by name",
    )
    .remedy("-- leave out by --exclude-schema and --exclude-table instead, if they are wanted")
}
