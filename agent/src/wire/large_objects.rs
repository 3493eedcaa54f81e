//! Large objects: they are in no table, and in no change stream.
use serde::{Deserialize, Serialize};

/// One, less its content. Two sides have the same one when these are equal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LargeObject {
    /// Its OID, the same on both sides: the application keeps it in its rows.
    pub oid: u32,
    /// The role that owns it.
    pub owner: String,
    /// Its rights, those of the owner too, in one order on every server.
    pub grants: Vec<LargeObjectGrant>,
    /// COMMENT ON LARGE OBJECT.
    pub comment: Option<String>,
    /// Changes when its content does; empty when it was not asked for.
    #[serde(default)]
    pub digest: String,
}

/// A right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LargeObjectGrant {
    /// By whom.
    pub grantor: String,
    /// To whom; `None`: to everybody.
    pub grantee: Option<String>,
    /// SELECT or UPDATE.
    pub privilege: String,
    /// WITH GRANT OPTION.
    pub grantable: bool,
}

impl LargeObject {
    /// Whether its rights are those that a new one has.
    pub fn has_default_rights(&self) -> bool {
        self.grants.len() == 2
            && self.grants.iter().all(|grant| {
                grant.grantor == self.owner
                    && grant.grantee.as_ref() == Some(&self.owner)
                    && !grant.grantable
            })
    }
}
