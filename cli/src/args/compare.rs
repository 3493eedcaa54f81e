//! Options of the comparisons.
use clap::Args;
use whimbrel_proto::v1::{CompareScope, compare_scope::Part};

use super::{migration::MigrationRef, target::SourceArgs};

/// What is compared, and what is shown of it.
#[derive(Debug, Args)]
pub(crate) struct ScopeArgs {
    /// Only definitions, not rows
    #[arg(long, conflicts_with = "data_only")]
    pub(crate) schema_only: bool,
    /// Only rows and sequences' values, not definitions
    #[arg(long)]
    pub(crate) data_only: bool,
    /// Only these tables and what is on them, by a pattern as pg_dump's: SCHEMA.TABLE with * and ?; may be repeated
    #[arg(long = "table", value_name = "PATTERN")]
    pub(crate) tables: Vec<String>,
    /// Show every table, also those that are equal
    #[arg(long)]
    pub(crate) all: bool,
}

impl ScopeArgs {
    /// For the wire.
    pub(crate) fn scope(&self) -> CompareScope {
        let part = match (self.schema_only, self.data_only) {
            (true, _) => Part::Schema,
            (_, true) => Part::Data,
            _ => Part::Unspecified,
        };
        CompareScope { part: part.into(), tables: self.tables.clone() }
    }
}

/// Options of `migration compare`.
#[derive(Debug, Args)]
pub(crate) struct CompareMigration {
    #[command(flatten)]
    pub(crate) migration: MigrationRef,
    /// Only this database; may be repeated
    #[arg(long = "database", value_name = "D")]
    pub(crate) databases: Vec<String>,
    #[command(flatten)]
    pub(crate) scope: ScopeArgs,
}

/// Options of `source compare`.
#[derive(Debug, Args)]
pub(crate) struct CompareServers {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// The target to compare it with
    #[arg(long, value_name = "T")]
    pub(crate) target: String,
    /// A database of that name on both; may be repeated
    #[arg(long = "database", value_name = "D", required = true)]
    pub(crate) databases: Vec<String>,
    #[command(flatten)]
    pub(crate) scope: ScopeArgs,
}
