//! The agent's own folder: its identity, the highest term it has seen, the last command it was given. One process at a time has it.
use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

/// The folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Something about a file of it.
    #[error("{doing} {path}: {cause}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// Another process has it.
    #[error(
        "opening {path}: another agent process uses it; give each agent a --data-dir of its own"
    )]
    Locked {
        /// The folder.
        path: PathBuf,
    },
}

/// An open and locked folder, mode 0700; its files have mode 0600.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// Locked as long as it is open.
    _lock: File,
}

impl DataDir {
    /// Opens the folder, making it if there is none.
    ///
    /// # Errors
    /// [`DataDirError`]; `Locked` when another process has it.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        let fail = |doing| move |cause| DataDirError::Io { doing, path: path.to_owned(), cause };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(fail("making"))?;
        // It may have been there: the key in it is nobody else's business.
        fs::set_permissions(path, Permissions::from_mode(0o700))
            .map_err(fail("closing to others"))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join("lock"))
            .map_err(fail("locking"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(DataDirError::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(cause)) => Err(fail("locking")(cause)),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file's bytes; `None` when there is none.
    pub(super) fn read(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, DataDirError> {
        let path = self.path.join(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(DataDirError::Io { doing: "reading", path, cause }),
        }
    }

    /// Replaces a file as a whole, durably: after a crash there is the old one or the new one.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), DataDirError> {
        let path = self.path.join(name);
        self.replace(&path, bytes).map_err(|cause| DataDirError::Io {
            doing: "writing",
            path,
            cause,
        })
    }

    /// The same without waiting for the disk: a crash of the machine may leave the old one, or none that can be read.
    pub(super) fn write_soon(&self, name: &str, bytes: &[u8]) -> Result<(), DataDirError> {
        let path = self.path.join(name);
        let made = self.made(bytes).and_then(|file| Ok(file.persist(&path)?));
        made.map(drop).map_err(|cause| DataDirError::Io { doing: "writing", path, cause })
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let file = self.made(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        File::open(&self.path)?.sync_all()
    }

    fn made(&self, bytes: &[u8]) -> io::Result<tempfile::NamedTempFile> {
        // tempfile makes it with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(&self.path)?;
        file.write_all(bytes)?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_has_it_and_nobody_else_reads_it() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let dir = DataDir::open(&path).unwrap();
        assert!(matches!(DataDir::open(&path), Err(DataDirError::Locked { .. })));
        assert!(dir.read("key").unwrap().is_none());
        dir.write("key", b"hush").unwrap();
        assert_eq!(dir.read("key").unwrap().unwrap().as_slice(), b"hush");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&path.join("key"))), (0o700, 0o600));
        drop(dir);
        DataDir::open(&path).unwrap();
    }
}
