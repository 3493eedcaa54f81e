//! The properties file: the JSON body of `az postgres flexible-server migration create`, or the same as YAML. Reads what
//! is written; whether it makes sense together is the controller's to say. No message repeats a value: any of them
//! may be a password in the wrong place.
mod fields;
mod node;
mod value;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use whimbrel_proto::v1::{Limits, MigrationMode, MigrationOption, Selection, SslMode};
use zeroize::Zeroizing;

use crate::secret::Password;

/// Largest file that is read: fifty database names and a few settings are a few kB.
const SIZE_MAX: u64 = 1024 * 1024;

/// What the file says; `None` where it says nothing.
#[derive(Default)]
#[cfg_attr(test, derive(PartialEq, Debug))]
pub(crate) struct Properties {
    /// `sourceDbServerResourceId`.
    pub(crate) source: Option<String>,
    /// `sourceDbServerFullyQualifiedDomainName`: wins over the host in `source`.
    pub(crate) source_host: Option<String>,
    /// `sourceServerUsername`: wins over the user in `source`.
    pub(crate) source_user: Option<String>,
    /// `sourceServerPassword`.
    pub(crate) source_password: Option<Password>,
    /// `targetDbServerFullyQualifiedDomainName`.
    pub(crate) target_host: Option<String>,
    /// `targetServerUsername`.
    pub(crate) target_user: Option<String>,
    /// `targetServerPassword`.
    pub(crate) target_password: Option<Password>,
    /// `dbsToMigrate`.
    pub(crate) databases: Option<Vec<String>>,
    /// `includeSchemas`, `excludeSchemas`, `includeTables`, `excludeTables`.
    pub(crate) selection: Selection,
    /// `overwriteDbsInTarget`.
    pub(crate) overwrite: Option<bool>,
    /// `migrationMode`.
    pub(crate) mode: Option<MigrationMode>,
    /// `migrationOption`.
    pub(crate) option: Option<MigrationOption>,
    /// `sourceType`, as it was written.
    pub(crate) source_type: Option<String>,
    /// `sslMode`, of the source.
    pub(crate) ssl_mode: Option<SslMode>,
    /// `migrateRoles`.
    pub(crate) migrate_roles: Option<bool>,
    /// `migrationWindowStartTimeInUtc`.
    pub(crate) window_start: Option<jiff::Timestamp>,
    /// `migrationWindowEndTimeInUtc`.
    pub(crate) window_end: Option<jiff::Timestamp>,
    /// `setupLogicalReplicationOnSourceDbIfNeeded`.
    pub(crate) setup_logical_replication: Option<bool>,
    /// `followSchemaChanges`.
    pub(crate) follow_schema_changes: Option<bool>,
    /// `copyJobs`, `copyRateLimit`, `snapshotMaxAge`, `maxRetainedWal`.
    pub(crate) limits: Option<Limits>,
    /// `migrationRuntimeResourceId`: the agent's name.
    pub(crate) agent: Option<String>,
}

/// The properties file can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the properties file {}{}: {problem}", path.display(), place(*line))]
pub(crate) struct PropertiesError {
    /// Which.
    pub(crate) path: PathBuf,
    /// Line, from 1, where known.
    pub(crate) line: Option<usize>,
    /// What is wrong.
    pub(crate) problem: Problem,
}

/// What is wrong with a properties file.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Problem {
    /// It can't be read.
    #[error("can't be read: {0}")]
    Read(String),
    /// It is not text.
    #[error("is not UTF-8 text; save it as UTF-8")]
    Encoding,
    /// It is neither JSON nor YAML.
    #[error("is not {language}; check the brackets, quotes and commas there")]
    Syntax {
        /// "JSON" or "YAML".
        language: &'static str,
    },
    /// The outermost thing is not an object.
    #[error("expected an object of properties, found {found}")]
    NotAnObject {
        /// What it is.
        found: &'static str,
    },
    /// A key that nobody knows.
    #[error("unknown key {key}{}", nearest.map(|near| format!("; did you mean {near}?")).unwrap_or_default())]
    UnknownKey {
        /// With the keys above it.
        key: String,
        /// A known key that looks like it.
        nearest: Option<&'static str>,
    },
    /// A key twice, perhaps in another case or at another level.
    #[error("{key} is there more than once (keys are taken in any case); leave one")]
    Twice {
        /// With the keys above it.
        key: String,
    },
    /// A value that the key can't have.
    #[error("{key}: expected {expected}, found {found}")]
    Value {
        /// With the keys above it.
        key: String,
        /// What would do.
        expected: &'static str,
        /// What it is, in a word; never the value.
        found: &'static str,
    },
}

fn place(line: Option<usize>) -> String {
    line.map(|line| format!(" line {line}")).unwrap_or_default()
}

/// Reads the file.
///
/// # Errors
/// [`PropertiesError`].
pub(crate) fn read(path: &Path) -> Result<Properties, PropertiesError> {
    let refuse = |(problem, line): (Problem, Option<usize>)| PropertiesError {
        path: path.to_owned(),
        line,
        problem,
    };
    let text = read_text(path).map_err(|problem| refuse((problem, None)))?;
    parse(&text).map_err(refuse)
}

fn read_text(path: &Path) -> Result<Zeroizing<String>, Problem> {
    let unreadable = |error: io::Error| Problem::Read(error.to_string());
    if fs::metadata(path).map_err(unreadable)?.len() > SIZE_MAX {
        return Err(Problem::Read("it is larger than 1 MiB".to_owned()));
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    String::from_utf8(bytes).map(Zeroizing::new).map_err(|_| Problem::Encoding)
}

/// Reads the text; an error has its line, where it can be told.
fn parse(text: &str) -> Result<Properties, (Problem, Option<usize>)> {
    // Editors on Windows put a byte order mark first.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let root = node::parse(text)?;
    fields::read(&root).map_err(|problem| {
        let line = problem.key().and_then(|key| node::line_of(text, key, problem.is_twice()));
        (problem, line)
    })
}

impl Problem {
    fn key(&self) -> Option<&str> {
        let path = match self {
            Self::UnknownKey { key, .. } | Self::Twice { key } | Self::Value { key, .. } => key,
            _ => return None,
        };
        // Of a list's element, the list's.
        path.rsplit('.').next().map(|key| key.trim_end_matches("[]"))
    }

    fn is_twice(&self) -> bool {
        matches!(self, Self::Twice { .. })
    }
}

#[cfg(test)]
mod tests;
