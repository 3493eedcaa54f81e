//! Marks that a server keeps for itself among a column's options. Servers since the minor releases of 2026 (15.20) write a number
//! into each column's, which says which transaction made it; a `pg_dump` that is older than that writes it as if it were
//! an option of ours, which no other server knows, and which is nothing to be kept.

/// How such an option begins.
const MARK: &str = "pg_attver=";

/// A statement that sets options ends its line so.
const SET: &str = " SET (";

/// An entry's text without them.
pub(super) fn without_marks(sql: String) -> String {
    if !sql.contains(MARK) {
        return sql;
    }
    let lines: Vec<String> = sql.split('\n').filter_map(line_without).collect();
    lines.join("\n")
}

/// `None`: the line said nothing else.
fn line_without(line: &str) -> Option<String> {
    let parts = line.rsplit_once(SET).and_then(|(what, rest)| {
        let options: Vec<&str> = rest.strip_suffix(");")?.split(", ").collect();
        options.iter().any(|option| option.starts_with(MARK)).then_some((what, options))
    });
    let Some((what, mut options)) = parts else { return Some(line.to_owned()) };
    options.retain(|option| !option.starts_with(MARK));
    if !options.is_empty() {
        return Some(format!("{what}{SET}{});", options.join(", ")));
    }
    // A name can hold a line break: then the statement has begun before, and must end. This changes nothing.
    (!what.starts_with("ALTER ")).then(|| format!("{what} RESET (n_distinct);"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_server_s_own_marks_go() {
        let sql = "CREATE TABLE t (\n    a integer\n);\n\
                   ALTER TABLE ONLY t ALTER COLUMN a SET (pg_attver=7);\n\
                   ALTER TABLE ONLY t ALTER COLUMN b SET (pg_attver=7, n_distinct=5);\n\
                   ALTER TABLE ONLY t ALTER COLUMN \"c\n d\" SET (pg_attver=7);\n\
                   ALTER TABLE ONLY t ALTER COLUMN e SET (n_distinct=5);\n";
        let expected = "CREATE TABLE t (\n    a integer\n);\n\
                        ALTER TABLE ONLY t ALTER COLUMN b SET (n_distinct=5);\n\
                        ALTER TABLE ONLY t ALTER COLUMN \"c\n d\" RESET (n_distinct);\n\
                        ALTER TABLE ONLY t ALTER COLUMN e SET (n_distinct=5);\n";
        assert_eq!(without_marks(sql.to_owned()), expected);
        let other = "CREATE FUNCTION f() …";
        assert_eq!(without_marks(other.to_owned()), other);
    }
}
