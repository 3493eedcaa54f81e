//! Looks at both servers while a migration runs, and calls what must never be seen.
//!
//! - The slot's `confirmed_flush_lsn` is never beyond the ledger's position.
//! - The epoch never goes back, nor does the position while the target's server lives.
//! - Once the stream has passed the points of all tables, every look at the target is a moment that the source had: no money
//!   is missing, transfers and ledgers belong together, and the lists are beginnings of the source's lists.
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use postgres::{Client, IsolationLevel, NoTls, Transaction};

use crate::{Failure, Outcome, workload};

/// Between looks.
const LOOK_EVERY: Duration = Duration::from_millis(150);

/// What a witness has seen.
#[derive(Debug, Default, Clone)]
pub struct Testimony {
    /// Looks at a target whose stream was past all points.
    pub looks: u64,
    /// Epochs that were installed, the last one.
    pub epoch: i64,
    /// The longest time without a step of the ledger's position, while there was a stream.
    pub longest_stand: Duration,
}

/// A thread that looks.
pub struct Witness {
    enough: Arc<AtomicBool>,
    thread: Option<JoinHandle<Outcome<Testimony>>>,
}

struct Eyes {
    source: String,
    target: String,
    seen: Testimony,
    applied: String,
    // When the target was started: a crash loses commits that were not flushed, which nobody was told of.
    started: String,
    stepped: Option<Instant>,
}

impl Witness {
    /// Of the bank that moves between two databases, in libpq's words.
    #[must_use]
    pub fn start(source: &str, target: &str) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let (own, source, target) = (Arc::clone(&enough), source.to_owned(), target.to_owned());
        let thread = thread::spawn(move || {
            let applied = "0/0".to_owned();
            let mut eyes = Eyes {
                source,
                target,
                seen: Testimony::default(),
                applied,
                started: String::new(),
                stepped: None,
            };
            while !own.load(Ordering::Relaxed) {
                eyes.look()?;
                thread::sleep(LOOK_EVERY);
            }
            Ok(eyes.seen)
        });
        Self { enough, thread: Some(thread) }
    }

    /// Has it seen what must not be? Then it has ended by itself.
    #[must_use]
    pub fn has_called(&self) -> bool {
        self.thread.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// Ends it.
    ///
    /// # Errors
    /// What it has seen and should not have.
    pub fn end(mut self) -> Outcome<Testimony> {
        self.enough.store(true, Ordering::Relaxed);
        let thread = self.thread.take().ok_or_else(|| Failure::new("ended before"))?;
        thread.join().map_err(|_| Failure::new("the witness panicked"))?
    }
}

impl Eyes {
    /// A server that is away, or not yet there, is not looked at.
    fn look(&mut self) -> Outcome {
        let (Ok(mut source), Ok(mut target)) =
            (Client::connect(&self.source, NoTls), Client::connect(&self.target, NoTls))
        else {
            return Ok(());
        };
        match self.compare(&mut source, &mut target) {
            Err(Seen::Wrong(failure)) => Err(failure),
            Err(Seen::Nothing) | Ok(()) => Ok(()),
        }
    }

    fn compare(&mut self, source: &mut Client, target: &mut Client) -> Result<(), Seen> {
        // In this order: what the slot has let go of was in the ledger before.
        let slot = source.query_opt(
            "select confirmed_flush_lsn::text from pg_replication_slots
             where not temporary and slot_name like 'whimbrel%' and database = current_database()",
            &[],
        )?;
        let slot: Option<String> = slot.and_then(|row| row.get(0));
        let mut at = target
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()?;
        let there = at.query_one("select to_regclass('whimbrel.ledger') is not null", &[])?;
        if !there.get::<_, bool>(0) {
            return Ok(());
        }
        if self.ledger(&mut at, slot.as_deref())? {
            let wrong = workload::wrong_moment(&mut at, source)?;
            self.right(wrong.is_none(), &format!("the target at {}: {wrong:?}", self.applied))?;
            self.seen.looks += 1;
        }
        Ok(())
    }

    /// Whether the target is a moment of the source's.
    fn ledger(&mut self, at: &mut Transaction<'_>, slot: Option<&str>) -> Result<bool, Seen> {
        let row = at.query_opt(
            "select epoch, phase, coalesce(applied::text, '0/0'), coalesce(applied, '0/0') >= $1::text::pg_lsn,
                    $2::text::pg_lsn <= applied,
                    coalesce(applied >= (select max(point) from whimbrel.relation), false),
                    pg_postmaster_start_time()::text
             from whimbrel.ledger",
            &[&self.applied, &slot],
        )?;
        let Some(row) = row else { return Ok(false) };
        let epoch: i64 = row.get(0);
        let (phase, applied): (String, String) = (row.get(1), row.get(2));
        self.right(epoch >= self.seen.epoch, &format!("epoch {epoch} after {}", self.seen.epoch))?;
        let started: String = row.get(6);
        let same_life = std::mem::replace(&mut self.started, started) == self.started;
        self.right(
            row.get::<_, bool>(3) || !same_life,
            &format!("position {applied} after {}", self.applied),
        )?;
        let behind: Option<bool> = row.get(4);
        if phase == "stream" {
            let text = format!("the slot is at {slot:?}, ahead of the ledger's {applied}");
            self.right(behind != Some(false), &text)?;
        }
        self.stand(&phase, &applied);
        self.seen.epoch = epoch;
        self.applied = applied;
        Ok(phase == "stream" && row.get(5))
    }

    fn stand(&mut self, phase: &str, applied: &str) {
        if phase != "stream" {
            return;
        }
        let now = Instant::now();
        if applied == self.applied
            && let Some(stepped) = self.stepped
        {
            self.seen.longest_stand = self.seen.longest_stand.max(now - stepped);
        } else {
            self.stepped = Some(now);
        }
    }

    fn right(&self, right: bool, otherwise: &str) -> Result<(), Seen> {
        if right { Ok(()) } else { Err(Seen::Wrong(Failure::new(otherwise))) }
    }
}

/// Why a look came to nothing.
enum Seen {
    /// Something is wrong.
    Wrong(Failure),
    /// A server went away meanwhile.
    Nothing,
}

impl From<postgres::Error> for Seen {
    fn from(_: postgres::Error) -> Self {
        Self::Nothing
    }
}
