//! Settings, as SQL.
use super::{identifier, literal};

/// Lists of names are kept quoted as they are (pg_dump's `variable_is_guc_list_quote`).
const LISTS: &[&str] = &[
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// The name, each part quoted.
pub(crate) fn setting_name(name: &str) -> String {
    name.split('.').map(identifier).collect::<Vec<_>>().join(".")
}

/// What comes behind `set … =`.
pub(crate) fn setting_value(name: &str, value: &str) -> String {
    if LISTS.contains(&name.to_lowercase().as_str()) && !value.is_empty() {
        value.to_owned()
    } else {
        literal(value).trim_start().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_sql() {
        assert_eq!(setting_name("app.Key"), "\"app\".\"Key\"");
        assert_eq!(setting_value("search_path", "\"$user\", public"), "\"$user\", public");
        assert_eq!(setting_value("search_path", ""), "''");
        assert_eq!(setting_value("DateStyle", "ISO, DMY"), "'ISO, DMY'");
    }
}
