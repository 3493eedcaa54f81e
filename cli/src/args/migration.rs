//! `whimbrel migration …`.
use std::path::PathBuf;

use clap::{ArgAction, Args, Subcommand, ValueEnum};
use whimbrel_proto::v1;

use super::{Moment, SecretArg, Size, compare::CompareMigration, server::SslModeArg};

const CREATE_EXAMPLES: &str = "\
Examples:
  whimbrel migration create move1 --target prod --database salesdb --mode online \\
      --source old-db:5432@admin --source-password env:OLD_PW
  whimbrel migration create move1 --target prod --properties body.json --mode online

SECRET names a password without telling it: env:VAR, file:PATH and pgpass are looked up by
the agent, on its machine; prompt and stdin are read here, and sealed to that agent.

PATTERN is SCHEMA, TABLE or SCHEMA.TABLE as in pg_dump, with * and ?; a name in double quotes is
taken as it is. Without any, whole databases are moved. Functions, types and the like go with
their schema, partitions with their table, sequences with the table that owns them.";

/// Verbs for migrations.
#[derive(Debug, Subcommand)]
pub(crate) enum MigrationCommand {
    /// Can this name be used? Exit status 0 yes, 4 taken, 2 not a name
    CheckName(MigrationRef),
    /// Define a migration and start it
    #[command(after_help = CREATE_EXAMPLES)]
    Create(Create),
    /// Say yes to overwriting the target's databases
    ConfirmOverwrite(MigrationRef),
    /// Give it to another agent, or give a new password, or another window
    Update(Update),
    /// Migrations, newest first
    List(List),
    /// One migration, its whole state
    Show(Show),
    /// Progress, live
    Watch(MigrationRef),
    /// Wait until it reaches a state or a substate
    #[command(
        after_help = "Example:\n  whimbrel migration wait move1 --target prod --for WaitingForCutoverTrigger \
                            --timeout 2h"
    )]
    Wait(Wait),
    /// What happened
    Events(Events),
    /// Source and target side by side, definitions and rows. Exit status 0 equal, 1 something differs
    #[command(
        after_help = "Example:\n  whimbrel migration compare move1 --target prod --table 'public.orders*'\n\n\
                      Rows are compared by sums of hashes that the servers compute: none is moved or shown. While the\n\
                      change stream flows, what is still on its way is waited for."
    )]
    Compare(CompareMigration),
    /// What is left to do by hand, from what differs between the two servers now
    Report(MigrationRef),
    /// Stop the stream at the source's last change and switch to the target
    Cutover(Cutover),
    /// Give up, and take what is ours off the source
    Cancel(Steer),
    /// End it though the source is gone for good, and what is ours there can't be taken off
    #[command(
        after_help = "After a cancel, or a cutover whose switch is made, and only once taking it off has failed. Should the source\n\
                      come back, a slot of ours is on it that keeps its WAL without end: `migration events` says how to drop it."
    )]
    LeaveSource(Steer),
    /// Stand still until `resume`
    Pause(Steer),
    /// Go on after `pause`
    Resume(Steer),
    /// Go on after a hold was mended, and copy tables again that are held
    Retry(Retry),
    /// Forget a migration that is over
    Delete(MigrationRef),
}

/// A migration by its name and its target's.
#[derive(Debug, Clone, Args)]
pub(crate) struct MigrationRef {
    /// The migration's name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// The target that it belongs to
    #[arg(long, value_name = "T")]
    pub(crate) target: String,
}

/// Options of `migration create`.
#[derive(Debug, Args)]
pub(crate) struct Create {
    #[command(flatten)]
    pub(crate) migration: MigrationRef,
    /// JSON or YAML file with the body of `az postgres flexible-server migration create`; an option wins over it
    #[arg(long, value_name = "FILE")]
    pub(crate) properties: Option<PathBuf>,
    /// The source server
    // Read later (SourceArg): the argument parser's message would repeat a URL with its password.
    #[arg(long, value_name = "HOST:PORT@USER")]
    pub(crate) source: Option<String>,
    /// Where the source's password is
    #[arg(long, value_name = "SECRET")]
    pub(crate) source_password: Option<SecretArg>,
    /// A password for the target that wins over the target's own, for this migration
    #[arg(long, value_name = "SECRET")]
    pub(crate) target_password: Option<SecretArg>,
    /// Where the source runs: OnPremises, AWS_RDS, GCP_CloudSQL, …
    #[arg(long, value_name = "S")]
    pub(crate) source_type: Option<String>,
    /// What the connection to the source asks of TLS
    #[arg(long, value_name = "M", ignore_case = true)]
    pub(crate) ssl_mode: Option<SslModeArg>,
    /// A database to move; may be repeated
    #[arg(long = "database", value_name = "D")]
    pub(crate) databases: Vec<String>,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// Whether the application may keep writing meanwhile
    #[arg(long, ignore_case = true)]
    pub(crate) mode: Option<ModeArg>,
    /// Check, move, or both
    #[arg(long, ignore_case = true)]
    pub(crate) option: Option<OptionArg>,
    /// Databases that exist on the target are replaced
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    pub(crate) overwrite: Option<bool>,
    /// Move roles and their memberships too
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    pub(crate) migrate_roles: Option<bool>,
    /// The agent that acts, if not the target's
    #[arg(long, value_name = "A")]
    pub(crate) agent: Option<String>,
    /// The agent that acts on the source, if it is another
    #[arg(long, value_name = "A")]
    pub(crate) source_agent: Option<String>,
    /// Wait until it is over, or waits for its cutover
    #[arg(long)]
    pub(crate) wait: bool,
}

/// Which objects of the databases.
#[derive(Debug, Default, Args)]
pub(crate) struct SelectionArgs {
    /// Move this schema (and others that are included); may be repeated
    #[arg(long = "include-schema", value_name = "PATTERN")]
    pub(crate) include_schemas: Vec<String>,
    /// Leave this schema; may be repeated
    #[arg(long = "exclude-schema", value_name = "PATTERN")]
    pub(crate) exclude_schemas: Vec<String>,
    /// Move this table, view or sequence (and others that are included); may be repeated
    #[arg(long = "include-table", value_name = "PATTERN")]
    pub(crate) include_tables: Vec<String>,
    /// Leave this table, view or sequence; may be repeated
    #[arg(long = "exclude-table", value_name = "PATTERN")]
    pub(crate) exclude_tables: Vec<String>,
}

/// `--mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeArg {
    /// Copy once; writes to the source must have stopped
    Offline,
    /// Copy, then follow the source's changes until the cutover
    Online,
}

impl From<ModeArg> for v1::MigrationMode {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::Offline => Self::Offline,
            ModeArg::Online => Self::Online,
        }
    }
}

/// `--option`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OptionArg {
    /// Only check
    Validate,
    /// Only move
    Migrate,
    /// Check, then move unless a check failed
    #[value(alias = "validateandmigrate")]
    ValidateAndMigrate,
}

impl From<OptionArg> for v1::MigrationOption {
    fn from(option: OptionArg) -> Self {
        match option {
            OptionArg::Validate => Self::Validate,
            OptionArg::Migrate => Self::Migrate,
            OptionArg::ValidateAndMigrate => Self::ValidateAndMigrate,
        }
    }
}

/// Options of `migration update`.
#[derive(Debug, Args)]
pub(crate) struct Update {
    #[command(flatten)]
    pub(crate) migration: MigrationRef,
    /// The agent that acts from now on: on both sides, if one agent did until now. A password that was sealed opens for
    /// one agent only: give it again with this
    #[arg(long, value_name = "A")]
    pub(crate) agent: Option<String>,
    /// The agent that acts on the source from now on, if it is another
    #[arg(long, value_name = "A")]
    pub(crate) source_agent: Option<String>,
    /// Where the source's password is now
    #[arg(long, value_name = "SECRET")]
    pub(crate) source_password: Option<SecretArg>,
    /// Where the target's password is now, for this migration
    #[arg(long, value_name = "SECRET")]
    pub(crate) target_password: Option<SecretArg>,
    /// The copy begins not before this time, like 2026-01-31T22:00:00Z; `none` takes it away
    #[arg(long, value_name = "TIME|none")]
    pub(crate) window_start: Option<Moment>,
    /// The copy begins before this time or not at all; `none` takes it away
    #[arg(long, value_name = "TIME|none")]
    pub(crate) window_end: Option<Moment>,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
}

/// What a migration may take of its servers; what is running obeys at once.
#[derive(Debug, Args)]
pub(crate) struct LimitArgs {
    /// Tables and parts of tables that are copied at once in each database, at most 16; 0: as many as the agent finds good
    #[arg(long, value_name = "N")]
    pub(crate) copy_jobs: Option<u32>,
    /// Bytes per second of each database's copy, like 50MB; 0: no limit
    #[arg(long, value_name = "SIZE")]
    pub(crate) copy_rate_limit: Option<Size>,
    /// How long one snapshot of the source is held before it is renewed, like 30m; 0s: an hour
    #[arg(long, value_name = "DURATION")]
    pub(crate) snapshot_age: Option<humantime::Duration>,
    /// WAL that the source may keep for our slot, like 20GB; at more the slot is let go, and tables are copied again. 0: any
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_retained_wal: Option<Size>,
}

/// Options of `migration list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those of this target
    #[arg(long, value_name = "T")]
    pub(crate) target: Option<String>,
    /// Those that are not over, or all
    #[arg(long, ignore_case = true)]
    pub(crate) filter: Option<FilterArg>,
}

/// `--filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FilterArg {
    /// Those that are not over
    Active,
    /// All
    All,
}

/// Options of `migration show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    pub(crate) migration: MigrationRef,
    /// Each table too
    #[arg(long)]
    pub(crate) tables: bool,
}

/// Options of `migration wait`.
#[derive(Debug, Args)]
pub(crate) struct Wait {
    #[command(flatten)]
    pub(crate) migration: MigrationRef,
    /// The state or the substate, as `migration show` names it
    #[arg(long = "for", value_name = "STATE|SUBSTATE")]
    pub(crate) awaited: String,
    /// Give up after this long (exit status 6), like 10m; without it, wait as long as it takes
    #[arg(long, value_name = "TIME")]
    pub(crate) timeout: Option<humantime::Duration>,
}

/// Options of `migration events`.
#[derive(Debug, Args)]
pub(crate) struct Events {
    #[command(flatten)]
    pub(crate) migration: MigrationRef,
    /// Go on with what happens, until the migration is over
    #[arg(long)]
    pub(crate) follow: bool,
}

/// Options of `migration cutover`.
#[derive(Debug, Args)]
pub(crate) struct Cutover {
    #[command(flatten)]
    pub(crate) migration: MigrationRef,
    /// Only this database; may be repeated
    #[arg(long = "database", value_name = "D")]
    pub(crate) databases: Vec<String>,
    /// Refuse when the lag is more than this; without it, all that is pending is applied
    #[arg(long, value_name = "TIME")]
    pub(crate) max_latency: Option<humantime::Duration>,
    /// Stop the source's writes for the time of the cutover
    #[arg(long)]
    pub(crate) fence: bool,
    /// Go on though the source is still written to; what is written later stays behind
    #[arg(long)]
    pub(crate) allow_source_writes: bool,
    /// Wait until it is done, or stepped back (exit status 1)
    #[arg(long)]
    pub(crate) wait: bool,
}

/// Options of cancel, pause, resume and retry.
#[derive(Debug, Args)]
pub(crate) struct Steer {
    #[command(flatten)]
    pub(crate) migration: MigrationRef,
    /// Only this database; may be repeated
    #[arg(long = "database", value_name = "D")]
    pub(crate) databases: Vec<String>,
}

/// `retry`.
#[derive(Debug, Args)]
pub(crate) struct Retry {
    #[command(flatten)]
    pub(crate) steer: Steer,
    /// Copy this table again (SCHEMA.TABLE) under a new snapshot, held or not; may be repeated
    #[arg(long = "table", value_name = "T")]
    pub(crate) tables: Vec<String>,
}
