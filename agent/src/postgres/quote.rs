//! Names and texts as SQL.
use postgres_protocol::escape;

/// A name, always quoted, so that case and reserved words survive.
#[must_use]
pub fn identifier(name: &str) -> String {
    escape::escape_identifier(name)
}

/// `"schema"."name"`.
#[must_use]
pub fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", identifier(schema), identifier(name))
}

/// A text. The escape string form (` E'…'`) is used when there is a backslash, so the setting
/// `standard_conforming_strings` does not matter.
#[must_use]
pub fn literal(text: &str) -> String {
    escape::escape_literal(text)
}

/// That two values are the same to an index, by its operator and, where it is not the column's own, its collation.
pub fn same_to_index(left: &str, operator: &str, right: &str, collation: Option<&str>) -> String {
    match collation {
        Some(collation) => format!("{left} {operator} {right} collate {collation}"),
        None => format!("{left} {operator} {right}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_are_quoted() {
        assert_eq!(qualified("S a", "t\"x"), "\"S a\".\"t\"\"x\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\b").trim_start(), "E'a\\\\b'");
    }
}
