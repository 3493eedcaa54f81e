//! Rows in tables of extensions that are the user's.
use serde::{Deserialize, Serialize};

/// A table that an extension made, some of whose rows the extension has declared to be the user's
/// (`pg_extension_config_dump`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtensionTable {
    /// Schema, not quoted.
    pub schema: String,
    /// Name, not quoted.
    pub name: String,
    /// Columns that are copied, not quoted.
    pub columns: Vec<String>,
    /// Which rows: "WHERE …" over the table's columns, as the extension wrote it; empty: all.
    pub condition: String,
}

impl ExtensionTable {
    /// "cron.job", for people.
    pub fn label(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}
