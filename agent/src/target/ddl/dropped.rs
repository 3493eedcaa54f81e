//! What is gone.
use crate::{
    postgres::{identifier, qualified},
    wire::Dropped,
};

/// What becomes of a dropped object here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::target) enum Gone {
    /// A statement.
    Run(String),
    /// It is not here before the switch, or goes with what it is a part of.
    Nothing,
}

/// CASCADE: the source has dropped what depends on it too, and tells that as well; what is here is what was there.
pub(in crate::target) fn gone(dropped: &Dropped) -> Gone {
    if !dropped.told {
        return Gone::Nothing;
    }
    let parts: Vec<&str> = dropped.names.iter().flatten().map(String::as_str).collect();
    let sql = match (dropped.kind.as_str(), parts.as_slice()) {
        ("table column", [schema, table, column]) => format!(
            "alter table if exists {} drop column if exists {} cascade",
            qualified(schema, table),
            identifier(column)
        ),
        ("table constraint", [schema, table, constraint]) => format!(
            "alter table if exists {} drop constraint if exists {} cascade",
            qualified(schema, table),
            identifier(constraint)
        ),
        ("default value", [schema, table, column]) => format!(
            "alter table if exists {} alter column {} drop default",
            qualified(schema, table),
            identifier(column)
        ),
        (
            "table"
            | "foreign table"
            | "view"
            | "materialized view"
            | "index"
            | "sequence"
            | "type"
            | "function"
            | "procedure"
            | "routine"
            | "aggregate"
            | "schema"
            | "extension"
            | "operator"
            | "operator class"
            | "operator family"
            | "cast"
            | "collation"
            | "conversion"
            | "text search configuration"
            | "text search dictionary"
            | "text search parser"
            | "text search template"
            | "server"
            | "language"
            | "access method",
            _,
        ) => format!("drop {} if exists {} cascade", dropped.kind, dropped.identity),
        ("composite type", _) => format!("drop type if exists {} cascade", dropped.identity),
        ("statistics object", _) => format!("drop statistics if exists {}", dropped.identity),
        ("foreign-data wrapper", _) => {
            format!("drop foreign data wrapper if exists {} cascade", dropped.identity)
        }
        ("user mapping" | "transform", _) => return without_name(dropped),
        // Triggers, rules, policies, comments, publications: they come with the switch only.
        _ => return Gone::Nothing,
    };
    Gone::Run(sql)
}

/// What has no name of its own: "app on server far"; "for s.t language l", before 16 "for s.t on language l".
fn without_name(dropped: &Dropped) -> Gone {
    let of = dropped.identity.replacen(" on language ", " language ", 1);
    if dropped.kind == "transform" {
        return Gone::Run(format!("drop transform if exists {of} cascade"));
    }
    of.rsplit_once(" on server ").map_or(Gone::Nothing, |(user, server)| {
        Gone::Run(format!("drop user mapping if exists for {user} server {server}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dropped(kind: &str, identity: &str, names: &[&str], told: bool) -> Dropped {
        Dropped {
            class: 1259,
            oid: 1,
            part: 0,
            kind: kind.into(),
            identity: identity.into(),
            names: Some(names.iter().map(|&name| name.to_owned()).collect()),
            told,
        }
    }

    #[test]
    fn only_what_was_told_is_dropped() {
        let table = dropped("table", "s.\"T\"", &["s", "T"], true);
        assert_eq!(gone(&table), Gone::Run("drop table if exists s.\"T\" cascade".into()));
        assert_eq!(gone(&dropped("type", "s.t", &["s.t"], false)), Gone::Nothing);
        assert_eq!(gone(&dropped("trigger", "x on s.t", &["s", "t", "x"], true)), Gone::Nothing);
        let mapping = dropped("user mapping", "\"a b\" on server far", &["a b"], true);
        assert_eq!(
            gone(&mapping),
            Gone::Run("drop user mapping if exists for \"a b\" server far".into())
        );
        for identity in ["for s.t language l", "for s.t on language l"] {
            assert_eq!(
                gone(&dropped("transform", identity, &["s.t"], true)),
                Gone::Run("drop transform if exists for s.t language l cascade".into())
            );
        }
        let column = dropped("table column", "s.t.\"a b\"", &["s", "t", "a b"], true);
        assert_eq!(
            gone(&column),
            Gone::Run(
                "alter table if exists \"s\".\"t\" drop column if exists \"a b\" cascade".into()
            )
        );
    }
}
