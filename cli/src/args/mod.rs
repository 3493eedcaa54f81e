//! What can be said on the command line. Declares; decides nothing: a default that matters is the controller's, so an
//! option that was not given stays `None` and is sent as "unspecified".
pub(crate) mod agent;
pub(crate) mod compare;
pub(crate) mod migration;
pub(crate) mod server;
pub(crate) mod target;
mod value;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use value::{Moment, SecretArg, Size, SourceArg};

const EXAMPLES: &str = "\
Examples:
  whimbrel agent token create
  whimbrel target create prod --host db.internal --user admin --password env:PROD_PW --agent a1
  whimbrel migration create move1 --target prod --database salesdb --mode online \\
      --source old-db:5432@admin --source-password env:OLD_PW
  whimbrel migration watch move1 --target prod
  whimbrel migration cutover move1 --target prod --wait

Exit status:
  0  done
  1  it ended badly
  2  usage
  3  no such thing
  4  refused: the message says what state it is in, and what would be allowed
  5  not authenticated or not permitted
  6  the controller can't be reached, or the time ran out";

/// Moves live PostgreSQL databases from one server to another.
#[derive(Debug, Parser)]
#[command(name = "whimbrel", version, after_help = EXAMPLES, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every verb.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Where the controller is and who we are: the controller's DIR/admin.yaml
    /// [default: context.yaml in the user's configuration folder]
    #[arg(long, global = true, value_name = "FILE", env = "WHIMBREL_CONTEXT")]
    pub(crate) context: Option<PathBuf>,
    /// TOML file with values for these options, by the same names
    /// [default: config.toml in the user's configuration folder]
    #[arg(long, global = true, value_name = "FILE", env = "WHIMBREL_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// How results are printed [default: table]
    #[arg(short, long, global = true, value_name = "FORMAT", ignore_case = true)]
    pub(crate) output: Option<Format>,
    /// Colour on the terminal; NO_COLOR is heeded [default: auto]
    #[arg(long, global = true, value_name = "WHEN", ignore_case = true)]
    pub(crate) color: Option<Color>,
    /// How log lines (RUST_LOG chooses which) are written to standard error [default: text]
    #[arg(long, global = true, value_name = "FORMAT", ignore_case = true)]
    pub(crate) log_format: Option<LogFormat>,
}

/// `-o`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// One JSON document (streams: one a line).
    Json,
    /// The same as YAML.
    Yaml,
}

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Color {
    /// When the output is a terminal and NO_COLOR is not set.
    #[default]
    Auto,
    /// Even into a pipe.
    Always,
    /// Not at all.
    Never,
}

/// `--log-format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The nouns.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Enrol agents and look at them
    #[command(subcommand)]
    Agent(agent::AgentCommand),
    /// The servers that databases are moved to
    #[command(subcommand)]
    Target(target::TargetCommand),
    /// Look at a source server before there is a migration
    #[command(subcommand)]
    Source(target::SourceCommand),
    /// Move databases, and steer the move
    #[command(subcommand)]
    Migration(Box<migration::MigrationCommand>),
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  source <(whimbrel completions bash)")]
    Completions {
        /// The shell
        #[arg(ignore_case = true)]
        shell: clap_complete::Shell,
    },
}

#[cfg(test)]
mod tests;
