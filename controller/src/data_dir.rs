//! The data directory: ours alone, and every file in it is written whole or not at all.
use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use jiff::Timestamp;

/// What can go wrong with it.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// A file or the directory.
    #[error("{doing} {}: {cause}", .path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// The system's words.
        cause: io::Error,
    },
    /// Another controller is at work.
    #[error("the data directory {} is in use by another controller: stop it, or give this one its own --data-dir", .path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
}

/// A data directory that this process has locked.
pub struct DataDir {
    path: PathBuf,
    // Held as long as the controller lives; the system lets go of it even after kill -9.
    _lock: File,
}

impl DataDir {
    /// Opens the directory, makes it (mode 0700) when it is not there, and locks it.
    ///
    /// # Errors
    /// [`DataDirError`].
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        let failed = |doing| move |cause| DataDirError::Io { doing, path: path.to_owned(), cause };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(failed("making the data directory"))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join("lock"))
            .map_err(failed("locking the data directory"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(DataDirError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(cause)) => Err(failed("locking the data directory")(cause)),
        }
    }

    /// A file in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A whole text file.
    ///
    /// # Errors
    /// [`DataDirError::Io`].
    pub fn read(path: &Path) -> Result<String, DataDirError> {
        fs::read_to_string(path).map_err(|cause| DataDirError::Io {
            doing: "reading",
            path: path.to_owned(),
            cause,
        })
    }

    /// Writes a file that anyone may read.
    ///
    /// # Errors
    /// [`DataDirError::Io`].
    pub fn write(path: &Path, content: &[u8]) -> Result<(), DataDirError> {
        write_whole(path, content, 0o644)
    }

    /// Writes a file for us alone.
    ///
    /// # Errors
    /// [`DataDirError::Io`].
    pub fn write_secret(path: &Path, content: &[u8]) -> Result<(), DataDirError> {
        write_whole(path, content, 0o600)
    }
}

/// Beside it, flushed, then in its place: a crash leaves the old file or the new one.
fn write_whole(path: &Path, content: &[u8], mode: u32) -> Result<(), DataDirError> {
    let written = || -> io::Result<()> {
        let beside = path.with_extension(format!("new-{}", Timestamp::now().as_nanosecond()));
        let mut file = OpenOptions::new().create_new(true).write(true).mode(mode).open(&beside)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        match path.parent() {
            Some(parent) => File::open(parent)?.sync_all(),
            None => Ok(()),
        }
    };
    written().map_err(|cause| DataDirError::Io { doing: "writing", path: path.to_owned(), cause })
}
