//! The folder that a server lives in, with a guardian that stops the server and removes the folder.
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use super::SUPERUSER;
use crate::{
    Context, Failure, Outcome,
    guardian::Guardian,
    installation::{Installation, output},
    place::scratch,
};

/// A new folder of the server's user, and who stops the server in it and removes it.
pub(super) fn guarded_folder() -> Outcome<(PathBuf, Guardian)> {
    let installation = Installation::find()?;
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

/// A data folder as `initdb` leaves it, made once a process and copied for each cluster.
pub(super) fn template() -> Outcome<&'static Path> {
    static TEMPLATE: OnceLock<Result<(PathBuf, Guardian), String>> = OnceLock::new();
    TEMPLATE
        .get_or_init(|| initdb().map_err(|failure| failure.to_string()))
        .as_ref()
        .map(|(folder, _)| folder.as_path())
        .map_err(|text| Failure::new(text.clone()))
}

fn initdb() -> Outcome<(PathBuf, Guardian)> {
    let (folder, guardian) = guarded_folder()?;
    let mut command = Installation::find()?.server("initdb");
    command.arg("-D").arg(folder.join("data")).args(["-U", SUPERUSER, "--no-sync"]);
    command.args(["-E", "UTF8", "--locale=C.UTF-8"]);
    command.args(["--auth-local=trust", "--auth-host=scram-sha-256"]);
    output(&mut command).context(|| "make a PostgreSQL cluster")?;
    Ok((folder, guardian))
}
