//! What is known of an object: enough to make it elsewhere, and to turn an older form of it into a newer one.
//!
//! The source makes these documents (`verify/structure.sql`); the receiver keeps the newest of each object in its
//! ledger. A [`Note`] is what the event trigger on the source puts into the change stream.
use serde::{Deserialize, Serialize};

use super::Column;

/// Prefix of the messages that the event trigger on the source emits.
pub const DDL_PREFIX: &str = "whimbrel_ddl";

/// One object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Structure {
    /// A table, partitioned table, view, materialized view or composite type.
    Relation(Box<RelationStructure>),
    /// A sequence.
    Sequence(SequenceStructure),
    /// An enum, domain or range type.
    Type(TypeStructure),
    /// A function, procedure or window function.
    Function(FunctionStructure),
    /// A schema.
    Schema(SchemaStructure),
    /// An extension.
    Extension(ExtensionStructure),
}

impl Structure {
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

/// `pg_class.relkind`, of those that are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RelationKind {
    /// With rows of its own.
    #[serde(rename = "r")]
    Table,
    /// Partitioned.
    #[serde(rename = "p")]
    Partitioned,
    /// View.
    #[serde(rename = "v")]
    View,
    /// Materialized view.
    #[serde(rename = "m")]
    MaterializedView,
    /// A composite type's own.
    #[serde(rename = "c")]
    Composite,
}

impl RelationKind {
    /// As ALTER and DROP name it.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Table | Self::Partitioned => "table",
            Self::View => "view",
            Self::MaterializedView => "materialized view",
            Self::Composite => "type",
        }
    }

    /// A table, partitioned or not.
    pub fn is_table(self) -> bool {
        matches!(self, Self::Table | Self::Partitioned)
    }
}

/// As `pg_class` and what hangs on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelationStructure {
    /// `pg_class`'s OID.
    pub class: u32,
    /// On the source.
    pub oid: u32,
    /// Not quoted.
    pub schema: String,
    /// Not quoted.
    pub name: String,
    /// What it is.
    pub relkind: RelationKind,
    /// `relpersistence`: p, u.
    pub persistence: String,
    /// Role.
    pub owner: String,
    /// `pg_relation_filenode`: a rewrite or a TRUNCATE gives it another.
    pub file: Option<u32>,
    /// `reloptions`.
    pub options: Vec<String>,
    /// A view's query.
    pub definition: Option<String>,
    /// CREATE TABLE OF a type.
    pub typed: bool,
    /// "RANGE (id)".
    pub partition_key: Option<String>,
    /// "FOR VALUES FROM (0) TO (10)".
    pub bound: Option<String>,
    /// What it inherits from, or is a partition of.
    pub parents: Vec<ParentName>,
    /// OIDs of its partitions or heirs.
    pub children: Vec<u32>,
    /// `relreplident`.
    pub identity: String,
    /// The index of REPLICA IDENTITY USING INDEX.
    pub identity_index: Option<String>,
    /// Its replica identity is a valid key.
    pub keyed: bool,
    /// In the order of their numbers; dropped ones left out.
    pub columns: Vec<ColumnStructure>,
    /// Those that are copied and streamed.
    pub stored: Vec<Column>,
    /// See [`super::Relation::binary`].
    pub binary: bool,
    /// Primary key, unique, exclusion, check and foreign key constraints.
    pub constraints: Vec<ConstraintStructure>,
    /// Indexes that no constraint made.
    pub indexes: Vec<IndexStructure>,
}

/// A name of a parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParentName {
    /// On the source.
    pub oid: u32,
    /// Not quoted.
    pub schema: String,
    /// Not quoted.
    pub name: String,
}

/// As `pg_attribute`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnStructure {
    /// `attnum`: stays whatever the column's name becomes.
    pub num: i16,
    /// Not quoted.
    pub name: String,
    /// As SQL writes it.
    #[serde(rename = "type")]
    pub type_name: String,
    /// `atttypid`.
    pub type_oid: u32,
    /// `atttypmod`.
    pub typmod: i32,
    /// Quoted; when it is not its type's.
    pub collation: Option<String>,
    /// NOT NULL.
    pub not_null: bool,
    /// The expression of its default, or of what generates it.
    pub default: Option<String>,
    /// `attmissingval`, as text: what rows have that are older than the column.
    pub missing: Option<String>,
    /// `attidentity`: a, d or empty.
    pub identity: String,
    /// `attgenerated`: s, v or empty.
    pub generated: String,
    /// Options of the identity's sequence, as SQL writes them.
    pub sequence: Option<String>,
    /// `attstorage`, when it is not its type's.
    pub storage: Option<String>,
    /// `attstattarget`, -1 when it is not set.
    pub statistics: i32,
    /// From a parent.
    pub inherited: bool,
    /// Its own (too).
    pub local: bool,
}

/// As `pg_constraint`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConstraintStructure {
    /// On the source.
    pub oid: u32,
    /// Not quoted.
    pub name: String,
    /// `contype`.
    #[serde(rename = "type")]
    pub contype: String,
    /// `pg_get_constraintdef`.
    pub definition: String,
    /// From a parent.
    pub inherited: bool,
    /// Validated.
    pub valid: bool,
    /// The partitioned index that its own index is attached to; quoted.
    #[serde(default)]
    pub parent_index: Option<String>,
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexStructure {
    /// On the source.
    pub oid: u32,
    /// Not quoted.
    pub name: String,
    /// Unique.
    pub unique: bool,
    /// `indisvalid`.
    pub valid: bool,
    /// `pg_get_indexdef` from USING on.
    pub definition: String,
    /// The partitioned index that it is attached to; quoted.
    pub parent: Option<String>,
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

/// An enum, a domain or a range.
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
    /// `typtype`: e, d, r.
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
    /// A domain's.
    pub default: Option<String>,
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
    /// `pg_get_function_identity_arguments`.
    pub arguments: String,
    /// CREATE OR REPLACE.
    pub definition: String,
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

/// What one command did, as the event trigger tells it.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Note {
    /// Names the migration: another one of the same database has a trigger of its own.
    pub slot: String,
    /// "ALTER TABLE".
    pub tag: String,
    /// SQLSTATE of what kept the trigger from telling.
    pub failed: Option<String>,
    /// SQLSTATE of what kept it from publishing a table.
    pub unpublished: Option<String>,
    /// What the touched objects are now, and their partitions or heirs.
    #[serde(default)]
    pub objects: Vec<Structure>,
    /// Every touched object by name, whatever its kind.
    #[serde(default)]
    pub others: Vec<Touched>,
    /// What is gone.
    #[serde(default)]
    pub dropped: Vec<Dropped>,
    /// The table that is about to be rewritten.
    pub rewritten: Option<u32>,
    /// Why: bits as `pg_event_trigger_table_rewrite_reason`.
    #[serde(default)]
    pub reason: u32,
}

/// A touched object.
#[derive(Debug, Clone, Deserialize)]
pub struct Touched {
    /// "table", "operator class".
    #[serde(rename = "type")]
    pub kind: String,
    /// Quoted; none of a GRANT.
    pub identity: Option<String>,
    /// Its catalog; none of a GRANT.
    pub class: Option<u32>,
    /// On the source; none of a GRANT.
    pub oid: Option<u32>,
}

/// A dropped object.
#[derive(Debug, Clone, Deserialize)]
pub struct Dropped {
    /// Its catalog.
    pub class: u32,
    /// On the source.
    pub oid: u32,
    /// A column's number.
    pub part: i32,
    /// "table", "table constraint", "default value".
    #[serde(rename = "type")]
    pub kind: String,
    /// Quoted.
    pub identity: String,
    /// Parts of its name, not quoted.
    #[serde(default)]
    pub names: Option<Vec<String>>,
    /// Named in the command, or gone by CASCADE; otherwise it goes with what it is a part of.
    pub told: bool,
}

impl Note {
    /// Reads a message's content; `None` when it is of another migration.
    ///
    /// # Errors
    /// It is ours, and can't be read.
    pub fn parse(slot: &str, content: &[u8]) -> Result<Option<Self>, serde_json::Error> {
        #[derive(Deserialize)]
        struct Head {
            slot: String,
        }
        let head: Head = serde_json::from_slice(content)?;
        if head.slot != slot {
            return Ok(None);
        }
        serde_json::from_slice(content).map(Some)
    }
}
