//! Options: command line, then environment, then the configuration file, which has the same names.
use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use clap::{Parser, Subcommand, ValueEnum};
use serde::Deserialize;
use whimbrel_proto::name;

use crate::link::{JoinToken, LinkError};

/// A label's longest key or value: as a name.
const LABEL_LENGTH_MAX: usize = name::ID_LENGTH_MAX;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "whimbrel-agent",
    version,
    about = "Works on PostgreSQL servers in its own network, for a Whimbrel controller that it dials out to"
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What the program does.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Join a controller (the first time), then work for it until told to stop
    Run(RunArguments),
}

/// The options of `run`.
#[derive(Debug, Default, clap::Args)]
pub struct RunArguments {
    /// The agent's own folder: its keys and identity. Nobody else's
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Join token from `whimbrel agent token create`; only the first start needs it. Others on this machine can see a
    /// command line: prefer --join-file or the environment
    #[arg(long, value_name = "TOKEN", env = "WHIMBREL_JOIN_TOKEN", hide_env_values = true)]
    pub join: Option<String>,
    /// A file with the join token
    #[arg(long, value_name = "FILE")]
    pub join_file: Option<PathBuf>,
    /// Wished name; the machine's otherwise
    #[arg(long)]
    pub name: Option<String>,
    /// A label, given at the first start; repeatable
    #[arg(long = "label", value_name = "KEY=VALUE")]
    pub labels: Vec<String>,
    /// A folder with pg_dump and pg_restore, looked into first; repeatable
    #[arg(long = "pg-bin-dir", value_name = "DIR")]
    pub pg_bin_dirs: Vec<PathBuf>,
    /// A configuration file (TOML) with the same names as these options
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How the log is written, on standard error; RUST_LOG says what of it
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct File {
    data_dir: Option<PathBuf>,
    join: Option<String>,
    join_file: Option<PathBuf>,
    name: Option<String>,
    #[serde(default)]
    label: Vec<String>,
    #[serde(default)]
    pg_bin_dir: Vec<PathBuf>,
    log_format: Option<LogFormat>,
}

/// Options that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file can't be read.
    #[error("reading {path}: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// The configuration file is not TOML, or has a key that is not known.
    #[error("reading {path}: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        cause: toml::de::Error,
    },
    /// No data folder.
    #[error("--data-dir is needed: the folder for the agent's keys and identity")]
    NoDataDir,
    /// A label that is not KEY=VALUE.
    #[error("--label {label:?}: expected KEY=VALUE, each 1 to {LABEL_LENGTH_MAX} characters")]
    Label {
        /// What was given.
        label: String,
    },
    /// A name that can't be one.
    #[error(transparent)]
    Name(#[from] name::InvalidName),
}

/// The options, settled.
#[derive(Debug)]
pub struct Config {
    /// The agent's own folder.
    pub data_dir: PathBuf,
    /// Wished name.
    pub name: String,
    /// Labels.
    pub labels: HashMap<String, String>,
    /// Folders of client programs.
    pub pg_bin_dirs: Vec<PathBuf>,
    /// How the log is written.
    pub log_format: LogFormat,
    join: Option<Join>,
}

/// Where the join token is. Read only when it is needed.
enum Join {
    Text(zeroize::Zeroizing<String>),
    File(PathBuf),
}

impl std::fmt::Debug for Join {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(…)"),
            Self::File(path) => write!(f, "File({})", path.display()),
        }
    }
}

impl Config {
    /// Settles the options: what the command line says wins over the file.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn settle(arguments: RunArguments) -> Result<Self, ConfigError> {
        let file = arguments.config.as_deref().map(read_file).transpose()?.unwrap_or_default();
        let data_dir = arguments.data_dir.or(file.data_dir).ok_or(ConfigError::NoDataDir)?;
        let name = arguments.name.or(file.name).unwrap_or_else(machine_name);
        name::check_id("--name", &name)?;
        let labels = given_or(arguments.labels, file.label);
        Ok(Self {
            data_dir,
            name,
            labels: labels.into_iter().map(label).collect::<Result<_, _>>()?,
            pg_bin_dirs: given_or(arguments.pg_bin_dirs, file.pg_bin_dir),
            log_format: arguments.log_format.or(file.log_format).unwrap_or_default(),
            join: join(arguments.join, arguments.join_file)
                .or_else(|| join(file.join, file.join_file)),
        })
    }

    /// The join token; `None` when none is given.
    ///
    /// # Errors
    /// [`LinkError::Token`], or [`LinkError::TokenFile`] when its file can't be read.
    pub fn join_token(&self) -> Result<Option<JoinToken>, LinkError> {
        let text = match &self.join {
            None => return Ok(None),
            Some(Join::Text(text)) => text.clone(),
            Some(Join::File(path)) => fs::read_to_string(path)
                .map(zeroize::Zeroizing::new)
                .map_err(|cause| LinkError::TokenFile { path: path.clone(), cause })?,
        };
        Ok(Some(JoinToken::parse(&text)?))
    }
}

fn given_or<T>(given: Vec<T>, file: Vec<T>) -> Vec<T> {
    if given.is_empty() { file } else { given }
}

fn join(text: Option<String>, file: Option<PathBuf>) -> Option<Join> {
    file.map(Join::File).or_else(|| text.map(zeroize::Zeroizing::new).map(Join::Text))
}

fn read_file(path: &Path) -> Result<File, ConfigError> {
    let path = path.to_owned();
    match fs::read_to_string(&path) {
        Ok(text) => toml::from_str(&text).map_err(|cause| ConfigError::File { path, cause }),
        Err(cause) => Err(ConfigError::Unreadable { path, cause }),
    }
}

fn label(text: String) -> Result<(String, String), ConfigError> {
    let fits = |part: &str| (1..=LABEL_LENGTH_MAX).contains(&part.len());
    match text.split_once('=') {
        Some((key, value)) if fits(key) && fits(value) => Ok((key.to_owned(), value.to_owned())),
        _ => Err(ConfigError::Label { label: text }),
    }
}

/// The machine's name as an agent's: what is not allowed in it becomes a hyphen.
fn machine_name() -> String {
    let host = hostname::get().unwrap_or_default();
    as_name(&host.to_string_lossy())
}

fn as_name(host: &str) -> String {
    let dashed: String =
        host.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = dashed.trim_start_matches('-');
    let name = &name[..name.len().min(name::ID_LENGTH_MAX)];
    if name.is_empty() { "agent".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settle(file: &str, arguments: RunArguments) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.toml");
        fs::write(&path, file).unwrap();
        Config::settle(RunArguments { config: Some(path), ..arguments })
    }

    #[test]
    fn the_command_line_wins_over_the_file() {
        let file = "data-dir = '/a'\nname = 'one'\nlabel = ['k=v']\nlog-format = 'json'";
        let config =
            settle(file, RunArguments { name: Some("two".into()), ..Default::default() }).unwrap();
        assert_eq!((config.data_dir.as_path(), config.name.as_str()), (Path::new("/a"), "two"));
        assert_eq!(config.labels["k"], "v");
        assert_eq!(config.log_format, LogFormat::Json);
        assert!(config.join_token().unwrap().is_none());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |file: &str| settle(file, RunArguments::default()).unwrap_err().to_string();
        assert!(error("datadir = '/a'").contains("datadir"));
        assert!(error("name = 'a'").contains("--data-dir"));
        assert!(error("data-dir = '/a'\nname = 'a_b'").contains("a_b"));
        assert!(error("data-dir = '/a'\nlabel = ['k']").contains("KEY=VALUE"));
    }

    #[test]
    fn a_host_name_becomes_a_name() {
        assert_eq!(as_name("db-1.example.com"), "db-1-example-com");
        assert_eq!(as_name("__"), "agent");
        assert_eq!(as_name(&"x".repeat(80)).len(), 63);
    }

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
    }
}
