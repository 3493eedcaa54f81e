//! Which of a database's objects are moved: one meaning for schema, copy, stream, sequences, verification, comparison and
//! checks. The source resolves it, over its own catalog; so does the target, of what is there.
//!
//! - A *relation* (table, view, materialized view, sequence, foreign table) is chosen if there is no pattern of inclusion, or
//!   one matches its schema or itself, and no pattern of exclusion matches either.
//! - A *schema* is chosen if there is no pattern of inclusion, or one names it (a pattern of tables by the part before its
//!   dot; one without a dot speaks of every schema), and no pattern of exclusion of schemas matches.
//!   Functions, types and whatever else is in a schema are chosen with it.
//! - A partition is what its table at the top is, an index what its table is, a sequence what the table is that owns it.
//! - What is in no schema always comes: extensions (with their schema), casts, languages, servers, publications, event
//!   triggers, what is set on the database. Large objects come unless something is included by name, as in pg_dump.
//!
//! Only names decide, and no pattern of ours means anything else to pg_dump: so a table that is made while the stream runs is
//! judged by the same predicate as those that were there.
use std::fmt::Write as _;

use whimbrel_proto::{
    agent::v1::Selection,
    pattern::{InvalidPattern, Pattern},
};

use crate::{fault::Fault, postgres::literal};

mod options;

pub use options::{LeftOut, dump_options};

/// Parts schema from table in what is matched: no name of a sane database has it.
const PARTING: char = '\u{1}';

/// What pg_dump writes and is not made, as class and OID.
pub const NOT_MADE: &str = include_str!("sql/not_made.sql");

/// Schemas that come for an extension's sake, with their owners.
pub const EXTENSION_SCHEMAS: &str = include_str!("sql/extension_schemas.sql");

/// Ready for queries, as regular expressions: `$n` of the comparison's, or as literals in the others'.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selected {
    pub(crate) include_schemas: Vec<String>,
    pub(crate) exclude_schemas: Vec<String>,
    pub(crate) include_tables: Vec<String>,
    pub(crate) exclude_tables: Vec<String>,
    /// Of the schemas that patterns of included tables name.
    schemas_of_tables: Vec<String>,
}

impl Selected {
    /// A message that has none selects everything.
    ///
    /// # Errors
    /// A pattern that can't be one, which the controller has refused already.
    pub fn new(selection: Option<&Selection>) -> Result<Self, Fault> {
        let Some(selection) = selection else { return Ok(Self::default()) };
        let included = patterns(&selection.include_tables, Pattern::of_table)?;
        let of_schemas = |texts: &[String]| -> Result<Vec<String>, Fault> {
            Ok(patterns(texts, Pattern::of_schema)?.into_iter().map(|p| p.name).collect())
        };
        Ok(Self {
            include_schemas: of_schemas(&selection.include_schemas)?,
            exclude_schemas: of_schemas(&selection.exclude_schemas)?,
            include_tables: included.iter().map(whole).collect(),
            exclude_tables: patterns(&selection.exclude_tables, Pattern::of_table)?
                .iter()
                .map(whole)
                .collect(),
            schemas_of_tables: included
                .iter()
                .map(|p| p.schema.clone().unwrap_or_default())
                .collect(),
        })
    }

    /// Nothing is left out.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.excludes_nothing() && self.includes_everything()
    }

    /// Large objects belong to no schema: they come unless something is included by name.
    #[must_use]
    pub fn has_large_objects(&self) -> bool {
        self.includes_everything()
    }

    fn includes_everything(&self) -> bool {
        self.include_schemas.is_empty() && self.include_tables.is_empty()
    }

    fn excludes_nothing(&self) -> bool {
        self.exclude_schemas.is_empty() && self.exclude_tables.is_empty()
    }

    /// A text with conditions in the places of `{schema n.nspname}` (an expression that gives a schema's name),
    /// `{relation c.oid}` (a relation's OID), `{large objects}` and `{everything}`. Its version marks are looked at afterwards: those of the
    /// conditions are among them, and a line with a condition can have none.
    #[must_use]
    pub fn sql(&self, text: &str) -> String {
        let large_objects = if self.has_large_objects() { "true" } else { "false" };
        let everything = if self.is_everything() { "true" } else { "false" };
        let text =
            text.replace("{large objects}", large_objects).replace("{everything}", everything);
        let text = fill(&text, "{schema ", |name| self.schema(name));
        fill(&text, "{relation ", |oid| self.relation(oid))
    }

    fn schema(&self, name: &str) -> String {
        if self.is_everything() {
            return "true".to_owned();
        }
        let name = format!("({name})::text collate \"C\"");
        let named = [&self.include_schemas[..], &self.schemas_of_tables[..]].concat();
        let included =
            if self.includes_everything() { "true".to_owned() } else { matches(&name, &named) };
        format!("({included} and not {})", matches(&name, &self.exclude_schemas))
    }

    fn relation(&self, oid: &str) -> String {
        if self.is_everything() {
            return "true".to_owned();
        }
        include_str!("sql/relation.sql")
            .replace("{relation}", oid)
            .replace("{names}", &self.names("tn.nspname", "tc.relname"))
    }

    /// Of a relation at the top, by its names.
    fn names(&self, schema: &str, name: &str) -> String {
        let whole = format!("({schema}::text || chr(1) || {name}::text) collate \"C\"");
        let schema = format!("{schema}::text collate \"C\"");
        let either = |schemas: &[String], tables: &[String]| {
            format!("({} or {})", matches(&schema, schemas), matches(&whole, tables))
        };
        let included = if self.includes_everything() {
            "true".to_owned()
        } else {
            either(&self.include_schemas, &self.include_tables)
        };
        format!("{included} and not {}", either(&self.exclude_schemas, &self.exclude_tables))
    }
}

/// Whether an expression matches one of the regular expressions.
fn matches(expression: &str, patterns: &[String]) -> String {
    if patterns.is_empty() {
        return "false".to_owned();
    }
    let literals: Vec<String> = patterns.iter().map(|pattern| literal(pattern)).collect();
    format!("({expression}) ~ any (array[{}]::text[])", literals.join(", "))
}

/// Puts what `with` makes of `x` in the place of each `{marker x}`.
fn fill(text: &str, marker: &str, with: impl Fn(&str) -> String) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(marker) {
        let Some((expression, after)) = after.split_once('}') else { break };
        // Writing to a String can't fail.
        write!(filled, "{before}{}", with(expression)).ok();
        rest = after;
    }
    filled.push_str(rest);
    filled
}

fn patterns(
    texts: &[String],
    read: fn(&str) -> Result<Pattern, InvalidPattern>,
) -> Result<Vec<Pattern>, Fault> {
    texts.iter().map(|text| read(text)).collect::<Result<_, _>>().map_err(|error| invalid(&error))
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

    fn selected(include_tables: &[&str], exclude_schemas: &[&str]) -> Selected {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Selected::new(Some(&Selection {
            include_tables: owned(include_tables),
            exclude_schemas: owned(exclude_schemas),
            ..Selection::default()
        }))
        .unwrap()
    }

    #[test]
    fn schema_and_table_are_matched_as_one() {
        let of = |text: &str| whole(&Pattern::of_table(text).unwrap());
        assert_eq!(of("a.b*"), "^(a)\u{1}(b.*)$");
        assert_eq!(of("b"), "^[^\u{1}]*\u{1}(b)$");
    }

    #[test]
    fn everything_is_no_condition() {
        let all = Selected::default();
        assert_eq!(all.sql("where {schema n.nspname} and {relation c.oid}"), "where true and true");
        assert!(all.is_everything() && all.has_large_objects());
    }

    #[test]
    fn a_pattern_of_tables_names_its_schema() {
        let one = selected(&["App.t", "other"], &["x"]);
        assert_eq!(
            one.sql("{schema n.nspname};"),
            "(((n.nspname)::text collate \"C\") ~ any (array['^(app)$', '']::text[]) \
             and not ((n.nspname)::text collate \"C\") ~ any (array['^(x)$']::text[]));"
        );
        assert!(!one.has_large_objects() && selected(&[], &["x"]).has_large_objects());
        let relation = one.sql("{relation c.oid}");
        assert!(relation.contains("select (c.oid)::oid, 0") && !relation.contains("{names}"));
    }
}
