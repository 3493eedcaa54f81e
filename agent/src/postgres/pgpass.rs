//! libpq's password file (PostgreSQL manual, "The Password File").
use std::{
    env, fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::Password;

/// A password file that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PgpassError {
    /// Neither PGPASSFILE nor a home folder.
    #[error("looking for the password file: neither PGPASSFILE nor a home folder is set")]
    NoFile,
    /// It can't be read.
    #[error("reading the password file {path}: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// Others may read it: libpq ignores it then, silently; we say so.
    #[error("the password file {path} may be read by others (mode {mode:o}): chmod 600 it")]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// What a line is matched with.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// A host's name or address, or a folder of Unix sockets; `localhost` for the default one.
    pub host: &'a str,
    /// TCP port.
    pub port: u16,
    /// Database.
    pub database: &'a str,
    /// Role.
    pub user: &'a str,
}

/// Looks the password up in `PGPASSFILE`, or `~/.pgpass`.
///
/// # Errors
/// [`PgpassError`]; `None` when no line matches.
pub fn look_up(wanted: Wanted<'_>) -> Result<Option<Password>, PgpassError> {
    look_up_in(&path()?, wanted)
}

/// The file that [`look_up`] reads.
///
/// # Errors
/// [`PgpassError::NoFile`].
pub fn path() -> Result<PathBuf, PgpassError> {
    if let Some(path) = env::var_os("PGPASSFILE").filter(|path| !path.is_empty()) {
        return Ok(PathBuf::from(path));
    }
    env::home_dir().map(|home| home.join(".pgpass")).ok_or(PgpassError::NoFile)
}

fn look_up_in(path: &Path, wanted: Wanted<'_>) -> Result<Option<Password>, PgpassError> {
    let unreadable = |cause| PgpassError::Unreadable { path: path.to_owned(), cause };
    let mode = fs::metadata(path).map_err(unreadable)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(PgpassError::TooOpen { path: path.to_owned(), mode });
    }
    let text = zeroize::Zeroizing::new(fs::read_to_string(path).map_err(unreadable)?);
    Ok(text.lines().find_map(|line| password_in(line, wanted)).map(Password::new))
}

/// The first line that matches wins. Fields are split by `:`; `\` takes the next character as it is.
fn password_in(line: &str, wanted: Wanted<'_>) -> Option<String> {
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.starts_with('#') {
        return None;
    }
    let port = wanted.port.to_string();
    let mut rest = line;
    for value in [wanted.host, &port, wanted.database, wanted.user] {
        let (field, after) = split_field(rest)?;
        if field != "*" && unescape(field) != value {
            return None;
        }
        rest = after;
    }
    let password = split_field(rest).map_or(rest, |(field, _)| field);
    (!password.is_empty()).then(|| unescape(password))
}

fn split_field(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b':' => return Some((&text[..at], &text[at + 1..])),
            _ => {}
        }
    }
    None
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        // A backslash at the end stands for itself.
        out.push(if char == '\\' { chars.next().unwrap_or('\\') } else { char });
    }
    out
}

/// A field's text for a password file.
pub(super) fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace(':', "\\:")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const WANTED: Wanted<'_> = Wanted { host: "h", port: 5432, database: "d", user: "u" };

    #[test]
    fn lines_match_as_libpq_does() {
        let password = |line: &str| password_in(line, WANTED);
        assert_eq!(password("h:5432:d:u:pw").as_deref(), Some("pw"));
        assert_eq!(password("*:*:*:*:pw").as_deref(), Some("pw"));
        assert_eq!(password("*:*:*:*:p\\:w\\\\").as_deref(), Some("p:w\\"));
        assert_eq!(password("h:5433:d:u:pw"), None);
        assert_eq!(password("# h:5432:d:u:pw"), None);
        assert_eq!(password("h:5432:d:u:"), None);
        assert_eq!(password("h:5432"), None);
        assert_eq!(password("\\h:5432:d:u:pw\r").as_deref(), Some("pw"));
    }

    #[test]
    fn what_is_escaped_comes_back() {
        for text in ["a:b\\c", "\\", ":", "plain"] {
            assert_eq!(
                password_in(&format!("*:*:*:*:{}", escape(text)), WANTED).as_deref(),
                Some(text)
            );
        }
    }

    #[test]
    fn a_file_that_others_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pgpass");
        fs::write(&path, "x:*:*:*:no\n*:*:*:*:yes\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(look_up_in(&path, WANTED), Err(PgpassError::TooOpen { mode: 0o644, .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(look_up_in(&path, WANTED).unwrap().unwrap().expose(), "yes");
    }
}
