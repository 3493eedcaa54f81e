//! Options of a foreign server, its wrapper or a foreign table that were altered on the source: altered here too. Foreign tables,
//! user mappings and views hang on such a one, and would be in the way of making it anew.
use std::collections::HashSet;

use tokio_postgres::GenericClient;

use super::{
    make_anew::{owned_object, owner_line},
    redump::{bare, key},
    schema::Entry,
    text_search::parted,
};
use crate::fault::{Doing, Fault};

/// In the caller's transaction; `false` when more has changed than options and owner since the `older` dump.
///
/// # Errors
/// The server's.
pub(super) async fn alter_options(
    client: &impl GenericClient,
    entry: &Entry,
    older: &Entry,
    doing: &str,
) -> Result<bool, Fault> {
    set_options(client, entry, older, doing, |now, then| {
        (now.head, &now.then) == (then.head, &then.then)
    })
    .await
}

/// Of a foreign table that can't be made anew, for something uses it: in the caller's transaction, its options and its owner. What
/// else its CREATE tells is set with the traits (parents, columns' options), or the comparison of the shapes names it (columns).
/// `false` when more has changed than that tells.
///
/// # Errors
/// The server's.
pub(super) async fn alter_in_use(
    client: &impl GenericClient,
    entry: &Entry,
    older: &Entry,
    doing: &str,
) -> Result<bool, Fault> {
    if entry.kind != "FOREIGN TABLE" {
        return Ok(false);
    }
    set_options(client, entry, older, doing, |now, then| now.then == then.then).await
}

/// Of a foreign table that the stream has given the form that it has on the source: in the caller's transaction, its options and
/// its owner. `false` when there is none here, or the ledger (an older agent's) knows no form of it.
///
/// # Errors
/// The server's.
pub(super) async fn alter_carried(
    client: &impl GenericClient,
    entry: &Entry,
    older: &Entry,
    doing: &str,
) -> Result<bool, Fault> {
    let name = owned_object(&entry.sql).and_then(|object| object.strip_prefix("FOREIGN TABLE "));
    let Some(name) = name else { return Ok(false) };
    let known = "select from whimbrel.structure where oid = $1 and document ->> 'relkind' = 'f' and to_regclass($2) is not null";
    if client.query_opt(known, &[&entry.oid, &name]).await.doing(doing)?.is_none() {
        return Ok(false);
    }
    set_options(client, entry, older, doing, |_, _| true).await
}

async fn set_options(
    client: &impl GenericClient,
    entry: &Entry,
    older: &Entry,
    doing: &str,
    is_alike: impl Fn(&Made<'_>, &Made<'_>) -> bool,
) -> Result<bool, Fault> {
    let Some(options_of) = options_of(&entry.kind) else { return Ok(false) };
    let (now, then) = (Made::of(entry), Made::of(older));
    let Some((object, (now, then))) = owned_object(&entry.sql).zip(now.zip(then)) else {
        return Ok(false);
    };
    let Some(name) = object.strip_prefix(&*entry.kind).map(str::trim) else { return Ok(false) };
    if !is_alike(&now, &then) {
        return Ok(false);
    }
    let row = client.query_one(options_of, &[&name, &bare(name)]).await.doing(doing)?;
    let here: Vec<String> = row.get(0);
    let set = changes(&here, now.options);
    let set = set.map(|set| format!("alter {object} options ({set});")).unwrap_or_default();
    let owner = owner_line(&entry.sql).unwrap_or_default();
    client.batch_execute(&format!("{set}\n{owner}")).await.doing(doing)?;
    Ok(true)
}

/// Asks for the names of the options here, by the object's name ($1) and that without quotes ($2).
fn options_of(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "SERVER" => {
            "select array(select option_name::text from pg_options_to_table(srvoptions)) from pg_foreign_server \
             where replace(srvname, '\"', '') = $2 and $1::text is not null"
        }
        "FOREIGN DATA WRAPPER" => {
            "select array(select option_name::text from pg_options_to_table(fdwoptions)) from pg_foreign_data_wrapper \
             where replace(fdwname, '\"', '') = $2 and $1::text is not null"
        }
        "FOREIGN TABLE" => {
            "select array(select option_name::text from pg_options_to_table(ftoptions)) from pg_foreign_table \
             where ftrelid = $1::text::regclass and $2::text is not null"
        }
        _ => return None,
    })
}

/// A foreign table that is made here comes without its defaults, and without its sequences. Saying either again does no harm.
pub(super) fn is_of_foreign(entry: &Entry, foreign: &[&str]) -> bool {
    let is_said_of = |table: &&str| match entry.kind.as_str() {
        "DEFAULT" => entry.sql.contains(&format!("TABLE ONLY {table} ALTER COLUMN ")),
        "SEQUENCE OWNED BY" => entry.sql.contains(&format!(" OWNED BY {table}.")),
        _ => false,
    };
    foreign.iter().any(is_said_of)
}

/// The foreign table that the entry attaches to a parent: one that is made here comes without.
pub(super) fn attaches<'a>(entry: &Entry, foreign: &[&'a str]) -> Option<&'a str> {
    let (_, child) = entry.sql.split_once(" ATTACH PARTITION ")?;
    let is_it = |name: &&&str| child.strip_prefix(**name).is_some_and(|rest| rest.starts_with(' '));
    foreign.iter().find(is_it).copied()
}

/// An entry of a dump, taken apart.
struct Made<'a> {
    /// Its CREATE, before the options.
    head: &'a str,
    options: &'a str,
    /// What follows the CREATE, but for the owner, and for the options of columns, which are traits.
    then: String,
}

impl<'a> Made<'a> {
    fn of(entry: &'a Entry) -> Option<Self> {
        let (_, _, sql) = key(entry);
        let (create, then) = sql.split_once(";\n")?;
        let with_options = create
            .strip_suffix("\n)")
            .and_then(|create| create.split_once("OPTIONS (\n"))
            .map(|(head, options)| (head, options.trim()));
        let (head, options) = with_options.unwrap_or((create, ""));
        let then = owner_line(then).map_or_else(|| then.to_owned(), |l| then.replacen(l, "", 1));
        let then = without_options_of_columns(&then);
        Some(Self { head: head.trim_end(), options, then })
    }
}

fn without_options_of_columns(then: &str) -> String {
    let (mut kept, mut rest) = (String::new(), then);
    while let Some((line, behind)) = rest.split_once('\n') {
        let is_begun = line.starts_with("ALTER FOREIGN TABLE ") && line.ends_with(" OPTIONS (");
        if let Some((_, behind)) = behind.split_once("\n);\n").filter(|_| is_begun) {
            rest = behind;
            continue;
        }
        kept.push_str(line);
        kept.push('\n');
        rest = behind;
    }
    kept.trim().to_owned()
}

/// What makes the options `new` of those that have the names `here`.
fn changes(here: &[String], new: &str) -> Option<String> {
    let name_of =
        |option: &str| option.split_once(" '").or(option.split_once(" E'")).map(|(n, _)| bare(n));
    let wanted: Vec<&str> = parted(new).into_iter().filter(|option| !option.is_empty()).collect();
    let names: HashSet<String> = wanted.iter().filter_map(|option| name_of(option)).collect();
    let known = |option: &str| {
        name_of(option).is_some_and(|name| here.iter().any(|here| bare(here) == name))
    };
    let gone = here.iter().filter(|name| !names.contains(&bare(name)));
    let gone = gone.map(|name| format!("drop {}", crate::postgres::identifier(name)));
    let set = wanted
        .iter()
        .map(|option| format!("{} {option}", if known(option) { "set" } else { "add" }));
    let all: Vec<String> = gone.chain(set).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_set_added_and_dropped() {
        let here = ["host".to_owned(), "Old one".to_owned()];
        let set = changes(&here, "host 'a, b',\n    \"New, one\" E'it''s\\\\'");
        assert_eq!(
            set.as_deref(),
            Some("drop \"Old one\", set host 'a, b', add \"New, one\" E'it''s\\\\'")
        );
        assert_eq!(changes(&[], ""), None);
    }

    #[test]
    fn an_entry_is_taken_apart() {
        let entry = |sql: &str| Entry {
            dump_id: 1,
            class: 0,
            oid: 0,
            kind: "SERVER".into(),
            tag: "far".into(),
            sql: sql.into(),
        };
        let with = entry(
            "\nCREATE SERVER far FOREIGN DATA WRAPPER w OPTIONS (\n    host 'a'\n);\n\n\nALTER SERVER far OWNER TO x;\n",
        );
        let without = entry(
            "\nCREATE SERVER far FOREIGN DATA WRAPPER w;\n\n\nALTER SERVER far OWNER TO y;\n",
        );
        let (with, without) = (Made::of(&with).unwrap(), Made::of(&without).unwrap());
        assert_eq!((with.head, with.options), (without.head, "host 'a'"));
        assert_eq!((without.options, with.then), ("", without.then));
        let of_column = "ALTER FOREIGN TABLE ONLY t ALTER COLUMN a OPTIONS (\n    name 'x'\n);\n";
        let then =
            format!("\n\n{of_column}ALTER TABLE ONLY t ALTER COLUMN a SET STATISTICS 5;\n\n");
        let set = "ALTER TABLE ONLY t ALTER COLUMN a SET STATISTICS 5;";
        assert_eq!(without_options_of_columns(&then), set);
        assert_eq!(without_options_of_columns("\n\n"), "");
    }
}
