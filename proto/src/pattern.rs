//! Patterns of names, as pg_dump and psql take them (PostgreSQL manual, psql, "Patterns"; pg_dump, `--table`).
//!
//! Letters are folded to lower case unless they stand in double quotes; `*` stands for any characters, `?` for one; a
//! dot outside of quotes parts schema and table; a pattern without a dot stands for that name in every schema. Within
//! double quotes nothing but `""` (one quote) is special. Regular expression characters stand for themselves: pg_dump's
//! `|`, `[…]` and `+` are refused outside of quotes, so that no pattern means something else here.
use std::fmt::Write as _;

/// A pattern of one name, or of a schema's and a table's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// A POSIX regular expression for the schema's name; `None`: any schema.
    pub schema: Option<String>,
    /// One for the name.
    pub name: String,
}

/// The text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// More dots than there are parts.
    #[error(
        "{0:?} has too many dots: write SCHEMA.TABLE, with double quotes around a name that has a dot"
    )]
    Dots(String),
    /// `"abc`.
    #[error("{0:?} has a double quote without its second one")]
    Quote(String),
    /// What pg_dump takes as a regular expression.
    #[error(
        "{0:?} has a {1:?}: put double quotes around a name that has it; of wildcards there are * and ? only"
    )]
    Special(String, char),
}

/// Patterns are read a character at a time; these mean something to regular expressions outside of quotes in pg_dump.
const REFUSED: &str = "|+()[]{}^\\";

impl Pattern {
    /// SCHEMA.TABLE or TABLE.
    ///
    /// # Errors
    /// [`InvalidPattern`].
    pub fn of_table(text: &str) -> Result<Self, InvalidPattern> {
        let mut parts = parts(text)?;
        match (parts.pop(), parts.pop(), parts.is_empty()) {
            (Some(name), schema, true) => Ok(Self { schema, name }),
            _ => Err(InvalidPattern::Dots(text.to_owned())),
        }
    }

    /// SCHEMA.
    ///
    /// # Errors
    /// [`InvalidPattern`].
    pub fn of_schema(text: &str) -> Result<Self, InvalidPattern> {
        let mut parts = parts(text)?;
        match (parts.pop(), parts.is_empty()) {
            (Some(name), true) => Ok(Self { schema: None, name }),
            _ => Err(InvalidPattern::Dots(text.to_owned())),
        }
    }
}

/// The parts between dots, each as an anchored regular expression.
fn parts(text: &str) -> Result<Vec<String>, InvalidPattern> {
    if text.is_empty() {
        return Err(InvalidPattern::Empty);
    }
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(next) = chars.next() {
        match next {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                part.push('"');
            }
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(std::mem::take(&mut part)),
            '*' if !quoted => part.push_str(".*"),
            '?' if !quoted => part.push('.'),
            other if !quoted && REFUSED.contains(other) => {
                return Err(InvalidPattern::Special(text.to_owned(), other));
            }
            other if quoted => push_literal(&mut part, other),
            other => other.to_lowercase().for_each(|lower| push_literal(&mut part, lower)),
        }
    }
    if quoted {
        return Err(InvalidPattern::Quote(text.to_owned()));
    }
    parts.push(part);
    if parts.iter().any(String::is_empty) {
        return Err(InvalidPattern::Empty);
    }
    Ok(parts.into_iter().map(|part| format!("^({part})$")).collect())
}

fn push_literal(part: &mut String, literal: char) {
    if literal.is_alphanumeric() || literal == '_' || literal.is_whitespace() {
        part.push(literal);
    } else if literal.is_ascii() {
        part.push('\\');
        part.push(literal);
    } else {
        // Writing to a String can't fail.
        write!(part, "{literal}").ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> (Option<String>, String) {
        let pattern = Pattern::of_table(text).unwrap();
        (pattern.schema, pattern.name)
    }

    #[test]
    fn as_pg_dump_reads_them() {
        let any = |name: &str| (None, name.to_owned());
        let both = |schema: &str, name: &str| (Some(schema.to_owned()), name.to_owned());
        assert_eq!(table("Orders"), any("^(orders)$"));
        assert_eq!(table("\"Orders\""), any("^(Orders)$"));
        assert_eq!(table("a*.b?"), both("^(a.*)$", "^(b.)$"));
        assert_eq!(table("\"a.b\".\"c\"\"*\""), both("^(a\\.b)$", "^(c\"\\*)$"));
        assert_eq!(table("x$y"), any("^(x\\$y)$"));
        assert_eq!(Pattern::of_schema("App_*").unwrap().name, "^(app_.*)$");
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["", ".", "a.", "a.b.c", "\"a", "a|b", "a[12]", "a+"] {
            assert!(Pattern::of_table(text).is_err(), "{text}");
        }
        assert!(Pattern::of_schema("a.b").is_err());
    }
}
