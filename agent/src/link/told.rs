//! The last command that this agent was given: what a controller whose store does not know it would order is of an earlier time.
use super::data_dir::DataDir;

const FILE: &str = "command";

/// The highest number of a command, of this life or an earlier one.
#[derive(Debug)]
pub(super) struct Told(u64);

impl Told {
    /// One that can't be read tells nothing: it only guards against a mistake of others.
    pub(super) fn load(dir: &DataDir) -> Self {
        let read = dir.read(FILE).ok().flatten();
        let number = read.and_then(|bytes| String::from_utf8_lossy(&bytes).trim().parse().ok());
        Self(number.unwrap_or_default())
    }

    /// This one was given. It outlives this process, and maybe not the machine's power: a cutover does not wait for the disk.
    pub(super) fn note(&mut self, dir: &DataDir, number: u64) {
        if number <= self.0 {
            return;
        }
        self.0 = number;
        if let Err(error) = dir.write_soon(FILE, format!("{number}\n").as_bytes()) {
            tracing::warn!(%error, "writing down the last command's number");
        }
    }

    pub(super) const fn last(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_command_is_known_after_a_restart_too() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(folder.path()).unwrap();
        let mut told = Told::load(&dir);
        assert_eq!(told.last(), 0);
        told.note(&dir, 7);
        told.note(&dir, 3);
        assert_eq!((told.last(), Told::load(&dir).last()), (7, 7));
        dir.write(FILE, b"torn").unwrap();
        assert_eq!(Told::load(&dir).last(), 0);
    }
}
