//! Options: the command line wins over the environment, both win over the configuration file, which wins over defaults.
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::Deserialize;

/// Where it listens when nothing is said: this machine only.
const LISTEN_DEFAULT: &str = "127.0.0.1:7443";

/// How logs look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One object a line.
    Json,
}

/// What can be said on the command line, in the environment, and in the file under the same names.
#[derive(Clone, Debug, Default, Deserialize, clap::Args)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Options {
    /// Where the controller keeps its certificates, its store and the administrator's context file (admin.yaml).
    #[arg(long, value_name = "DIR", env = "WHIMBREL_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// Address to listen on; port 0 takes a free one [default: 127.0.0.1:7443].
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Where agents and clients reach it, when that is not the listening address.
    #[arg(long, value_name = "HOST:PORT")]
    pub public_address: Option<String>,
    /// Where state is kept: `sqlite`, a file in the data directory.
    #[arg(long, value_name = "STORE")]
    pub store: Option<String>,
    /// The store was restored from a backup: begin above every term that agents can have seen since. Once only.
    #[arg(long)]
    #[serde(skip)]
    pub restored: bool,
    /// How logs look; they go to standard error. RUST_LOG filters them.
    #[arg(long, value_enum)]
    pub log_format: Option<LogFormat>,
}

/// Options, complete.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data directory.
    pub data_dir: PathBuf,
    /// Listening address.
    pub listen: SocketAddr,
    /// (host, port) that agents and clients dial, if it is not the listening address.
    pub public_address: Option<(String, u16)>,
    /// The store was restored from a backup.
    pub restored: bool,
}

/// An option that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file.
    #[error("reading the configuration file {}: {cause}", .path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// No data directory.
    #[error("no data directory: give one with --data-dir DIR")]
    NoDataDir,
    /// Not HOST:PORT.
    #[error("--public-address {0:?} is not HOST:PORT")]
    PublicAddress(String),
    /// PostgreSQL as a store.
    #[error(
        "--store postgres://… is not built yet: use --store sqlite, which keeps the state in the data directory"
    )]
    PostgresStore,
    /// Another store.
    #[error("--store {0:?} is not known: use sqlite")]
    Store(String),
}

impl Options {
    /// With what the file says where nothing else was said.
    ///
    /// # Errors
    /// [`ConfigError::File`].
    pub fn with_file(self, path: &Path) -> Result<Self, ConfigError> {
        let failed = |cause: String| ConfigError::File { path: path.to_owned(), cause };
        let text = fs::read_to_string(path).map_err(|e| failed(e.to_string()))?;
        let file: Self = toml::from_str(&text).map_err(|e| failed(e.to_string()))?;
        Ok(Self {
            data_dir: self.data_dir.or(file.data_dir),
            listen: self.listen.or(file.listen),
            public_address: self.public_address.or(file.public_address),
            store: self.store.or(file.store),
            restored: self.restored,
            log_format: self.log_format.or(file.log_format),
        })
    }

    /// With the defaults.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        match self.store.as_deref() {
            None | Some("sqlite") => {}
            Some(store) if store.starts_with("postgres") => return Err(ConfigError::PostgresStore),
            Some(store) => return Err(ConfigError::Store(store.to_owned())),
        }
        let default = || {
            LISTEN_DEFAULT
                .parse()
                .map_err(|_| ConfigError::PublicAddress(LISTEN_DEFAULT.to_owned()))
        };
        Ok(Settings {
            data_dir: self.data_dir.clone().ok_or(ConfigError::NoDataDir)?,
            listen: self.listen.map_or_else(default, Ok)?,
            public_address: self.public_address.as_deref().map(host_and_port).transpose()?,
            restored: self.restored,
        })
    }
}

/// "host:port", "[::1]:port".
fn host_and_port(text: &str) -> Result<(String, u16), ConfigError> {
    let refuse = || ConfigError::PublicAddress(text.to_owned());
    let (host, port) = text.rsplit_once(':').ok_or_else(refuse)?;
    let port = port.parse().map_err(|_| refuse())?;
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() || port == 0 {
        return Err(refuse());
    }
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(store: &str) -> Options {
        let data_dir = Some(PathBuf::from("/d"));
        Options { data_dir, store: Some(store.to_owned()), ..Options::default() }
    }

    #[test]
    fn refuses_a_store_that_is_not_built() {
        let error = options("postgres://host/db").settings().unwrap_err();
        assert!(error.to_string().contains("not built yet"), "{error}");
        assert!(options("redis").settings().is_err());
        assert!(options("sqlite").settings().is_ok());
    }

    #[test]
    fn the_command_line_wins_over_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.toml");
        fs::write(&path, "data-dir = \"/file\"\nlisten = \"127.0.0.1:1\"\n").unwrap();
        let said = Options { data_dir: Some("/said".into()), ..Options::default() };
        let both = said.with_file(&path).unwrap().settings().unwrap();
        assert_eq!(both.data_dir, PathBuf::from("/said"));
        assert_eq!(both.listen.port(), 1);
        fs::write(&path, "datadir = \"/x\"").unwrap();
        let error = Options::default().with_file(&path).unwrap_err().to_string();
        assert!(error.contains("datadir"), "{error}");
    }

    #[test]
    fn public_addresses() {
        assert_eq!(host_and_port("a.b:1").unwrap(), ("a.b".to_owned(), 1));
        assert_eq!(host_and_port("[::1]:2").unwrap(), ("::1".to_owned(), 2));
        for bad in ["a", "a:", ":1", "a:0", "a:x", "a:99999"] {
            assert!(host_and_port(bad).is_err(), "{bad}");
        }
    }
}
