//! What the target's checks must know of the source. The controller carries it unread, as JSON.
//!
//! Both agents may be of different versions: a field is never given another meaning, and what is not there has a default.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// The code of a fault that says that the source's agent did not tell what is needed.
pub(super) const SOURCE_FACTS_MISSING: &str = "SourceFactsMissing";

/// A source server.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct SourceFacts {
    pub(super) server_version_num: u32,
    /// "15.18".
    pub(super) server_version: String,
    pub(super) identity: Option<Identity>,
    pub(super) databases: Vec<DatabaseFacts>,
    /// Server parameters that matter on the other side too.
    pub(super) settings: BTreeMap<String, String>,
    /// Server parameters that somebody has set.
    pub(super) parameters: Vec<Parameter>,
    /// Why neither of both could be read.
    pub(super) settings_unknown: Option<String>,
    /// Of the roles that the databases speak of, or, when roles are migrated, of all that are.
    pub(super) role_attributes: Vec<RoleAttributes>,
    /// All roles that are not PostgreSQL's own.
    pub(super) role_names: Vec<String>,
}

/// A server parameter that is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) value: String,
    /// It can be a secret: the value is a digest.
    pub(super) secret: bool,
}

/// A role as it is on a server.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct RoleAttributes {
    pub(super) name: String,
    pub(super) login: bool,
    pub(super) superuser: bool,
    pub(super) bypassrls: bool,
    pub(super) createdb: bool,
    pub(super) createrole: bool,
    pub(super) replication: bool,
    pub(super) connection_limit: i64,
    /// The one that initdb made: it can't be less than a superuser.
    pub(super) first: bool,
    /// Roles that were asked for, and PostgreSQL's own.
    pub(super) member_of: Vec<String>,
    /// None of an older agent.
    #[serde(default)]
    pub(super) inherit: Option<bool>,
    /// `VALID UNTIL`.
    #[serde(default)]
    pub(super) valid_until: Option<String>,
    /// "set on parameter work_mem": as GRANT says it.
    #[serde(default)]
    pub(super) parameters: Vec<String>,
    /// `alter role … set …`, for every database.
    pub(super) settings: Vec<RoleSetting>,
    /// Its password is kept as an MD5 digest. Only a superuser sees it.
    pub(super) md5: bool,
}

/// A setting of a role.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RoleSetting {
    pub(super) name: String,
    /// Of name and value.
    pub(super) digest: String,
    /// None: it can be a secret.
    pub(super) value: Option<String>,
}

/// Tells one running server from another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    /// `pg_control_system().system_identifier`. A physical copy has it too.
    pub(super) system_identifier: String,
    /// `pg_postmaster_start_time()`, in microseconds. A copy runs since another moment.
    pub(super) started: String,
}

/// A database of the source.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct DatabaseFacts {
    pub(super) name: String,
    /// On the source's disk.
    pub(super) bytes: u64,
    /// Tables with rows of their own.
    pub(super) tables: u64,
    pub(super) encoding: String,
    pub(super) collate: String,
    pub(super) ctype: String,
    /// `datlocprovider`: c, i or b.
    pub(super) provider: String,
    pub(super) icu_locale: Option<String>,
    pub(super) owner: String,
    pub(super) roles: Vec<RoleFacts>,
    pub(super) extensions: Vec<ExtensionFacts>,
    pub(super) collations: Vec<CollationFacts>,
    pub(super) tablespaces: Vec<TablespaceFacts>,
    /// What only a superuser can make again.
    pub(super) privileged: Vec<String>,
    /// That may not create where their objects are.
    pub(super) owners_apart: Vec<OwnerFacts>,
    pub(super) libraries: Vec<LibraryFacts>,
    /// That the switch takes: see `sql/locks.sql`.
    pub(super) locks: u64,
    /// What some later major version no longer takes.
    pub(super) breaks: Vec<BreakFacts>,
    /// The system's columns that its views read.
    pub(super) system_columns: Vec<SystemColumnFacts>,
    /// Settings of its own, of roles in it and of its functions.
    pub(super) settings: Vec<SettingFacts>,
    /// Columns that are compressed with lz4.
    pub(super) compressed: Vec<MendedFacts>,
    /// Columns of XML.
    pub(super) xml: Vec<String>,
    /// Providers of security labels.
    pub(super) labels: Vec<LabelFacts>,
    /// Dictionaries that read files.
    pub(super) dictionaries: Vec<DictionaryFacts>,
}

/// Something that a later major version no longer takes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct BreakFacts {
    /// As `sql/version_breaks.sql` names it.
    pub(super) kind: String,
    pub(super) object: String,
    pub(super) remedy: String,
}

/// A column of the system's (or, without one, the relation) that a view reads.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SystemColumnFacts {
    pub(super) view: String,
    pub(super) schema: String,
    pub(super) relation: String,
    pub(super) column: Option<String>,
}

/// A setting that is carried with an object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SettingFacts {
    pub(super) name: String,
    /// None of a setting with a dot: it is an application's own, and can hold a secret.
    #[serde(default)]
    pub(super) value: Option<String>,
    pub(super) object: String,
    pub(super) remedy: String,
}

/// A thing, and what mends it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct MendedFacts {
    pub(super) name: String,
    pub(super) remedy: String,
}

/// Security labels of one provider.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LabelFacts {
    pub(super) provider: String,
    pub(super) labels: u64,
    /// What has one of them.
    pub(super) example: String,
}

/// A text search dictionary.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct DictionaryFacts {
    pub(super) dictionary: String,
    /// With their endings.
    pub(super) files: Vec<String>,
}

/// A collation that the database made, or a system's one that it uses.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct CollationFacts {
    pub(super) schema: String,
    pub(super) name: String,
    /// `collprovider`: c, i, b.
    pub(super) provider: String,
    pub(super) locale: Option<String>,
    /// It is in `pg_catalog`: pg_dump takes it to be everywhere.
    pub(super) of_system: bool,
    pub(super) version: Option<String>,
    pub(super) actual_version: Option<String>,
    /// Some of what uses it.
    pub(super) users: Vec<String>,
    /// Statements that make those do without it, where there are.
    #[serde(default)]
    pub(super) remedies: Vec<String>,
}

/// A tablespace that the database lies in, or a part of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct TablespaceFacts {
    pub(super) name: String,
    pub(super) location: String,
    /// It is the database's own default.
    pub(super) of_database: bool,
    /// Relations that name it.
    pub(super) relations: u64,
}

/// A library of functions in C.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LibraryFacts {
    pub(super) library: String,
    /// One that is in it.
    pub(super) function: String,
}

/// A role that something in a database speaks of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RoleFacts {
    pub(super) name: String,
    /// It owns something; otherwise something is granted to it.
    pub(super) owns: bool,
    pub(super) login: bool,
}

/// An owner that may not create in the schema of what is its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct OwnerFacts {
    pub(super) role: String,
    pub(super) schema: String,
    /// One of them.
    pub(super) object: String,
}

/// An extension in a database.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ExtensionFacts {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) schema: String,
}

impl SourceFacts {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("invariant: strings and numbers always have a JSON form")
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        serde_json::from_slice(bytes).map_err(|error| {
            let message =
                format!("what the source's agent told of the source can't be read: {error}");
            Fault::hold("SourceFactsMissing", message)
                .remedy("look at the source's findings first; run agents of one version")
        })
    }
}
