//! Where PostgreSQL's programs are, and as whom they may run: the server refuses root.
use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Mutex, OnceLock, PoisonError},
};

use crate::{Context, Failure, Outcome, ensure};

/// The user that Debian's package makes; servers run as it when we are root.
const SERVER_USER: &str = "postgres";

/// The newest version that there is.
const NEWEST: u32 = 18;

/// PostgreSQL's programs on this machine.
#[derive(Debug)]
pub struct Installation {
    bin: PathBuf,
    as_root: bool,
}

impl Installation {
    /// The newest that is installed, or the one that `WHIMBREL_PG_BIN` names.
    ///
    /// # Errors
    /// When there is none, or when we are root and there is no user to run a server as.
    pub fn find() -> Outcome<&'static Self> {
        static FOUND: OnceLock<Result<Installation, String>> = OnceLock::new();
        FOUND
            .get_or_init(|| Self::look().map_err(|failure| failure.to_string()))
            .as_ref()
            .map_err(|text| Failure::new(text.clone()))
    }

    /// The programs of a major version (9: 9.6); `None` when this machine has none: [`fetched`]'s, or Debian's. Those of
    /// `tests/servers` have no client programs, but for the newest.
    ///
    /// # Errors
    /// As [`Installation::find`].
    pub fn of(major: u32) -> Outcome<Option<&'static Self>> {
        static FOUND: Mutex<BTreeMap<u32, &'static Installation>> = Mutex::new(BTreeMap::new());
        let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = found.get(&major) {
            return Ok(Some(known));
        }
        let as_root = Self::find()?.as_root;
        let places = [fetched(as_root)?, PathBuf::from("/usr/lib/postgresql")];
        let name = if major == 9 { "9.6".to_owned() } else { major.to_string() };
        let bins = places.map(|place| place.join(&name).join("bin"));
        let Some(bin) = bins.into_iter().find(|bin| bin.join("initdb").exists()) else {
            return Ok(None);
        };
        // One for each version, for as long as the process lives.
        let made: &'static Self = Box::leak(Box::new(Self { bin, as_root }));
        found.insert(major, made);
        Ok(Some(made))
    }

    /// Of the newest version whose client programs are here: they speak to every older server.
    ///
    /// # Errors
    /// As [`Installation::find`].
    pub fn newest_clients() -> Outcome<&'static Self> {
        match Self::of(NEWEST)? {
            Some(newest) if newest.bin.join("pg_dump").exists() => Ok(newest),
            _ => Self::find(),
        }
    }

    fn look() -> Outcome<Self> {
        let bin = match env::var_os("WHIMBREL_PG_BIN") {
            Some(bin) => PathBuf::from(bin),
            None => newest(Path::new("/usr/lib/postgresql"))?,
        };
        ensure!(bin.join("initdb").exists(), "no initdb in {}", bin.display());
        let as_root = stdout(Command::new("id").arg("-u"))?.trim() == "0";
        if as_root {
            stdout(Command::new("id").args(["-u", SERVER_USER])).context(
                || "PostgreSQL refuses root, and there is no user `postgres`: make it, or be an ordinary user",
            )?;
        }
        Ok(Self { bin, as_root })
    }

    /// A client program: `psql`, `pg_dump`, `pgbench`; it runs as we do.
    #[must_use]
    pub fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        // What a person has set for their own servers must not reach ours.
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        command.env("LC_ALL", "C.UTF-8");
        command
    }

    /// A server's program: `initdb`, `pg_ctl`; never as root.
    #[must_use]
    pub fn server(&self, program: &str) -> Command {
        let mut words = self.server_words();
        words.push(self.bin.join(program).display().to_string());
        let mut command = Command::new(&words[0]);
        // Our own folder may be closed to that user.
        command.args(&words[1..]).current_dir("/").env("LC_ALL", "C.UTF-8");
        command
    }

    /// What a shell puts in front of a server's program.
    pub(crate) fn server_words(&self) -> Vec<String> {
        if !self.as_root {
            return vec!["env".to_owned()];
        }
        let user = |option: &str| format!("--{option}={SERVER_USER}");
        vec!["setpriv".to_owned(), user("reuid"), user("regid"), "--init-groups".to_owned()]
    }

    /// Lets the server's user own a file or folder.
    pub(crate) fn give_away(&self, path: &Path) -> Outcome {
        if self.as_root {
            stdout(Command::new("chown").args(["-R", SERVER_USER]).arg(path))?;
        }
        Ok(())
    }

    /// The folder of the programs.
    #[must_use]
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// Are we root?
    #[must_use]
    pub fn as_root(&self) -> bool {
        self.as_root
    }
}

/// Where `tests/servers` puts what it fetches: the same rule as there.
fn fetched(as_root: bool) -> Outcome<PathBuf> {
    if let Some(folder) = env::var_os("WHIMBREL_TEST_SERVERS") {
        return Ok(PathBuf::from(folder));
    }
    if as_root {
        return Ok(PathBuf::from("/var/cache/whimbrel/postgresql"));
    }
    let cache = match env::var_os("XDG_CACHE_HOME") {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(env::var("HOME").context(|| "find the home folder")?).join(".cache"),
    };
    Ok(cache.join("whimbrel/postgresql"))
}

fn newest(versions: &Path) -> Outcome<PathBuf> {
    let entries = fs::read_dir(versions)
        .context(|| "no PostgreSQL in /usr/lib/postgresql: install it (apt-get install postgresql), or set WHIMBREL_PG_BIN")?;
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let major = path.file_name().and_then(|name| name.to_str()?.parse().ok());
        if let (Some(major), true) = (major, path.join("bin/initdb").exists()) {
            found.push((major, path.join("bin")));
        }
    }
    found.sort();
    found
        .pop()
        .map(|(_, bin)| bin)
        .ok_or_else(|| Failure::new("no server in /usr/lib/postgresql: apt-get install postgresql"))
}

/// Runs a command to its end.
///
/// # Errors
/// When it can't be run or says no, with what it wrote.
pub fn output(command: &mut Command) -> Outcome<Output> {
    let output = command.output().context(|| format!("run {command:?}"))?;
    ensure!(
        output.status.success(),
        "{:?}: {}: {}{}",
        command.get_program(),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    Ok(output)
}

/// [`output`]'s standard output, as text.
///
/// # Errors
/// As [`output`].
pub fn stdout(command: &mut Command) -> Outcome<String> {
    Ok(String::from_utf8_lossy(&output(command)?.stdout).into_owned())
}
