//! Settings, as SQL.
use super::{identifier, literal};

/// Lists: kept as names that are quoted where they need it (pg_dump's `variable_is_guc_list_quote`).
const LISTS: &[&str] = &[
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// Those of them in which a name without quotes is of small letters.
const FOLDED: &[&str] = &["search_path", "temp_tablespaces"];

/// The name, each part quoted.
pub(crate) fn setting_name(name: &str) -> String {
    name.split('.').map(identifier).collect::<Vec<_>>().join(".")
}

/// What comes behind `set … =`.
pub(crate) fn setting_value(name: &str, value: &str) -> String {
    let name = name.to_lowercase();
    let text = |value: &str| literal(value).trim_start().to_owned();
    if !LISTS.contains(&name.as_str()) || value.trim().is_empty() {
        return text(value);
    }
    // Never as names: an empty one can't be written, and is what a list without any is kept as.
    let elements = elements(value, FOLDED.contains(&name.as_str()));
    elements.iter().map(|element| text(element)).collect::<Vec<_>>().join(", ")
}

/// The elements of a list of libraries as it is kept.
pub(crate) fn libraries_of(value: &str) -> Vec<String> {
    elements(value, false)
}

/// Of a statement that sets something on a database, or on a role in it: what is altered, the setting's name and its value, all as
/// they stand there. None of another statement.
pub(crate) fn setting_parts(statement: &str) -> Option<(&str, &str, &str)> {
    let (altered, set) = split_unquoted(statement, " set ")?;
    let (name, value) = split_unquoted(set, " to ")?;
    altered.starts_with("alter ").then_some((altered, name, value))
}

/// At the first `word` that is in no quoted name.
fn split_unquoted<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let is_outside = |at: &usize| text[..*at].matches('"').count().is_multiple_of(2);
    let (at, _) = text.match_indices(word).find(|(at, _)| is_outside(at))?;
    Some((&text[..at], &text[at + word.len()..]))
}

/// The elements of a list as it is kept.
fn elements(list: &str, folded: bool) -> Vec<String> {
    let mut elements = Vec::new();
    let mut rest = Some(list);
    while let Some(list) = rest {
        let list = list.trim_start();
        let (element, behind) = match list.strip_prefix('"') {
            Some(quoted) => unquoted(quoted),
            None => {
                let (element, _) = list.split_once(',').unwrap_or((list, ""));
                let name = element.trim_end();
                let name = if folded { name.to_ascii_lowercase() } else { name.to_owned() };
                (name, &list[element.len()..])
            }
        };
        elements.push(element);
        rest = behind.split_once(',').map(|(_, rest)| rest);
    }
    elements
}

/// A name up to the quote that ends it, two of them being one of its own, and what is behind.
fn unquoted(quoted: &str) -> (String, &str) {
    let mut name = String::new();
    let mut rest = quoted;
    while let Some((part, behind)) = rest.split_once('"') {
        name.push_str(part);
        match behind.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return (name, behind),
        }
    }
    (name + rest, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_statement() {
        let statement = r#"alter role "a set ""b" in database d set "x to y" to 'v to w'"#;
        let altered = r#"alter role "a set ""b" in database d"#;
        assert_eq!(setting_parts(statement), Some((altered, "\"x to y\"", "'v to w'")));
        assert_eq!(setting_parts("grant CONNECT on database d to x"), None);
    }

    #[test]
    fn as_sql() {
        assert_eq!(setting_name("app.Key"), "\"app\".\"Key\"");
        assert_eq!(setting_value("search_path", "\"$user\", public"), "'$user', 'public'");
        assert_eq!(
            setting_value("Search_Path", r#""a, ""b""" ,Odd,"Odd""#),
            r#"'a, "b"', 'odd', 'Odd'"#
        );
        assert_eq!(setting_value("local_preload_libraries", "$libdir/A, b"), "'$libdir/A', 'b'");
        // `set search_path = ''`.
        assert_eq!(setting_value("search_path", "\"\""), "''");
        assert_eq!(setting_value("search_path", ""), "''");
        assert_eq!(setting_value("DateStyle", "ISO, DMY"), "'ISO, DMY'");
    }
}
