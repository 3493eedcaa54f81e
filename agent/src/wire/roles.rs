//! The roles of a server, as far as they can be read.
use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// All roles but PostgreSQL's own and a service's, with what hangs on them and is not in a database.
#[derive(Debug, Clone)]
pub struct Roles {
    /// Ordered by name.
    pub roles: Vec<Role>,
    /// Who is a member of what.
    pub memberships: Vec<Membership>,
    /// GRANT … ON PARAMETER, from 15 on.
    pub parameters: Vec<ParameterGrant>,
}

/// `pg_roles`.
#[derive(Clone, Serialize, Deserialize)]
pub struct Role {
    /// Not quoted.
    pub name: String,
    /// SUPERUSER.
    pub superuser: bool,
    /// INHERIT.
    pub inherit: bool,
    /// CREATEROLE.
    pub createrole: bool,
    /// CREATEDB.
    pub createdb: bool,
    /// LOGIN.
    pub login: bool,
    /// REPLICATION.
    pub replication: bool,
    /// BYPASSRLS.
    pub bypassrls: bool,
    /// CONNECTION LIMIT; -1: none.
    pub connection_limit: i32,
    /// VALID UNTIL.
    pub valid_until: Option<String>,
    /// COMMENT ON ROLE.
    pub comment: Option<String>,
    /// `name=value`, for every database. Applications keep secrets in settings of their own.
    pub settings: Vec<String>,
    /// What the password is kept as; `None` when it has none, or when our role may not read it.
    #[serde(skip)]
    pub verifier: Option<Verifier>,
}

impl fmt::Debug for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Role").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What the server keeps in the place of a password: whoever has it can try passwords, and MD5's is as good as the
/// password. Wiped when it goes; never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier(Zeroizing<String>);

impl Verifier {
    /// Takes the text over.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// For the receiving server only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(…)")
    }
}

/// `pg_auth_members`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Membership {
    /// The role that is granted.
    pub role: String,
    /// To whom.
    pub member: String,
    /// By whom; `None`: by the server's first superuser, or by a role that is gone.
    pub grantor: Option<String>,
    /// WITH ADMIN OPTION.
    pub admin: bool,
    /// WITH INHERIT; `None`: the server is older than 16.
    pub inherit: Option<bool>,
    /// WITH SET; `None`: the server is older than 16.
    pub set: Option<bool>,
}

/// `pg_parameter_acl`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ParameterGrant {
    /// The parameter.
    pub parameter: String,
    /// To whom.
    pub grantee: String,
    /// SET or ALTER SYSTEM.
    pub privilege: String,
    /// WITH GRANT OPTION.
    pub grantable: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_tells_no_secret() {
        let verifier = Verifier::new("md5hush".into());
        assert!(!format!("{verifier:?}").contains("hush"));
        let role = Role {
            name: "r".into(),
            superuser: false,
            inherit: true,
            createrole: false,
            createdb: false,
            login: true,
            replication: false,
            bypassrls: false,
            connection_limit: -1,
            valid_until: None,
            comment: None,
            settings: vec!["app.key=hush".into()],
            verifier: Some(verifier),
        };
        let roles = Roles { roles: vec![role], memberships: vec![], parameters: vec![] };
        assert!(!format!("{roles:?}").contains("hush"), "{roles:?}");
    }
}
