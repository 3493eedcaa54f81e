//! What is known of an object: enough to make it elsewhere, and to turn an older form of it into a newer one.
//!
//! The source makes these documents (`verify/structure.sql`); the receiver keeps the newest of each object in its
//! ledger. A [`super::Note`] is what the event trigger on the source puts into the change stream.
use serde::{Deserialize, Serialize};

use super::{ConstraintStructure, RelationKind, RelationStructure};

/// One object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Structure {
    /// A table, partitioned table, foreign table, view, materialized view or composite type.
    Relation(Box<RelationStructure>),
    /// A sequence.
    Sequence(SequenceStructure),
    /// An enum, domain, range or base type, or the shell of one.
    Type(TypeStructure),
    /// A function, procedure or window function.
    Function(FunctionStructure),
    /// A schema.
    Schema(SchemaStructure),
    /// An extension.
    Extension(ExtensionStructure),
}

impl Structure {
    /// A type; a composite one is told as a relation.
    #[must_use]
    pub fn is_type(&self) -> bool {
        match self {
            Self::Type(_) => true,
            Self::Relation(of) => of.relkind == RelationKind::Composite,
            _ => false,
        }
    }

    /// The catalog that it is in and its OID, on the source.
    pub fn id(&self) -> (u32, u32) {
        match self {
            Self::Relation(object) => (object.class, object.oid),
            Self::Sequence(object) => (object.class, object.oid),
            Self::Type(object) => (object.class, object.oid),
            Self::Function(object) => (object.class, object.oid),
            Self::Schema(object) => (object.class, object.oid),
            Self::Extension(object) => (object.class, object.oid),
        }
    }

    /// A foreign table: it is made, and goes, with the dumps.
    pub fn is_foreign(&self) -> bool {
        matches!(self, Self::Relation(of) if of.relkind == RelationKind::Foreign)
    }

    /// "table public.orders", for people.
    pub fn label(&self) -> String {
        match self {
            Self::Relation(object) => {
                format!("{} {}.{}", object.relkind.keyword(), object.schema, object.name)
            }
            Self::Sequence(object) => format!("sequence {}.{}", object.schema, object.name),
            Self::Type(object) => format!("type {}.{}", object.schema, object.name),
            Self::Function(object) => {
                format!("function {}.{}({})", object.schema, object.name, object.arguments)
            }
            Self::Schema(object) => format!("schema {}", object.name),
            Self::Extension(object) => format!("extension {}", object.name),
        }
    }
}

/// As `pg_sequence`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceStructure {
    /// `pg_class`'s OID.
    pub class: u32,
    /// On the source.
    pub oid: u32,
    /// Not quoted.
    pub schema: String,
    /// Not quoted.
    pub name: String,
    /// `relpersistence`.
    pub persistence: String,
    /// Role.
    pub owner: String,
    /// As SQL writes it.
    #[serde(rename = "type")]
    pub type_name: String,
    /// As SQL writes them.
    pub options: String,
    /// An identity column's: made with the column.
    pub identity: bool,
    /// The column that owns it; quoted.
    pub owned_by: Option<String>,
}

/// An enum, a domain, a range, a base type or a shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeStructure {
    /// `pg_type`'s OID.
    pub class: u32,
    /// On the source.
    pub oid: u32,
    /// Not quoted.
    pub schema: String,
    /// Not quoted.
    pub name: String,
    /// `typtype`: e, d, r, b; a shell is p.
    pub typtype: String,
    /// Role.
    pub owner: String,
    /// An enum's, in order.
    pub labels: Vec<EnumLabel>,
    /// A domain's.
    pub base: Option<String>,
    /// A domain's, when it is not its base's; quoted.
    pub collation: Option<String>,
    /// A domain's.
    pub not_null: bool,
    /// A domain's, since 17: the constraint that says so, on the source.
    #[serde(default)]
    pub not_null_oid: u32,
    /// Its name; not quoted.
    #[serde(default)]
    pub not_null_name: Option<String>,
    /// A domain's.
    pub default: Option<String>,
    /// A range's and a base type's, as CREATE TYPE takes them.
    #[serde(default)]
    pub options: Option<String>,
    /// A base type's: those of them that ALTER TYPE takes too.
    #[serde(default)]
    pub settings: Option<String>,
    /// A domain's.
    pub constraints: Vec<ConstraintStructure>,
}

/// As `pg_enum`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnumLabel {
    /// On the source.
    pub oid: u32,
    /// The value.
    pub label: String,
}

/// As `pg_proc`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionStructure {
    /// `pg_proc`'s OID.
    pub class: u32,
    /// On the source.
    pub oid: u32,
    /// Not quoted.
    pub schema: String,
    /// Not quoted.
    pub name: String,
    /// Role.
    pub owner: String,
    /// The types of its arguments.
    pub arguments: String,
    /// CREATE OR REPLACE. What was committed when it was read, whatever the snapshot.
    pub definition: String,
    /// A digest of what it is made of, as the snapshot has it.
    #[serde(default)]
    pub source: String,
}

/// As `pg_namespace`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaStructure {
    /// `pg_namespace`'s OID.
    pub class: u32,
    /// On the source.
    pub oid: u32,
    /// Not quoted.
    pub name: String,
    /// Role.
    pub owner: String,
}

/// As `pg_extension`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtensionStructure {
    /// `pg_extension`'s OID.
    pub class: u32,
    /// On the source.
    pub oid: u32,
    /// Not quoted.
    pub name: String,
    /// Not quoted.
    pub schema: String,
    /// Its version.
    pub version: String,
}
