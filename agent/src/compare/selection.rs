//! Patterns of schemas and tables, as the regular expressions that the catalog's queries take.
use whimbrel_proto::{
    agent::v1::Selection,
    pattern::{InvalidPattern, Pattern},
};

use crate::fault::Fault;

/// Parts schema from table in what is matched: no name of a sane database has it.
const PARTING: char = '\u{1}';

/// Ready for the queries: `$n` of `prelude.sql`.
#[derive(Debug, Clone, Default)]
pub struct Selected {
    pub(crate) include_schemas: Vec<String>,
    pub(crate) exclude_schemas: Vec<String>,
    pub(crate) include_tables: Vec<String>,
    pub(crate) exclude_tables: Vec<String>,
}

impl Selected {
    /// A message that has none selects everything.
    ///
    /// # Errors
    /// A pattern that can't be one, which the controller has refused already.
    pub fn new(selection: Option<&Selection>) -> Result<Self, Fault> {
        let Some(selection) = selection else { return Ok(Self::default()) };
        Ok(Self {
            include_schemas: schemas(&selection.include_schemas)?,
            exclude_schemas: schemas(&selection.exclude_schemas)?,
            include_tables: tables(&selection.include_tables)?,
            exclude_tables: tables(&selection.exclude_tables)?,
        })
    }
}

fn schemas(patterns: &[String]) -> Result<Vec<String>, Fault> {
    let read = |text: &String| Pattern::of_schema(text).map(|pattern| pattern.name);
    patterns.iter().map(read).collect::<Result<_, _>>().map_err(|error| invalid(&error))
}

fn tables(patterns: &[String]) -> Result<Vec<String>, Fault> {
    let read = |text: &String| Pattern::of_table(text).map(|pattern| whole(&pattern));
    patterns.iter().map(read).collect::<Result<_, _>>().map_err(|error| invalid(&error))
}

/// Schema and name in one expression: each is `^(…)$` by itself.
fn whole(pattern: &Pattern) -> String {
    let inner = |anchored: &str| anchored.trim_start_matches('^').trim_end_matches('$').to_owned();
    let any = format!("[^{PARTING}]*");
    let schema = pattern.schema.as_deref().map_or(any, inner);
    format!("^{schema}{PARTING}{}$", inner(&pattern.name))
}

fn invalid(error: &InvalidPattern) -> Fault {
    Fault::hold("PatternInvalid", format!("reading the patterns of what is selected: {error}"))
        .remedy("write patterns as pg_dump's: SCHEMA.TABLE with * and ?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_and_table_are_matched_as_one() {
        let of = |text: &str| whole(&Pattern::of_table(text).unwrap());
        assert_eq!(of("a.b*"), "^(a)\u{1}(b.*)$");
        assert_eq!(of("b"), "^[^\u{1}]*\u{1}(b)$");
    }
}
