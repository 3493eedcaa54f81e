//! How the base copy may be made: how much at once, how fast, under how old a snapshot. Changed while it runs.
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    thread::available_parallelism,
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};
use whimbrel_proto::agent::v1::CopyLimits;

/// Fewest and most workers by our own choice. The servers do the work, and a worker more than they have processors for
/// costs little.
const WORKERS_MIN: usize = 2;
const WORKERS_MAX: usize = 8;

/// Small tables, and the schema, make a server flush many small files, and wait for its disk more than for its processors:
/// at least so many workers for them.
const SMALL_WORKERS_MIN: usize = 4;

/// Most workers by anybody's choice: each has a session on both servers, and 8 MB of rows on their way.
const WORKERS_LIMIT: usize = 16;

/// Pages of a part: 128 MB. A crash costs at most the parts in flight, and eight workers find enough of them in a
/// table of 1 GB.
pub(super) const PART_PAGES: u32 = 16_384;

/// How long a snapshot is held. The source can't vacuum what it still sees; an hour of that is what a long report costs
/// it too. A renewal costs reading the WAL of that hour.
const SNAPSHOT_AGE: Duration = Duration::from_secs(3600);

/// A single copy beside others works so long, and rests so long, in turn: where the servers have two processors or share them,
/// one copy takes half of what others had, and four sevenths of that leave them as much as native replication's copy does. Shorter
/// rests are none: what the connections hold meanwhile keeps both servers at work.
const WORK: Duration = Duration::from_millis(200);
const REST: Duration = Duration::from_millis(150);

/// Whoever waits for its turn looks again this often, lest it waits by a limit of before.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The limits of now, by what was last told.
#[derive(Debug, Clone)]
pub(crate) struct Limits(watch::Receiver<CopyLimits>);

impl Limits {
    pub(crate) fn new(told: watch::Receiver<CopyLimits>) -> Self {
        Self(told)
    }

    /// Jobs at once.
    pub(crate) fn jobs(&self) -> usize {
        match usize::try_from(self.0.borrow().jobs).unwrap_or(WORKERS_LIMIT) {
            0 => {
                let processors = available_parallelism().map_or(WORKERS_MIN, usize::from);
                processors.clamp(WORKERS_MIN, WORKERS_MAX)
            }
            jobs => jobs.min(WORKERS_LIMIT),
        }
    }

    /// Nobody chose the number of jobs.
    pub(super) fn is_free(&self) -> bool {
        self.0.borrow().jobs == 0
    }

    /// Of so many copies at once, those that are made while others keep the source busy: half, so the copy takes at most about
    /// twice as long. Of what was chosen all.
    pub(super) fn beside_others(&self, copies: usize) -> usize {
        if self.is_free() { (copies / 2).max(1) } else { copies }
    }

    /// Half of them is one, which is still much where there are so few processors.
    fn rests_beside_others(&self) -> bool {
        self.is_free() && self.beside_others(self.jobs()) == 1
    }

    /// Jobs at once where each is small.
    pub(crate) fn small_jobs(&self) -> usize {
        match self.0.borrow().jobs {
            0 => (self.jobs() * 2).clamp(SMALL_WORKERS_MIN, WORKERS_MAX),
            _ => self.jobs(),
        }
    }

    pub(crate) fn part_pages(&self) -> u32 {
        match self.0.borrow().part_pages {
            0 => PART_PAGES,
            pages => pages,
        }
    }

    pub(crate) fn snapshot_age(&self) -> Duration {
        let told = self.0.borrow().snapshot_age;
        let told = told.and_then(|age| Duration::try_from(age).ok());
        told.filter(|age| !age.is_zero()).unwrap_or(SNAPSHOT_AGE)
    }

    fn bytes_per_second(&self) -> Option<u64> {
        Some(self.0.borrow().bytes_per_second).filter(|bytes| *bytes > 0)
    }

    /// Resolves when they were changed; never again when nobody can change them any more.
    pub(crate) async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Shares out the bytes of a second among the workers, and lets a single one rest while others keep the source busy.
#[derive(Debug)]
pub(crate) struct Pace {
    limits: Limits,
    /// Others keep the source busy.
    makes_way: watch::Receiver<bool>,
    /// When all that was let through so far is paid for.
    paid: Mutex<Option<Instant>>,
    rested: Mutex<Option<Instant>>,
}

impl Pace {
    pub(crate) fn new(limits: Limits, makes_way: watch::Receiver<bool>) -> Self {
        Self { limits, makes_way, paid: Mutex::new(None), rested: Mutex::new(None) }
    }

    /// Waits until so many bytes more may pass.
    pub(crate) async fn pass(&self, bytes: usize) {
        self.rest().await;
        self.pay(bytes).await;
    }

    async fn rest(&self) {
        if !*self.makes_way.borrow() || !self.limits.rests_beside_others() {
            return;
        }
        let worked = lock(&self.rested).is_none_or(|rested| rested.elapsed() >= WORK);
        if worked {
            sleep(REST).await;
            *lock(&self.rested) = Some(Instant::now());
        }
    }

    async fn pay(&self, bytes: usize) {
        loop {
            let now = Instant::now();
            let Some(rate) = self.limits.bytes_per_second() else {
                *lock(&self.paid) = None;
                return;
            };
            let cost = Duration::from_secs_f64(bytes as f64 / rate as f64);
            let paid = {
                let mut paid = lock(&self.paid);
                let due = paid.map_or(now, |paid| paid.max(now));
                if due <= now {
                    *paid = Some(now + cost);
                    return;
                }
                due
            };
            sleep_until(paid.min(now + LOOK_AGAIN)).await;
        }
    }
}

fn lock(time: &Mutex<Option<Instant>>) -> MutexGuard<'_, Option<Instant>> {
    // One assignment under the lock: a panic leaves it whole.
    time.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(bytes_per_second: u64) -> (watch::Sender<CopyLimits>, Limits) {
        let (told, limits) =
            watch::channel(CopyLimits { bytes_per_second, ..CopyLimits::default() });
        (told, Limits::new(limits))
    }

    #[tokio::test(start_paused = true)]
    async fn workers_share_the_rate_and_a_new_one_counts_at_once() {
        let (told, limits) = limits(1000);
        let pace = std::sync::Arc::new(Pace::new(limits, watch::channel(false).1));
        let begun = Instant::now();
        let worker = |times: u32| {
            let pace = std::sync::Arc::clone(&pace);
            tokio::spawn(async move {
                for _ in 0..times {
                    pace.pass(1000).await;
                }
            })
        };
        let both = (worker(5), worker(5));
        both.0.await.unwrap();
        both.1.await.unwrap();
        let took = begun.elapsed();
        assert!((8..=10).contains(&took.as_secs()), "{took:?}");
        let waits = worker(100_000);
        tokio::time::sleep(Duration::from_secs(2)).await;
        told.send_modify(|limits| limits.bytes_per_second = 0);
        waits.await.unwrap();
        assert!(begun.elapsed() - took < Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_single_copy_rests_beside_others_unless_its_number_was_chosen() {
        let (told, limits) = limits(0);
        let rests = limits.rests_beside_others();
        let (way, makes_way) = watch::channel(true);
        let pace = Pace::new(limits, makes_way);
        let pass = async || {
            let begun = Instant::now();
            for _ in 0..100 {
                pace.pass(1000).await;
                sleep(Duration::from_millis(10)).await;
            }
            begun.elapsed() > Duration::from_millis(1100)
        };
        assert_eq!(pass().await, rests);
        told.send_modify(|limits| limits.jobs = 2);
        assert!(!pass().await);
        told.send_modify(|limits| limits.jobs = 0);
        way.send_replace(false);
        assert!(!pass().await);
    }

    #[test]
    fn what_is_not_told_is_our_own_choice() {
        let (told, limits) = limits(0);
        assert!((WORKERS_MIN..=WORKERS_MAX).contains(&limits.jobs()));
        assert_eq!((limits.part_pages(), limits.snapshot_age()), (PART_PAGES, SNAPSHOT_AGE));
        assert!((SMALL_WORKERS_MIN..=WORKERS_MAX).contains(&limits.small_jobs()));
        assert_eq!(limits.beside_others(6), 3);
        told.send_modify(|limits| limits.jobs = 1000);
        assert_eq!(limits.beside_others(6), 6, "what was chosen stays");
        assert_eq!(limits.jobs(), WORKERS_LIMIT);
        told.send_modify(|limits| limits.jobs = 1);
        assert_eq!((limits.jobs(), limits.small_jobs()), (1, 1));
    }
}
