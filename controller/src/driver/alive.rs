//! When a controller was last at work, for the next one: a cutover stands still without it, and by the time that one comes back the
//! application may write to the source again.
use std::{path::PathBuf, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::{Driver, Live};
use crate::{
    data_dir::DataDir,
    migration::{Event, Mode},
    store::StoreError,
};

/// How often it is written down, while a cutover runs.
const EVERY: SignedDuration = SignedDuration::from_secs(5);

/// A clock that counts on across lives.
pub(super) struct Alive {
    path: PathBuf,
    /// By the monotonic clock: one that is set is no absence.
    looked: Option<Instant>,
    at: Timestamp,
    /// When it was last due to be written.
    due: Timestamp,
}

impl Alive {
    /// What another life has left in that file.
    pub(super) fn open(path: PathBuf) -> Self {
        let told = DataDir::read(&path).ok().and_then(|text| text.trim().parse().ok());
        let at = told.unwrap_or(Timestamp::UNIX_EPOCH);
        Self { path, looked: None, at, due: at }
    }

    /// We are at work: since when we were not, if that was longer than a moment.
    fn look(&mut self, now: Timestamp) -> Option<Timestamp> {
        let before = std::mem::replace(&mut self.at, now);
        match self.looked.replace(Instant::now()) {
            Some(looked) if looked.elapsed() < EVERY.unsigned_abs() => None,
            _ => Some(before),
        }
    }

    /// Nothing has come of it: it is to be told again.
    fn forget(&mut self, since: Timestamp) {
        (self.looked, self.at) = (None, since);
    }

    /// Whether it is time to write it down.
    fn is_due(&mut self, now: Timestamp) -> bool {
        let is_due = now.duration_since(self.due).abs() >= EVERY;
        if is_due {
            self.due = now;
        }
        is_due
    }

    fn write(&self, now: Timestamp) {
        if let Err(error) = DataDir::write(&self.path, format!("{now}\n").as_bytes()) {
            // An absence is taken for a longer one then: a cutover leads back that need not.
            tracing::warn!(%error, "writing down that the controller is at work");
        }
    }
}

impl Driver {
    /// Leads back the cutovers that have stood still for too long, because we were away. Before anything else is heard.
    ///
    /// # Errors
    /// [`StoreError`]; the next call does it then.
    pub(super) async fn look_back(&self) -> Result<(), StoreError> {
        let mut alive = self.alive.lock().await;
        let now = Self::now();
        if let Some(since) = alive.look(now) {
            for live in self.all_live().iter().filter(|live| is_in_cutover(live)) {
                if let Err(error) = self.happen(live, &Event::ControllerAway { since }).await {
                    alive.forget(since);
                    return Err(error);
                }
            }
        }
        // Where there are thousands, not with each report.
        if alive.is_due(now) && self.all_live().iter().any(is_in_cutover) {
            alive.write(now);
        }
        drop(alive);
        Ok(())
    }
}

fn is_in_cutover(live: &Arc<Live>) -> bool {
    let record = live.record();
    record.migration.spec.mode == Mode::Online
        && record.migration.databases.iter().any(|database| database.phase().cutover().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_absence_is_told_once_in_this_life_and_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("alive");
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let mut alive = Alive::open(path.clone());
        assert_eq!(alive.look(at(1000)), Some(Timestamp::UNIX_EPOCH), "nothing is known");
        alive.write(at(1000));
        assert_eq!(alive.look(at(1001)), None);
        // The clock is set.
        assert_eq!(alive.look(at(9000)), None);
        alive.write(at(9000));
        // Frozen.
        tokio::time::advance(std::time::Duration::from_secs(70)).await;
        assert_eq!(alive.look(at(9070)), Some(at(9000)));
        assert_eq!(alive.look(at(9071)), None);
        assert_eq!(Alive::open(path).look(at(9500)), Some(at(9000)));
    }
}
