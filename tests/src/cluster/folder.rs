//! The folder that a server lives in, with a guardian that stops the server and removes the folder.
use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::Command,
    sync::{Mutex, PoisonError},
};

use super::SUPERUSER;
use crate::{
    Context, Outcome,
    guardian::Guardian,
    installation::{Installation, output, stdout},
    place::scratch,
};

/// A new folder of the server's user, and who stops the server in it and removes it.
pub(super) fn guarded_folder(installation: &Installation) -> Outcome<(PathBuf, Guardian)> {
    let folder = tempfile::Builder::new().prefix("whimbrel-pg-").tempdir_in(scratch())?.keep();
    // The socket's path must be short, and open to the user that we are not.
    output(Command::new("chmod").arg("755").arg(&folder))?;
    installation.give_away(&folder)?;
    let pg_ctl = format!(
        "{} {}/pg_ctl",
        installation.server_words().join(" "),
        installation.bin().display()
    );
    let script = "cd /; $2 -D \"$1/data\" -m immediate -w stop; rm -rf \"$1\"";
    let guardian = Guardian::new(script, &[&folder.display().to_string(), &pg_ctl])?;
    Ok((folder, guardian))
}

/// A data folder as `initdb` leaves it, made once a process and version, and copied for each cluster.
pub(super) fn template(installation: &Installation) -> Outcome<PathBuf> {
    static TEMPLATES: Mutex<BTreeMap<PathBuf, (PathBuf, Guardian)>> = Mutex::new(BTreeMap::new());
    let mut templates = TEMPLATES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((folder, _)) = templates.get(installation.bin()) {
        return Ok(folder.clone());
    }
    let (folder, guardian) = initdb(installation)?;
    templates.insert(installation.bin().to_owned(), (folder.clone(), guardian));
    Ok(folder)
}

fn initdb(installation: &Installation) -> Outcome<(PathBuf, Guardian)> {
    let (folder, guardian) = guarded_folder(installation)?;
    let mut command = installation.server("initdb");
    command.arg("-D").arg(folder.join("data")).args(["-U", SUPERUSER, "-N"]);
    command.args(["-E", "UTF8", "--locale=C.UTF-8"]);
    // 9.6 has no SCRAM.
    let version = stdout(installation.server("initdb").arg("--version"))?;
    let host =
        if version.contains(" 9.") { "--auth-host=md5" } else { "--auth-host=scram-sha-256" };
    command.args(["--auth-local=trust", host]);
    output(&mut command).context(|| "make a PostgreSQL cluster")?;
    Ok((folder, guardian))
}
