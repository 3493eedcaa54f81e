//! PostgreSQL's client programs on this machine: found once, chosen by version.
use std::{
    collections::BTreeSet,
    env, fmt, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{process::Command, time::timeout};

/// `pg_dump --version` answers in milliseconds; a program that does not is broken.
const VERSION_TIMEOUT: Duration = Duration::from_secs(5);
/// Folders that are looked into: more would be a mistake in the configuration.
const FOLDERS_MAX: usize = 64;

/// A program's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 15 in 15.18.
    pub major: u32,
    /// 18 in 15.18.
    pub minor: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A program that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The file.
    pub path: PathBuf,
    /// Its own word.
    pub version: Version,
}

/// A `pg_dump` with the `pg_restore` that reads what it writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tools {
    /// `pg_dump`.
    pub dump: Program,
    /// `pg_restore`, of the same folder, so of the same version: an older one refuses the archive.
    pub restore: Program,
}

/// No `pg_dump` that can read the source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "choosing pg_dump: the source is PostgreSQL {source_major}, which needs pg_dump and pg_restore {source_major} or later; \
     found: {found}"
)]
pub struct ProgramsError {
    /// The source's major version.
    pub source_major: u32,
    /// What there is.
    pub found: String,
}

impl ProgramsError {
    /// Stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "PgDumpMissing"
    }

    /// What to do.
    #[must_use]
    pub fn remedy(&self) -> String {
        format!(
            "install them on the agent's machine (Debian: apt install postgresql-client-{}), or name their folder with --pg-bin-dir",
            self.source_major
        )
    }
}

/// Every `pg_dump` with a `pg_restore` beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Programs {
    tools: Vec<Tools>,
}

impl Programs {
    /// Looks into `extra` first, then Debian's and Red Hat's folders, then PATH; the first of each version counts. A
    /// program that does not run is left out.
    pub async fn discover(extra: &[PathBuf]) -> Self {
        let mut tools: Vec<Tools> = Vec::new();
        let mut seen = BTreeSet::new();
        for folder in folders(extra).into_iter().take(FOLDERS_MAX) {
            // PATH's wrappers and links lead to the same programs.
            let Ok(real) = fs::canonicalize(folder.join("pg_dump")) else { continue };
            if !seen.insert(real) {
                continue;
            }
            let dump = program(&folder, "pg_dump").await;
            let restore = program(&folder, "pg_restore").await;
            if let (Some(dump), Some(restore)) = (dump, restore)
                && restore.version.major >= dump.version.major
                && tools.iter().all(|known| known.dump.version != dump.version)
            {
                tools.push(Tools { dump, restore });
            }
        }
        Self { tools }
    }

    /// The programs for a dump of a server of `source_major` that a server of `target_major` is to read: never older
    /// than the source; the target's own version if there is one, else the nearest to it, else the newest.
    ///
    /// # Errors
    /// [`ProgramsError`] that says what is needed.
    pub fn dump_for(&self, source_major: u32, target_major: u32) -> Result<&Tools, ProgramsError> {
        self.tools
            .iter()
            .filter(|tools| tools.dump.version.major >= source_major)
            .min_by_key(|tools| {
                let version = tools.dump.version;
                (version.major.abs_diff(target_major), std::cmp::Reverse(version))
            })
            .ok_or_else(|| {
                let mut found = self.describe().join(", ");
                if found.is_empty() {
                    "none".clone_into(&mut found);
                }
                ProgramsError { source_major, found }
            })
    }

    /// "pg_dump 15.18 /usr/lib/postgresql/15/bin", for the controller.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        let line = |program: &Program| {
            let folder = program.path.parent().unwrap_or(&program.path);
            format!("pg_dump {} {}", program.version, folder.display())
        };
        self.tools.iter().map(|tools| line(&tools.dump)).collect()
    }
}

fn folders(extra: &[PathBuf]) -> Vec<PathBuf> {
    let mut folders = extra.to_vec();
    folders.extend(packaged(Path::new("/usr/lib/postgresql"), ""));
    folders.extend(packaged(Path::new("/usr"), "pgsql-"));
    // Last: Debian's pg_dump in /usr/bin is a wrapper that chooses by its own rules.
    if let Some(path) = env::var_os("PATH") {
        folders.extend(env::split_paths(&path));
    }
    folders
}

/// Sub-folders of `root` named `<prefix><version>`, with `/bin`, sorted by name.
fn packaged(root: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(root) else { return Vec::new() };
    let mut folders: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .filter(|entry| {
            let name = entry.file_name();
            let version = name.to_str().and_then(|name| name.strip_prefix(prefix));
            version.is_some_and(|v| v.starts_with(|c: char| c.is_ascii_digit()))
        })
        .map(|entry| entry.path().join("bin"))
        .collect();
    folders.sort();
    folders
}

async fn program(folder: &Path, name: &str) -> Option<Program> {
    let path = folder.join(name);
    let mut command = Command::new(&path);
    command.arg("--version").env("LC_ALL", "C").kill_on_drop(true);
    let output = match timeout(VERSION_TIMEOUT, command.output()).await {
        Ok(Ok(output)) if output.status.success() => output,
        Ok(Ok(output)) => {
            tracing::warn!(path = %path.display(), status = %output.status, "left out: does not run");
            return None;
        }
        Ok(Err(error)) => {
            tracing::debug!(path = %path.display(), %error, "left out: does not run");
            return None;
        }
        Err(_) => {
            tracing::warn!(path = %path.display(), "left out: does not tell its version");
            return None;
        }
    };
    let version = parse_version(&String::from_utf8_lossy(&output.stdout))?;
    Some(Program { path, version })
}

/// "pg_dump (PostgreSQL) 15.18 (Debian 15.18-1)", "… 17beta1".
fn parse_version(text: &str) -> Option<Version> {
    let (_, after) = text.split_once("(PostgreSQL)")?;
    let word = after.split_whitespace().next()?;
    let digits = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        text[..end].parse::<u32>().ok()
    };
    let major = digits(word)?;
    let minor = word.split_once('.').and_then(|(_, minor)| digits(minor)).unwrap_or(0);
    Some(Version { major, minor })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn programs(majors: &[u32]) -> Programs {
        let program = |major, name: &str| Program {
            path: PathBuf::from(format!("/pg/{major}/bin/{name}")),
            version: Version { major, minor: 1 },
        };
        let tools = majors
            .iter()
            .map(|major| Tools {
                dump: program(*major, "pg_dump"),
                restore: program(*major, "pg_restore"),
            })
            .collect();
        Programs { tools }
    }

    #[test]
    fn versions_are_read() {
        let version = |text: &str| parse_version(text).map(|v| (v.major, v.minor));
        assert_eq!(version("pg_dump (PostgreSQL) 15.18 (Debian 15.18-1)\n"), Some((15, 18)));
        assert_eq!(version("pg_dump (PostgreSQL) 17beta1"), Some((17, 0)));
        assert_eq!(version("something else"), None);
    }

    #[test]
    fn never_older_than_the_source_and_near_the_target() {
        let chosen = |majors: &[u32], source, target| {
            programs(majors).dump_for(source, target).map(|tools| tools.dump.version.major)
        };
        assert_eq!(chosen(&[13, 15, 17], 13, 15), Ok(15));
        assert_eq!(chosen(&[13, 17], 14, 15), Ok(17));
        assert_eq!(chosen(&[15, 17], 15, 16), Ok(17));
        assert_eq!(chosen(&[15, 16], 13, 18), Ok(16));
        let error = chosen(&[13], 15, 15).unwrap_err();
        assert!(error.to_string().contains("needs pg_dump and pg_restore 15"));
        assert!(error.remedy().contains("postgresql-client-15"));
    }

    #[tokio::test]
    async fn finds_the_programs_of_this_machine() {
        let found = Programs::discover(&[]).await;
        assert!(!found.describe().is_empty(), "no pg_dump on this machine");
    }
}
