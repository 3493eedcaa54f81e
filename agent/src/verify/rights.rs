//! Who may do what with a database's objects, and what of it is more on one side than on the other.
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    fault::{Doing, Fault},
    postgres::Client,
    selection::Selected,
};

/// The CTEs of all rights.
const RIGHTS: &str = include_str!("rights.sql");

/// The system's own, which every database has.
const SYSTEM: [&str; 2] = ["pg_catalog", "information_schema"];

/// Of tables, before there was MAINTAIN: who has all of them was granted ALL, which is more on a later server.
const ALL_BEFORE_MAINTAIN: [&str; 7] =
    ["DELETE", "INSERT", "REFERENCES", "SELECT", "TRIGGER", "TRUNCATE", "UPDATE"];

/// The server that knows MAINTAIN.
pub const MAINTAIN_SINCE: u32 = 17;

/// Every right on the chosen objects, as the statement that grants it; on the system's own what is more or less than initdb
/// gives ([`Right::is_of_system`]).
///
/// # Errors
/// The server's.
pub async fn rights_of(client: &Client, selected: &Selected) -> Result<Vec<String>, Fault> {
    let own = format!("{RIGHTS} select statement from rights order by 1");
    let doing = "reading the rights on the database's objects";
    let mut statements = Vec::new();
    for sql in [&*own, include_str!("system_rights.sql")] {
        let rows = client.query(&*client.sql(&selected.sql(sql)), &[]).await.doing(doing)?;
        for row in &rows {
            statements.push(row.try_get(0).doing(doing)?);
        }
    }
    Ok(statements)
}

/// What is held on an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Held {
    /// A role, in quotes where it needs them, or `public`.
    pub grantee: String,
    /// "SELECT", "UPDATE (a)".
    pub privilege: String,
    /// The grantee may grant it.
    pub grantable: bool,
    /// An extension grants it by itself, and it was taken away: it is not held.
    pub revoked: bool,
}

/// One privilege of one grantee on one object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// As GRANT names it: "table s.t".
    pub object: String,
    /// Who may what.
    pub held: Held,
}

/// Held on one side, and not or not so on the other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wider {
    /// What is held.
    pub right: Right,
    /// Only that it may be granted is more.
    pub option_only: bool,
}

impl Right {
    /// What [`rights_of`] says; `None` if it says something else.
    pub fn parse(statement: &str) -> Option<Self> {
        let (revoked, grant) = match statement.strip_prefix("revoked: ") {
            Some(grant) => (true, grant),
            None => (false, statement),
        };
        let grant = grant.strip_prefix("grant ")?;
        let (grantable, grant) = match grant.strip_suffix(" with grant option") {
            Some(grant) => (true, grant),
            None => (false, grant),
        };
        let on = bare(grant, " on ").next()?;
        let to = bare(grant, " to ").filter(|to| *to > on).last()?;
        Some(Self {
            object: grant.get(on + " on ".len()..to)?.to_owned(),
            held: Held {
                grantee: grant[to + " to ".len()..].to_owned(),
                privilege: grant[..on].to_owned(),
                grantable,
                revoked,
            },
        })
    }

    /// The statement that grants it.
    pub fn grant(&self) -> String {
        let Held { grantee, privilege, grantable, .. } = &self.held;
        let option = if *grantable { " with grant option" } else { "" };
        format!("grant {privilege} on {} to {grantee}{option}", self.object)
    }

    /// As [`rights_of`] says it.
    pub fn statement(&self) -> String {
        let how = if self.held.revoked { "revoked: " } else { "" };
        format!("{how}{}", self.grant())
    }

    /// That it is not held, though an extension or initdb grants it.
    pub fn revoked(&self) -> Self {
        self.with(self.held.grantable, true)
    }

    /// On what the system made for itself.
    pub fn is_of_system(&self) -> bool {
        let name = self.object.split_once(' ').map_or("", |(_, name)| name);
        let schema = name.split_once('.').map_or(name, |(schema, _)| schema);
        SYSTEM.contains(&schema) && (name.contains('.') || self.kind() == "schema")
    }

    /// Rows can be changed by it, or it is needed for that: whoever stops writes may take it away.
    pub fn may_write(&self) -> bool {
        let privilege = self.held.privilege.split(' ').next().unwrap_or_default();
        match self.kind() {
            "table" => !["SELECT", "REFERENCES", "TRIGGER", "MAINTAIN"].contains(&privilege),
            "sequence" => privilege != "SELECT",
            "schema" => privilege == "USAGE",
            "routine" => true,
            // Types, languages, wrappers and servers are used when something is made.
            _ => false,
        }
    }

    /// "table"; of kinds with more words the first.
    pub fn kind(&self) -> &str {
        self.object.split(' ').next().unwrap_or_default()
    }

    /// Without quotes: a server writes them around what is a keyword to it, which another version's may not.
    fn bare(&self) -> Self {
        let bare = |name: &str| name.replace('"', "");
        let Held { grantee, privilege, .. } = &self.held;
        let (grantee, privilege) = (bare(grantee), bare(privilege));
        Self { object: bare(&self.object), held: Held { grantee, privilege, ..self.held.clone() } }
    }

    fn with(&self, grantable: bool, revoked: bool) -> Self {
        let held = Held { grantable, revoked, ..self.held.clone() };
        Self { object: self.object.clone(), held }
    }
}

impl Wider {
    /// The statement that takes it away.
    pub fn revoke(&self) -> String {
        let Held { grantee, privilege, .. } = &self.right.held;
        let option = if self.option_only { "grant option for " } else { "" };
        format!("revoke {option}{privilege} on {} from {grantee}", self.right.object)
    }
}

/// Places of a word that are in no quotes.
fn bare<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(word)
        .map(|(at, _)| at)
        .filter(|at| text[..*at].matches('"').count().is_multiple_of(2))
}

/// What `there` has and `here` has not: to be granted here. Of an extension's members the rights that it grants by itself are
/// not told, but for those that were taken away.
pub fn missing(there: &BTreeSet<Right>, here: &BTreeSet<Right>) -> Vec<Right> {
    let granted = there.difference(here).filter(|right| !right.held.revoked).cloned();
    let revoked = here.difference(there).filter(|right| right.held.revoked);
    granted.chain(revoked.map(|right| right.with(right.held.grantable, false))).collect()
}

/// Of what is [`missing`], what is not held here in other quotes or with a grant option more either. A server gives only a warning
/// where it grants nothing: of an object that is another role's, on which ours has rights and none to grant.
pub fn lacking(there: &BTreeSet<Right>, here: &BTreeSet<Right>) -> Vec<Right> {
    let (gone, held): (BTreeSet<Right>, BTreeSet<Right>) =
        here.iter().map(Right::bare).partition(|right| right.held.revoked);
    let gone_there: BTreeSet<Right> =
        there.iter().filter(|it| it.held.revoked).map(Right::bare).collect();
    let lacks = |right: &Right| {
        let bare = right.bare();
        if gone.contains(&bare.with(right.held.grantable, true)) {
            return !gone_there.contains(&bare.with(right.held.grantable, true));
        }
        !held.contains(&bare) && !held.contains(&bare.with(true, false))
    };
    missing(there, here).into_iter().filter(lacks).collect()
}

/// What is lacking in this database of the source's rights (`there`), but for the system's own, and for objects that are not here.
///
/// # Errors
/// The server's.
pub async fn lacking_here(
    client: &Client,
    selected: &Selected,
    there: &[String],
) -> Result<Vec<Right>, Fault> {
    let of_database = |statements: &[String]| -> BTreeSet<Right> {
        let rights = statements.iter().filter_map(|it| Right::parse(it));
        rights.filter(|right| !right.is_of_system()).collect()
    };
    let here = of_database(&rights_of(client, selected).await?);
    let lacking = lacking(&of_database(there), &here);
    if lacking.is_empty() {
        return Ok(lacking);
    }
    let names: Vec<String> = lacking.iter().map(|right| right.object.replace('"', "")).collect();
    let sql = format!(
        "{RIGHTS} select distinct replace(name, '\"', '') from objects where replace(name, '\"', '') = any ($1)"
    );
    let rows = client
        .query(&*client.sql(&selected.sql(&sql)), &[&names])
        .await
        .doing("looking for the objects whose rights have not arrived")?;
    let are_here: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    let is_here = |right: &Right| are_here.contains(&right.object.replace('"', ""));
    Ok(lacking.into_iter().filter(is_here).collect())
}

/// What `here` has and `there` has not. `maintain`: both servers know that privilege.
pub fn wider(there: &BTreeSet<Right>, here: &BTreeSet<Right>, maintain: bool) -> Vec<Wider> {
    let taken = there.difference(here).filter(|right| right.held.revoked);
    let there: BTreeSet<Right> = there.iter().map(Right::bare).collect();
    let is_more = |right: &&Right| !right.held.revoked && !there.contains(&right.bare());
    let more = here.iter().filter(is_more).cloned();
    more.chain(taken.map(|right| right.with(right.held.grantable, false)))
        .filter(|right| {
            maintain || right.held.privilege != "MAINTAIN" || !has_all(&there, &right.bare())
        })
        .filter_map(|right| {
            let option_only = there.contains(&right.with(!right.held.grantable, false).bare());
            let is_more = !option_only || right.held.grantable;
            is_more.then_some(Wider { right, option_only })
        })
        .collect()
}

fn has_all(there: &BTreeSet<Right>, right: &Right) -> bool {
    ALL_BEFORE_MAINTAIN.iter().all(|privilege| {
        let one = |grantable| {
            let held = Held { privilege: (*privilege).to_owned(), grantable, ..right.held.clone() };
            there.contains(&Right { object: right.object.clone(), held })
        };
        one(false) || one(true)
    })
}

/// Objects with one owner and the same rights on each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alike {
    /// In quotes where it needs them.
    pub owner: String,
    /// The owner's own are not among them.
    pub held: Vec<Held>,
    /// As GRANT names them.
    pub objects: Vec<String>,
}

/// The rights on every chosen object, also where there are none; `None` when there are more objects than `most`.
///
/// # Errors
/// The server's.
pub async fn rights_by_object(
    client: &Client,
    selected: &Selected,
    most: usize,
) -> Result<Option<Vec<Alike>>, Fault> {
    let select = include_str!("rights_by_object.sql");
    let sql = selected.sql(&format!("{RIGHTS} {select}"));
    let limit = i64::try_from(most).unwrap_or(i64::MAX - 1) + 1;
    let rows = client
        .query(&*client.sql(&sql), &[&limit])
        .await
        .doing("reading the rights on each of the database's objects")?;
    if rows.len() > most {
        return Ok(None);
    }
    let mut alike: BTreeMap<(String, Vec<Held>), Vec<String>> = BTreeMap::new();
    for row in &rows {
        let statements: Vec<String> = row.get(2);
        let held = statements.iter().filter_map(|it| Right::parse(it)).map(|right| right.held);
        alike.entry((row.get(1), held.collect())).or_default().push(row.get(0));
    }
    let group = |((owner, held), objects)| Alike { owner, held, objects };
    Ok(Some(alike.into_iter().map(group).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(statements: &[&str]) -> BTreeSet<Right> {
        statements.iter().map(|it| Right::parse(it).unwrap()).collect()
    }

    fn revokes(there: &[&str], here: &[&str], maintain: bool) -> Vec<String> {
        wider(&rights(there), &rights(here), maintain).iter().map(Wider::revoke).collect()
    }

    #[test]
    fn a_statement_is_read_whatever_its_names_are() {
        let text =
            "grant UPDATE (\"a to b\") on table s.\" on x to y\" to \"r to s\" with grant option";
        let right = Right::parse(text).unwrap();
        assert_eq!(right.object, "table s.\" on x to y\"");
        assert_eq!(right.held.privilege, "UPDATE (\"a to b\")");
        assert_eq!(right.held.grantee, "\"r to s\"");
        assert_eq!(right.grant(), text);
        assert_eq!(Right::parse("alter table t owner to x"), None);
    }

    #[test]
    fn what_was_taken_from_an_extensions_rights_is_wider_and_what_was_given_back_is_missing() {
        let grant = |name: &str| format!("grant SELECT on table {name} to x");
        let (a, b, e) = (grant("a"), grant("b"), grant("e"));
        let (c, d) = (format!("revoked: {}", grant("c")), format!("revoked: {}", grant("d")));
        let (there, here) = ([&*a, &b, &c], [&*b, &d, &e]);
        let missing = missing(&rights(&there), &rights(&here));
        assert_eq!(missing.iter().map(Right::grant).collect::<Vec<_>>(), [a.clone(), grant("d")]);
        assert_eq!(
            revokes(&there, &here, true),
            ["revoke SELECT on table e from x", "revoke SELECT on table c from x"]
        );
    }

    #[test]
    fn of_a_right_with_grant_option_that_alone_can_be_more() {
        let plain = "grant SELECT on table a to x";
        let option = "grant SELECT on table a to x with grant option";
        assert!(revokes(&[option], &[plain], true).is_empty());
        assert_eq!(
            revokes(&[plain], &[option], true),
            ["revoke grant option for SELECT on table a from x"]
        );
    }

    #[test]
    fn what_is_held_in_other_words_or_with_more_is_not_lacking() {
        let lacks = |there: &[&str], here: &[&str]| -> Vec<String> {
            lacking(&rights(there), &rights(here)).iter().map(Right::grant).collect()
        };
        let (plain, option) =
            ("grant SELECT on table a to x", "grant SELECT on table a to x with grant option");
        assert!(lacks(&[plain], &[option]).is_empty());
        assert_eq!(lacks(&[option], &[plain]), [option]);
        let quoted = "grant SELECT on table \"a\" to x";
        assert!(lacks(&[plain], &[quoted]).is_empty());
        let gone = "revoked: grant SELECT on table a to x";
        assert_eq!(lacks(&[], &[gone]), [plain]);
        assert!(lacks(&["revoked: grant SELECT on table \"a\" to x"], &[gone]).is_empty());
    }

    #[test]
    fn a_name_that_is_a_word_of_one_version_is_the_same_right() {
        let there = "grant SELECT (json) on table s.json to app";
        let here = "grant SELECT (\"json\") on table s.\"json\" to app";
        assert!(revokes(&[there], &[here], true).is_empty());
    }

    #[test]
    fn all_of_an_older_server_is_all_here() {
        let all = ALL_BEFORE_MAINTAIN.map(|it| format!("grant {it} on table a to x"));
        let mut here: Vec<&str> = all.iter().map(String::as_str).collect();
        let there = here.clone();
        here.push("grant MAINTAIN on table a to x");
        assert!(revokes(&there, &here, false).is_empty());
        assert_eq!(revokes(&there, &here, true), ["revoke MAINTAIN on table a from x"]);
        assert_eq!(revokes(&there[1..], &here, false).len(), 2);
    }
}
