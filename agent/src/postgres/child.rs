//! What a child program (`pg_dump`) needs to connect: by environment, never on its command line.
use std::{fs, io::Write as _};

use tempfile::NamedTempFile;
use tokio::process::Command;

use super::{Endpoint, SESSION_OPTIONS, pgpass};

/// What libpq would believe instead of us, or beside us.
const MISLEADING: [&str; 4] = ["PGSERVICE", "PGHOSTADDR", "PGOPTIONS", "PGREQUIRESSL"];
/// What is no business of a child's.
const SECRET: [&str; 2] = ["PGPASSWORD", "WHIMBREL_JOIN_TOKEN"];

/// libpq's variables for one server and database. The password is in a file of its own (mode 0600), which goes with
/// this value: keep it as long as the child runs.
#[derive(Debug)]
pub struct ChildEnvironment {
    variables: Vec<(&'static str, String)>,
    _password_file: Option<NamedTempFile>,
}

impl ChildEnvironment {
    /// Writes the password file.
    ///
    /// # Errors
    /// When the file can't be made in the temporary folder.
    pub fn new(endpoint: &Endpoint, database: &str, purpose: &str) -> std::io::Result<Self> {
        let mut variables = vec![
            ("PGHOST", endpoint.host.clone()),
            ("PGPORT", endpoint.port.to_string()),
            ("PGUSER", endpoint.user.clone()),
            ("PGDATABASE", database.to_owned()),
            ("PGSSLMODE", endpoint.ssl_mode.as_libpq().to_owned()),
            ("PGAPPNAME", format!("whimbrel/{purpose}")),
            ("PGCONNECT_TIMEOUT", super::dial::CONNECT_TIMEOUT.as_secs().to_string()),
            ("PGGSSENCMODE", "disable".to_owned()),
            ("PGCLIENTENCODING", "UTF8".to_owned()),
            ("LC_ALL", "C".to_owned()),
            // The server writes definitions as the session's settings say, and they are read back in sessions that have ours.
            ("PGOPTIONS", SESSION_OPTIONS.to_owned()),
        ];
        let mut password_file = None;
        if let Some(password) = &endpoint.password {
            // tempfile makes it with mode 0600.
            let mut file = NamedTempFile::with_prefix("whimbrel-pgpass-")?;
            writeln!(file, "*:*:*:*:{}", pgpass::escape(password.expose()))?;
            file.flush()?;
            let path = fs::canonicalize(file.path())?;
            variables.push(("PGPASSFILE", path.display().to_string()));
            password_file = Some(file);
        }
        Ok(Self { variables, _password_file: password_file })
    }

    /// Gives them to `command`, and takes away what it should not have.
    pub fn apply(&self, command: &mut Command) {
        for name in MISLEADING.iter().chain(&SECRET) {
            command.env_remove(name);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
    }
}
