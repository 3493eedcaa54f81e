//! Drops what the source's newer dump has no more, of the kinds that no structure is kept of: where no event trigger told it.
use std::collections::HashSet;

use tokio_postgres::GenericClient;

use super::{
    make_anew::owned_object,
    redump::entries,
    renamed::Renamed,
    schema::{Entry, Plan},
};
use crate::fault::{Doing, Fault};

/// Kinds of entries, as DROP names them too.
const KINDS: [&str; 13] = [
    "AGGREGATE",
    "COLLATION",
    "CONVERSION",
    "FOREIGN TABLE",
    "OPERATOR CLASS",
    "OPERATOR FAMILY",
    "OPERATOR",
    "SERVER",
    "STATISTICS",
    "TEXT SEARCH CONFIGURATION",
    "TEXT SEARCH DICTIONARY",
    "TEXT SEARCH PARSER",
    "TEXT SEARCH TEMPLATE",
];

/// Before each.
const BEFORE: &str = "whimbrel_gone";

/// In the caller's transaction, those first that nothing hangs on. Gives the statements that the server refuses: of what
/// something here uses still.
///
/// # Errors
/// No connection.
pub(super) async fn drop_gone(
    client: &impl GenericClient,
    (before, after): (&Plan, &Plan),
    renamed: &Renamed,
    doing: &str,
) -> Result<Vec<String>, Fault> {
    let there: HashSet<String> = entries(after).filter_map(drop_statement).collect();
    let older = entries(before).filter_map(drop_statement);
    let older = older.map(|sql| renamed.with_its_schema(&sql));
    let gone = older.filter(|sql| !there.contains(sql));
    let mut left: Vec<String> = gone.collect();
    loop {
        let before = left.len();
        let mut stay = Vec::new();
        for sql in left {
            if !try_to_drop(client, &sql, doing).await? {
                stay.push(sql);
            }
        }
        left = stay;
        if left.is_empty() || left.len() == before {
            return Ok(left);
        }
    }
}

async fn try_to_drop(client: &impl GenericClient, sql: &str, doing: &str) -> Result<bool, Fault> {
    let tried = format!("savepoint {BEFORE}; {sql}; release {BEFORE}");
    let Err(error) = client.batch_execute(&tried).await else { return Ok(true) };
    tracing::debug!(%error, sql, "refused so far");
    let back = format!("rollback to {BEFORE}; release {BEFORE}");
    client.batch_execute(&back).await.doing(format!("{doing}: {sql}"))?;
    Ok(false)
}

/// Without CASCADE: what is gone on the source has nothing there that hangs on it.
fn drop_statement(entry: &Entry) -> Option<String> {
    if entry.kind == "CAST" {
        let (cast, _) = entry.sql.trim_start().strip_prefix("CREATE CAST ")?.split_once(" WITH")?;
        return Some(format!("drop cast if exists {cast}"));
    }
    let kind = KINDS.iter().find(|kind| **kind == entry.kind)?;
    let name = owned_object(&entry.sql)?.strip_prefix(kind)?;
    Some(format!("drop {} if exists{name}", kind.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_says_how_its_object_is_dropped() {
        let sql = |kind: &str, sql: &str| {
            let (kind, sql) = (kind.into(), sql.into());
            drop_statement(&Entry { dump_id: 1, class: 0, oid: 0, kind, tag: "x".into(), sql })
        };
        let made = "CREATE OPERATOR s.=== (\n    FUNCTION = s.f\n);\n\n\nALTER OPERATOR s.=== (integer, text) OWNER TO app;\n";
        let dropped = sql("OPERATOR", made);
        assert_eq!(dropped.as_deref(), Some("drop operator if exists s.=== (integer, text)"));
        let dropped = sql("CAST", "\nCREATE CAST (s.a AS text) WITH FUNCTION s.f(s.a);\n");
        assert_eq!(dropped.as_deref(), Some("drop cast if exists (s.a AS text)"));
        assert_eq!(sql("TABLE", "CREATE TABLE t ();\n\nALTER TABLE t OWNER TO app;\n"), None);
    }
}
