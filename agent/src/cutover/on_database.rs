//! What was set on the source's database itself (settings, rights, its comment) since the copy began: the switch sets what was
//! there then, and what is another now is told.
use std::collections::BTreeSet;

use super::steps::Steps;
use crate::{
    fault::Fault,
    postgres::{Client, setting_parts},
    wire::{Answer, Ask, unexpected_answer},
};

/// Changes that are named; the rest is counted.
const NAMED: usize = 5;

pub(super) async fn changes(steps: &Steps<'_>, session: &Client) -> Result<Option<String>, Fault> {
    let then = steps.receiver.database_settings(session).await?;
    let Answer::Statements(now) = steps.receiver.caller.ask(Ask::DatabaseSettings).await? else {
        return Err(unexpected_answer());
    };
    Ok(told(&then, &now))
}

fn told(then: &[String], now: &[String]) -> Option<String> {
    let rights = with_rights(now).or_else(|| with_rights(then));
    let (then, now) = (plain(then, rights), plain(now, rights));
    let new = now.difference(&then).map(|statement| without_value(statement).to_owned());
    let gone = then
        .difference(&now)
        .filter(|old| !now.iter().any(|new| without_value(new) == without_value(old)))
        .map(|statement| format!("no longer: {}", without_value(statement)));
    let all: Vec<String> = new.chain(gone).collect();
    if all.is_empty() {
        return None;
    }
    let rest = all.len().saturating_sub(NAMED);
    let named = all[..all.len() - rest].join("; ");
    let more = if rest > 0 { format!("; and {rest} more") } else { String::new() };
    Some(format!(
        "what was set on the source's database itself after the copy began is not carried; set by hand on the target what must \
         be there: {named}{more}"
    ))
}

/// Database and owner, of a list that has rights: it begins them by taking all away.
fn with_rights(statements: &[String]) -> Option<(&str, &str)> {
    statements.iter().find_map(|statement| {
        statement.strip_prefix("revoke all on database ")?.split_once(" from public, ")
    })
}

/// With what the public may do by itself, when nothing is said of rights; the owner's left out.
fn plain(statements: &[String], rights: Option<(&str, &str)>) -> BTreeSet<String> {
    let mut plain: BTreeSet<String> = statements.iter().cloned().collect();
    let Some((database, owner)) = rights else { return plain };
    let of_owner = format!(" to {owner}");
    plain.retain(|it| {
        !(it.starts_with("revoke ") || it.starts_with("grant ") && it.ends_with(&of_owner))
    });
    if with_rights(statements).is_none() {
        plain.extend(
            ["CONNECT", "TEMPORARY"]
                .map(|it| format!("grant {it} on database {database} to public")),
        );
    }
    plain
}

/// Applications keep secrets in settings of their own.
pub(super) fn without_value(statement: &str) -> &str {
    if let Some((.., value)) = setting_parts(statement) {
        return statement[..statement.len() - value.len()].trim_end_matches(" to ");
    }
    match statement.split_once(" is ") {
        Some((what, _)) if statement.starts_with("comment ") => what,
        _ => statement,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(all: &[&str]) -> Vec<String> {
        all.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn what_the_public_may_by_itself_is_no_difference() {
        let now = [
            "revoke all on database d from public, o",
            "grant CONNECT on database d to o",
            "grant CONNECT on database d to public",
            "grant CONNECT on database d to x",
        ];
        let text = told(&[], &texts(&now)).unwrap();
        assert!(text.ends_with(
            ": grant CONNECT on database d to x; no longer: grant TEMPORARY on database d to public"
        ));
    }

    #[test]
    fn what_differs_is_named_without_values() {
        let then =
            texts(&["alter database d set a.key to 'old'", "grant CONNECT on database d to x"]);
        assert_eq!(told(&then, &then), None);
        let now =
            texts(&["alter database d set a.key to 'new'", "comment on database d is 'secret'"]);
        let text = told(&then, &now).unwrap();
        assert!(text.ends_with(
            ": alter database d set a.key; comment on database d; no longer: grant CONNECT on database d to x"
        ));
        assert!(!text.contains("new'") && !text.contains("secret"), "{text}");
    }
}
