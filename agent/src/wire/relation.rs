//! What is known of a table or a view, and of what hangs on it.
use serde::{Deserialize, Serialize};

use super::{Column, Publish, TableIdentity};

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
    /// Foreign table: it is made from a dump, with what is foreign; what it becomes is told.
    #[serde(rename = "f")]
    Foreign,
}

impl RelationKind {
    /// As ALTER and DROP name it.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Table | Self::Partitioned => "table",
            Self::View => "view",
            Self::MaterializedView => "materialized view",
            Self::Composite => "type",
            Self::Foreign => "foreign table",
        }
    }

    /// A table with rows here or in its partitions.
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
    /// Its tablespace, when it is not the database's.
    #[serde(default)]
    pub tablespace: Option<String>,
    /// Its access method, when it is not `heap`.
    #[serde(default)]
    pub access_method: Option<String>,
    /// A view's query.
    pub definition: Option<String>,
    /// A digest of what a view's definition is made of, as the snapshot has it: the text is what was committed when it was read.
    #[serde(default)]
    pub rule: Option<String>,
    /// CREATE TABLE OF this type; quoted.
    #[serde(default)]
    pub of_type: Option<String>,
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
    /// `relnatts`: the highest number that a column of it has, or had. An older document is without it.
    #[serde(default)]
    pub numbers: Option<i16>,
    /// Those that are copied and streamed.
    pub stored: Vec<Column>,
    /// See [`super::Relation::binary`].
    pub binary: bool,
    /// Primary key, unique, exclusion, check and foreign key constraints.
    pub constraints: Vec<ConstraintStructure>,
    /// Indexes that no constraint made.
    pub indexes: Vec<IndexStructure>,
}

#[cfg(test)]
impl RelationStructure {
    /// A table with these columns, by number and name.
    pub(crate) fn of_columns(columns: &[(i16, &str)]) -> Self {
        let column = |(num, name): &(i16, &str)| {
            serde_json::json!({"num": num, "name": name, "type": "text", "type_oid": 25, "typmod": -1, "not_null": false,
                "identity": "", "generated": "", "statistics": -1, "inherited": false, "local": true})
        };
        let columns: Vec<_> = columns.iter().map(column).collect();
        let form = serde_json::json!({"class": 1259, "oid": 7, "schema": "s", "name": "t", "relkind": "r",
            "persistence": "p", "owner": "o", "options": [], "parents": [], "children": [], "identity": "d",
            "keyed": true, "columns": columns, "stored": [], "binary": true, "constraints": [], "indexes": []});
        serde_json::from_value(form).expect("a form of a test is whole")
    }
}

impl RelationStructure {
    /// It inherits, and is no partition.
    pub fn is_heir(&self) -> bool {
        self.bound.is_none() && !self.parents.is_empty()
    }

    /// How its rows are known in the stream.
    pub fn row_identity(&self) -> TableIdentity {
        match (self.identity.as_str(), self.keyed) {
            ("f", _) => TableIdentity::Full,
            (_, true) => TableIdentity::Key,
            _ => TableIdentity::Missing,
        }
    }

    /// What of its changes is in the stream.
    pub fn publish(&self) -> Publish {
        match self.row_identity() {
            _ if self.persistence == "u" => Publish::Nothing,
            TableIdentity::Missing => Publish::InsertTruncate,
            TableIdentity::Key | TableIdentity::Full => Publish::All,
        }
    }
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
    /// `pg_constraint`'s, on a server that keeps it as a constraint (18); or 0.
    #[serde(default)]
    pub not_null_oid: u32,
    /// Of its constraint.
    #[serde(default)]
    pub not_null_name: Option<String>,
    /// That constraint is no heir's (NO INHERIT): an heir may hold nulls where the parent may not.
    #[serde(default)]
    pub not_null_alone: bool,
    /// That constraint is the table's own (too), and not only its parents'.
    #[serde(default)]
    pub not_null_local: bool,
    /// It is a parent's (too).
    #[serde(default)]
    pub not_null_inherited: bool,
    /// It is NOT VALID: older rows may hold nulls.
    #[serde(default)]
    pub not_null_unproven: bool,
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
    /// Its own, from a parent or not.
    #[serde(default)]
    pub local: bool,
    /// Validated.
    pub valid: bool,
    /// The partitioned index that its own index is attached to; quoted.
    #[serde(default)]
    pub parent_index: Option<String>,
    /// OID of its index; 0: it has none, or an older agent told it.
    #[serde(default)]
    pub index: u32,
    /// Storage parameters of its index, which its definition does not say: `fillfactor='70', deduplicate_items='off'`.
    #[serde(default)]
    pub storage: String,
}

impl ConstraintStructure {
    /// Whether this index was, or is, the constraint's own: it was taken over (USING INDEX).
    #[must_use]
    pub fn is_of(&self, index: &IndexStructure) -> bool {
        let same = match self.index {
            0 => self.name == index.name,
            oid => oid == index.oid,
        };
        self.has_index() && index.unique && same
    }

    /// A key or an exclusion: its index bears its name, which another constraint can share with an index that is none of its.
    #[must_use]
    pub fn has_index(&self) -> bool {
        ["p", "u", "x"].contains(&self.contype.as_str())
    }
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
