//! What is left out, as pg_dump's options.
//!
//! pg_dump takes patterns, and within double quotes nothing in one is special but `""`; names in parentheses, parted by `|`,
//! are one pattern for all of them.
use std::collections::BTreeMap;

use super::Selected;
use crate::{
    fault::{Doing, Fault},
    postgres::{Client, identifier},
};

/// Names of one pattern, in bytes: the server makes a regular expression of it, and its cost grows with more than its length.
const PATTERN_BYTES: usize = 4096;

/// All options, in bytes: a command line has 2 MB on Linux, and the environment is in it.
const OPTIONS_BYTES: usize = 1 << 20;

/// Names that are left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Schemas.
    pub schemas: Vec<String>,
    /// Relations in other schemas, by schema.
    pub relations: BTreeMap<String, Vec<String>>,
}

impl LeftOut {
    /// Asks for them.
    ///
    /// # Errors
    /// The server's.
    pub async fn read(client: &Client, selected: &Selected) -> Result<Self, Fault> {
        let mut left_out = Self::default();
        if selected.is_everything() {
            return Ok(left_out);
        }
        let sql = selected.sql(include_str!("sql/left_out.sql"));
        let rows = client.query(&*client.sql(&sql), &[]).await.doing("asking what is left out")?;
        for row in &rows {
            let (schema, relation): (String, Option<String>) = (row.get(0), row.get(1));
            match relation {
                None => left_out.schemas.push(schema),
                Some(relation) => left_out.relations.entry(schema).or_default().push(relation),
            }
        }
        Ok(left_out)
    }
}

/// Options that make pg_dump leave all of it out.
///
/// # Errors
/// `SelectionTooLong` when no command line holds them.
pub fn dump_options(left_out: &LeftOut) -> Result<Vec<String>, Fault> {
    let mut options: Vec<String> = grouped(&left_out.schemas)
        .into_iter()
        .map(|names| format!("--exclude-schema={names}"))
        .collect();
    for (schema, relations) in &left_out.relations {
        let schema = identifier(schema);
        let tables = grouped(relations);
        options.extend(tables.iter().map(|names| format!("--exclude-table={schema}.{names}")));
    }
    if options.iter().map(String::len).sum::<usize>() <= OPTIONS_BYTES {
        return Ok(options);
    }
    Err(Fault::hold(
        "SelectionTooLong",
        format!(
            "telling pg_dump what is left out: {} schemas and {} tables, views and sequences by name",
            left_out.schemas.len(),
            left_out.relations.values().map(Vec::len).sum::<usize>()
        ),
    )
    .remedy("cancel, and leave out (or include) whole schemas in a new migration"))
}

/// `("a"|"b")`, of as many names as a pattern may have.
fn grouped(names: &[String]) -> Vec<String> {
    let mut groups: Vec<String> = Vec::new();
    for name in names.iter().map(|name| identifier(name)) {
        match groups.last_mut() {
            Some(group) if group.len() + name.len() < PATTERN_BYTES => {
                group.push('|');
                group.push_str(&name);
            }
            _ => groups.push(format!("({name}")),
        }
    }
    for group in &mut groups {
        group.push(')');
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_and_put_together() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let left_out = LeftOut {
            schemas: names(&["a", "B.c"]),
            relations: BTreeMap::from([("s".to_owned(), names(&["x\"y", "z"]))]),
        };
        assert_eq!(
            dump_options(&left_out).unwrap(),
            ["--exclude-schema=(\"a\"|\"B.c\")", "--exclude-table=\"s\".(\"x\"\"y\"|\"z\")"]
        );
        assert!(dump_options(&LeftOut::default()).unwrap().is_empty());
    }

    #[test]
    fn patterns_and_the_command_line_are_bounded() {
        let many = |count: u32| (0..count).map(|n| format!("table_{n:08}")).collect::<Vec<_>>();
        let groups = grouped(&many(1000));
        assert!(groups.len() > 1 && groups.iter().all(|group| group.len() <= PATTERN_BYTES + 1));
        let of = |count| LeftOut { schemas: many(count), ..LeftOut::default() };
        assert!(dump_options(&of(50_000)).is_ok());
        assert_eq!(dump_options(&of(100_000)).unwrap_err().code, "SelectionTooLong");
    }
}
