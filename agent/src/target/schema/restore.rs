//! Runs pg_restore, for its text.
use std::{collections::HashSet, io::Write as _, path::Path, process::Stdio};

use tokio::process::Command;

use super::{Entry, Plan, entries, not_null::before_18};
use crate::{fault::Fault, postgres::Program, wire::Catalog};

/// The first major version that takes NOT NULL as a constraint of a table.
const NOT_NULL_SINCE: u32 = 18;

impl Plan {
    /// Turns an archive into a plan, for a target of that major version. `ours`: the publications that the migration made on
    /// the source.
    ///
    /// # Errors
    /// `PgRestoreFailed`.
    pub async fn read(
        restore: &Program,
        archive: &[u8],
        catalog: &Catalog,
        ours: &[&str],
        target_major: u32,
    ) -> Result<Self, Fault> {
        // pg_restore reads a custom archive out of order, so it needs a file. It holds no rows and no password.
        let mut file = tempfile::NamedTempFile::with_prefix("whimbrel-dump-").map_err(disk)?;
        file.write_all(archive).and_then(|()| file.flush()).map_err(disk)?;
        let not_made = catalog.not_made.iter().copied().collect();
        let (mut before, after) = tokio::try_join!(
            section(restore, file.path(), "pre-data", &not_made),
            section(restore, file.path(), "post-data", &not_made),
        )?;
        // Where no older one is at hand, a pg_dump of 18 may have dumped it.
        if target_major < NOT_NULL_SINCE {
            for entry in before.iter_mut().filter(|entry| entry.kind == "TABLE") {
                if let Some(sql) = before_18(&entry.sql) {
                    entry.sql = sql;
                }
            }
        }
        Ok(Self::new(before, after, catalog, ours))
    }
}

async fn section(
    restore: &Program,
    archive: &Path,
    section: &str,
    not_made: &HashSet<(u32, u32)>,
) -> Result<Vec<Entry>, Fault> {
    let section = format!("--section={section}");
    let (list, script) = (["--list", &section], ["--verbose", "--file=-", &section]);
    let (list, script) =
        tokio::try_join!(run(restore, archive, &list), run(restore, archive, &script))?;
    entries(&list, &script, not_made).map_err(|error| {
        Fault::hold("PgRestoreFailed", format!("reading what pg_restore wrote: {error}"))
            .remedy("report it, with the version of pg_restore")
    })
}

async fn run(restore: &Program, archive: &Path, options: &[&str]) -> Result<String, Fault> {
    let output = Command::new(&restore.path)
        .args(options)
        .arg(archive)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| {
            Fault::hold("PgRestoreFailed", format!("starting {}: {error}", restore.path.display()))
        })?;
    if !output.status.success() {
        // --verbose complains at length; why it stopped is in the last line.
        let text = String::from_utf8_lossy(&output.stderr);
        let last = text.lines().next_back().unwrap_or_default();
        return Err(Fault::hold(
            "PgRestoreFailed",
            format!("pg_restore ended with {}: {last}", output.status),
        ));
    }
    String::from_utf8(output.stdout)
        .map_err(|_| Fault::hold("PgRestoreFailed", "pg_restore's script is not UTF-8"))
}

fn disk(error: std::io::Error) -> Fault {
    Fault::hold("AgentDisk", format!("writing the schema's dump to a temporary file: {error}"))
        .remedy("make room in the agent's temporary folder, then `whimbrel migration retry`")
}
