//! `whimbrel target …` and `whimbrel source …`.
use clap::{Args, Subcommand};

use super::{
    compare::CompareServers,
    server::{ServerArgs, ServerChange},
};

/// Verbs for targets.
#[derive(Debug, Subcommand)]
pub(crate) enum TargetCommand {
    /// Register a server that databases are moved to
    #[command(
        after_help = "Example:\n  whimbrel target create prod --host db.internal --port 5432 --user admin \
                            --password env:PROD_PW --agent a1"
    )]
    Create(TargetCreate),
    /// All targets
    List,
    /// One target; never its password
    Show(TargetName),
    /// Change what is given, leave the rest
    Update(TargetUpdate),
    /// Forget it; refused while a migration of it is not over
    Delete(TargetName),
    /// Let the target's agent connect to it now
    Test(TargetName),
}

/// A target by its name.
#[derive(Debug, Args)]
pub(crate) struct TargetName {
    /// The target's name
    #[arg(value_name = "T")]
    pub(crate) name: String,
}

/// Options of `target create`.
#[derive(Debug, Args)]
pub(crate) struct TargetCreate {
    /// The target's name: letters, digits and hyphens
    #[arg(value_name = "T")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// The agent that reaches it
    #[arg(long, value_name = "A")]
    pub(crate) agent: String,
}

/// Options of `target update`.
#[derive(Debug, Args)]
pub(crate) struct TargetUpdate {
    /// The target's name
    #[arg(value_name = "T")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) change: ServerChange,
    /// The agent that reaches it
    #[arg(long, value_name = "A")]
    pub(crate) agent: Option<String>,
}

/// Verbs for sources.
#[derive(Debug, Subcommand)]
pub(crate) enum SourceCommand {
    /// Let an agent connect to it now
    Test(SourceArgs),
    /// Its user databases, with sizes
    Databases(SourceArgs),
    /// Side by side with a target, definitions and rows, without a migration. Exit status 0 equal, 1 something differs
    Compare(CompareServers),
}

/// A source server and the agent that reaches it.
#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    /// The agent that reaches it
    #[arg(long, value_name = "A")]
    pub(crate) agent: String,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
