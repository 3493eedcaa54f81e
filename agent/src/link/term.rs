//! The controller's term: commands of a lower one than was ever seen are refused, after a restart too.
use super::data_dir::{DataDir, DataDirError};
use crate::link::LinkError;

const FILE: &str = "term";

/// The highest term seen, on disk before anything of it is acted on.
#[derive(Debug)]
pub(super) struct Term(u64);

impl Term {
    pub(super) fn load(dir: &DataDir) -> Result<Self, LinkError> {
        let Some(bytes) = dir.read(FILE)? else { return Ok(Self(0)) };
        let text = String::from_utf8_lossy(&bytes);
        text.trim()
            .parse()
            .map(Self)
            .map_err(|_| LinkError::Identity { file: FILE, cause: "it is not a number".to_owned() })
    }

    /// Whether `term` is the current one or a later one, which is kept then.
    pub(super) fn accept(&mut self, dir: &DataDir, term: u64) -> Result<bool, DataDirError> {
        if term > self.0 {
            dir.write(FILE, format!("{term}\n").as_bytes())?;
            self.0 = term;
        }
        Ok(term == self.0)
    }

    pub(super) const fn highest(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lower_term_is_refused_after_a_restart_too() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(folder.path()).unwrap();
        let mut term = Term::load(&dir).unwrap();
        assert!(term.accept(&dir, 3).unwrap());
        assert!(!term.accept(&dir, 2).unwrap());
        let mut term = Term::load(&dir).unwrap();
        assert!(!term.accept(&dir, 2).unwrap());
        assert!(term.accept(&dir, 3).unwrap());
        assert_eq!(term.highest(), 3);
    }
}
