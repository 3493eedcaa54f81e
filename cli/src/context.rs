//! The context file: where the controller is, the CA that its certificate must come from, and our token. It is the
//! controller's `admin.yaml`. Read only; never printed.
use std::{
    fs, io,
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy as _;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// Largest context file that is read: a CA bundle and a token are a few kB.
const SIZE_MAX: u64 = 1024 * 1024;

/// Where the controller is, and who we are.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Context {
    /// `host:port`.
    pub(crate) address: String,
    /// PEM of the controller's CA.
    pub(crate) ca: String,
    /// Goes in `authorization: Bearer`.
    #[serde(deserialize_with = "wiped")]
    pub(crate) token: Zeroizing<String>,
}

/// The context file can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContextError {
    /// There is none.
    #[error(
        "no context file at {path}: give the controller's DIR/admin.yaml with --context FILE or $WHIMBREL_CONTEXT, or copy it there"
    )]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// It can't be read.
    #[error("can't read the context file {path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It does not hold a context. The parser's own message could repeat the token, so only the place is told.
    #[error(
        "{path}{place} is not a context file: expected YAML with address, ca and token, as in the controller's admin.yaml"
    )]
    Form {
        /// Which.
        path: PathBuf,
        /// ` line N`, where known.
        place: String,
    },
    /// There is no home folder to look in.
    #[error(
        "no home folder to look for the default context file in: give --context FILE or $WHIMBREL_CONTEXT"
    )]
    NoHome,
}

impl Context {
    /// Reads the file, or the default one.
    ///
    /// # Errors
    /// [`ContextError`].
    pub(crate) fn load(path: Option<&Path>) -> Result<Self, ContextError> {
        let path = match path {
            Some(path) => path.to_owned(),
            None => config_folder().ok_or(ContextError::NoHome)?.join("context.yaml"),
        };
        let text = read(&path)?;
        serde_yaml_ng::from_str(&text).map_err(|error| {
            let place = error.location().map(|at| format!(" line {}", at.line()));
            ContextError::Form { path, place: place.unwrap_or_default() }
        })
    }
}

fn wiped<'de, D: Deserializer<'de>>(from: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(from).map(Zeroizing::new)
}

/// Our folder under the user's configuration folder.
pub(crate) fn config_folder() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.config_dir().join("whimbrel"))
}

fn read(path: &Path) -> Result<Zeroizing<String>, ContextError> {
    let refuse = |source| ContextError::Read { path: path.to_owned(), source };
    match fs::metadata(path) {
        Ok(found) if found.len() > SIZE_MAX => {
            return Err(refuse(io::Error::other("it is larger than a context can be (1 MiB)")));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(ContextError::Missing { path: path.to_owned() });
        }
        Err(error) => return Err(refuse(error)),
    }
    fs::read_to_string(path).map(Zeroizing::new).map_err(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn the_controllers_admin_yaml_is_read() {
        let file = write("address: c:7443\nca: |\n  PEM\ntoken: t\nagentCaFingerprint: ab\n");
        let context = Context::load(Some(file.path())).unwrap();
        assert_eq!((context.address.as_str(), context.ca.as_str()), ("c:7443", "PEM\n"));
        assert_eq!(context.token.as_str(), "t");
    }

    #[test]
    fn a_bad_file_is_refused_without_its_contents() {
        let file = write("address: c\ntoken: [hunter2]\nca: x\n");
        let error = Context::load(Some(file.path())).err().unwrap().to_string();
        assert!(error.contains("line 2") && !error.contains("hunter2"), "{error}");
        let missing = Context::load(Some(Path::new("/nonexistent/x"))).err().unwrap();
        assert!(matches!(missing, ContextError::Missing { .. }));
    }
}
