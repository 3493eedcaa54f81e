//! What makes a role as it is on the source, in pieces: each may be refused by itself.
use zeroize::Zeroizing;

use crate::{
    postgres::{identifier, literal, setting_name, setting_value},
    wire::{Membership, ParameterGrant, Role},
};

/// One piece.
pub(super) struct Statement {
    /// It can hold a secret.
    pub(super) sql: Zeroizing<String>,
    /// What an operator must do by hand when it is refused; no secret is in it.
    pub(super) by_hand: String,
}

impl Statement {
    fn plain(sql: String) -> Self {
        Self { by_hand: format!("{sql};"), sql: Zeroizing::new(sql) }
    }

    fn secret(sql: String, by_hand: String) -> Self {
        Self { by_hand, sql: Zeroizing::new(sql) }
    }
}

/// Whoever may make roles may make this one.
pub(super) fn create(role: &Role) -> String {
    let name = identifier(&role.name);
    let login = if role.login { "login" } else { "nologin" };
    let inherit = if role.inherit { "inherit" } else { "noinherit" };
    let mut sql = format!("create role {name} {login} {inherit}");
    if role.connection_limit >= 0 {
        sql.push_str(&format!(" connection limit {}", role.connection_limit));
    }
    if let Some(until) = &role.valid_until {
        sql.push_str(&format!(" valid until {}", literal(until)));
    }
    sql
}

/// What may need more rights than that.
pub(super) fn complete(role: &Role) -> Vec<Statement> {
    let name = identifier(&role.name);
    let attributes = [
        (role.createdb, "createdb"),
        (role.createrole, "createrole"),
        (role.replication, "replication"),
        (role.bypassrls, "bypassrls"),
        (role.superuser, "superuser"),
    ];
    let mut statements: Vec<Statement> = attributes
        .into_iter()
        .filter(|(has, _)| *has)
        .map(|(_, word)| Statement::plain(format!("alter role {name} {word}")))
        .collect();
    if let Some(verifier) = &role.verifier {
        statements.push(Statement::secret(
            format!("alter role {name} password {}", literal(verifier.expose())),
            format!("alter role {name} password '...';"),
        ));
    }
    statements.extend(role.settings.iter().filter_map(|setting| set(&name, setting)));
    if let Some(comment) = &role.comment {
        statements
            .push(Statement::plain(format!("comment on role {name} is {}", literal(comment))));
    }
    statements
}

/// A setting's value is not told: applications keep secrets in settings of their own.
fn set(role: &str, setting: &str) -> Option<Statement> {
    let (name, value) = setting.split_once('=')?;
    let quoted = setting_name(name);
    Some(Statement::secret(
        format!("alter role {role} set {quoted} = {}", setting_value(name, value)),
        format!("alter role {role} set {quoted} = '...';"),
    ))
}

/// As it was granted; then, where that is refused, as our own grant. `target_major` decides which options there are.
pub(super) fn memberships(membership: &Membership, target_major: u32) -> Vec<Statement> {
    let grant = grant(membership, target_major);
    let mut ways = Vec::new();
    if let Some(grantor) = &membership.grantor {
        ways.push(Statement::plain(format!("{grant} granted by {}", identifier(grantor))));
    }
    ways.push(Statement::plain(grant));
    ways
}

fn grant(membership: &Membership, target_major: u32) -> String {
    let (role, member) = (identifier(&membership.role), identifier(&membership.member));
    let mut options = Vec::new();
    if membership.admin {
        options.push(if target_major < 16 { "admin option" } else { "admin true" });
    }
    if target_major >= 16 {
        options
            .extend(membership.inherit.map(|on| if on { "inherit true" } else { "inherit false" }));
        options.extend(membership.set.map(|on| if on { "set true" } else { "set false" }));
    }
    let with =
        if options.is_empty() { String::new() } else { format!(" with {}", options.join(", ")) };
    format!("grant {role} to {member}{with}")
}

pub(super) fn parameter(grant: &ParameterGrant) -> Statement {
    let grantable = if grant.grantable { " with grant option" } else { "" };
    Statement::plain(format!(
        "grant {} on parameter {} to {}{grantable}",
        grant.privilege,
        setting_name(&grant.parameter),
        identifier(&grant.grantee)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn membership(inherit: Option<bool>, grantor: Option<&str>) -> Membership {
        Membership {
            role: "g".into(),
            member: "m".into(),
            grantor: grantor.map(str::to_owned),
            admin: true,
            inherit,
            set: inherit.map(|on| !on),
        }
    }

    fn texts(statements: &[Statement]) -> Vec<&str> {
        statements.iter().map(|statement| statement.sql.as_str()).collect()
    }

    #[test]
    fn memberships_have_the_options_that_both_sides_know() {
        assert_eq!(
            texts(&memberships(&membership(None, None), 15)),
            ["grant \"g\" to \"m\" with admin option"]
        );
        assert_eq!(
            texts(&memberships(&membership(None, None), 17)),
            ["grant \"g\" to \"m\" with admin true"]
        );
        assert_eq!(
            texts(&memberships(&membership(Some(true), Some("b")), 17)),
            [
                "grant \"g\" to \"m\" with admin true, inherit true, set false granted by \"b\"",
                "grant \"g\" to \"m\" with admin true, inherit true, set false"
            ]
        );
    }

    #[test]
    fn what_is_told_has_no_secret() {
        let statement = set("\"r\"", "app.key=hush").unwrap();
        assert_eq!(statement.by_hand, "alter role \"r\" set \"app\".\"key\" = '...';");
        assert!(statement.sql.contains("hush"));
    }
}
