//! What a database holds, as far as copying and applying need to know. Everything else is pg_dump's.
use serde::{Deserialize, Serialize};
use whimbrel_proto::Lsn;

/// The catalog of one database under one snapshot. Kept in the ledger, so that any agent can go on.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Catalog {
    /// `server_version_num`.
    pub server_version: u32,
    /// Tables with rows of their own (`relkind` r), the largest first.
    pub relations: Vec<Relation>,
    /// OID of an index or a constraint to the OID of its table.
    pub owners: Vec<(u32, u32)>,
    /// What the dump has and is not made, as class and OID: it stands on what is left out.
    #[serde(default)]
    pub not_made: Vec<(u32, u32)>,
    /// Schemas that are left out and made all the same, with their owners: extensions are in them.
    #[serde(default)]
    pub extension_schemas: Vec<(String, String)>,
    /// What became of the schema that every new database has.
    #[serde(default)]
    pub public: Public,
}

/// The schema `public`, as far as the dump does not tell of it: no dump says that it was dropped, and one that quotes all
/// names does not say that its comment was taken away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Public {
    /// What there is to tell is in the dump.
    #[default]
    AsDumped,
    /// It has no comment.
    NoComment,
    /// There is none.
    Missing,
}

/// `pg_database`, as far as CREATE DATABASE takes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DatabaseProperties {
    /// "UTF8".
    pub encoding: String,
    /// LC_COLLATE.
    pub collate: String,
    /// LC_CTYPE.
    pub ctype: String,
    /// `datlocprovider`: c, i or b.
    pub provider: String,
    /// ICU's or the built-in provider's locale; none for libc.
    #[serde(alias = "icu_locale")]
    pub locale: Option<String>,
    /// `daticurules`.
    #[serde(default)]
    pub icu_rules: Option<String>,
    /// Role that owns the database.
    pub owner: String,
    /// `datconnlimit`.
    pub connection_limit: i32,
}

/// A table whose rows are to be moved.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Relation {
    /// On the source.
    pub oid: u32,
    /// Schema, not quoted.
    pub schema: String,
    /// Name, not quoted.
    pub name: String,
    /// Heap pages of 8 kB when the catalog was read.
    pub pages: u32,
    /// Heap and TOAST, bytes.
    pub bytes: u64,
    /// Columns that are copied: generated ones are not among them.
    pub columns: Vec<Column>,
    /// How a row is known in the stream.
    pub identity: TableIdentity,
    /// Where its changes come from.
    pub publish: Publish,
    /// `pg_class.relfilenode` when the catalog was read, of a source that publishes no truncates (before 11): when it is
    /// another one later, the table may have been emptied and nothing in the stream says so.
    #[serde(default)]
    pub file: Option<u32>,
    /// Its deletes do not come, but its inserts do, into unique indexes: one can meet a row that is gone on the source.
    #[serde(default)]
    pub conflicts: bool,
    /// All columns have binary forms that both servers read alike.
    pub binary: bool,
}

impl Relation {
    /// "public.orders", for people.
    pub fn label(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

/// A column that is copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Not quoted.
    pub name: String,
    /// `pg_type.oid` on the source.
    pub type_oid: u32,
    /// `pg_attribute.atttypmod`.
    pub typmod: i32,
    /// The type as SQL writes it, qualified where it is not PostgreSQL's own: "numeric(12,2)".
    pub type_name: String,
    /// `=` of its type tells apart whatever its text tells apart (1.0 and 1.00 are equal numerics, and are not the
    /// same): it can find a row by the old value. Otherwise texts are compared.
    pub exact_equality: bool,
    /// In the key that tells rows apart: how it compares. `None` in other columns.
    #[serde(default)]
    pub key: Option<KeyEquality>,
    /// GENERATED ALWAYS AS IDENTITY: an UPDATE may not set it, so it is BY DEFAULT until the switch.
    pub identity_always: bool,
}

/// How a key's index tells two values of a column apart. Its operator class and collation need not be the column's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyEquality {
    /// As SQL writes it, between two values: `operator(pg_catalog.=)`.
    pub operator: String,
    /// Quoted; `None`: the column's own, or none.
    pub collation: Option<String>,
}

/// `relreplident`, resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TableIdentity {
    /// A primary key, or the index that REPLICA IDENTITY USING INDEX names.
    Key,
    /// REPLICA IDENTITY FULL.
    Full,
    /// Neither: updates and deletes are not in the stream.
    Missing,
}

/// Which publication a table is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Publish {
    /// All changes.
    All,
    /// Inserts and truncates: no identity. Compared at the cutover.
    InsertTruncate,
    /// None: unlogged. Compared at the cutover.
    Nothing,
}

/// The position rule: a table's rows are those of its point; a commit counts when it starts at the point or later.
impl Relation {
    /// Whether a commit whose record starts at `commit` is newer than rows copied at `point`.
    pub fn is_newer(point: Lsn, commit: Lsn) -> bool {
        commit >= point
    }
}
