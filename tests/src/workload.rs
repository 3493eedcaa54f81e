//! A bank: an application that keeps writing, remembers what was acknowledged, and can tell from the data alone
//! whether anything was lost, doubled or torn.
//!
//! Each transaction moves money between two accounts, writes the transfer down, adds the next entry to its writer's
//! ledger, and churns a table of sessions and one of documents; now and then it appends to a list.
mod journal;
mod writer;

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use postgres::Client;

pub use journal::{Journal, check, wrong_moment};

use crate::{Context, Failure, Outcome};

/// Money on each account in the beginning.
const OPENING_BALANCE: i64 = 1_000;

/// The bank's schema, in a schema of its own.
const SCHEMA: &str = include_str!("../sql/bank.sql");

/// Writers stop after the transaction they are in; a server that is gone holds them no longer than this.
const STOP_BOUND: Duration = Duration::from_secs(60);

/// Makes the bank's tables with so many accounts.
///
/// # Errors
/// When the database has them already.
pub fn create(client: &mut Client, accounts: u32) -> Outcome {
    client.batch_execute(SCHEMA).context(|| "make the bank's tables")?;
    client.execute(
        "insert into bank.accounts (id, balance, owner)
         select n, $2, 'owner of account ' || n from generate_series(1, $1::bigint) n",
        &[&i64::from(accounts), &OPENING_BALANCE],
    )?;
    client.batch_execute(
        "insert into bank.documents (id, body)
         select n, jsonb_build_object('n', n, 'text', repeat(md5(n::text), 120)) from generate_series(1, 200) n",
    )?;
    Ok(())
}

/// Where the writers are to write.
#[derive(Clone, PartialEq)]
enum Route {
    To(String),
    Nowhere,
    Home,
}

/// What the writers and the rest of the program tell each other.
struct Board {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    route: Route,
    // Writers that have seen `Nowhere` and stand still.
    idle: usize,
    last_commit: Option<Instant>,
    // The first commit after the last change of the route.
    first_commit: Option<Instant>,
    commits: u64,
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, route: Route) {
        let mut state = self.lock();
        state.route = route;
        state.first_commit = None;
        self.changed.notify_all();
    }
}

/// The running application.
pub struct Application {
    board: Arc<Board>,
    writers: Vec<JoinHandle<Outcome<Journal>>>,
}

impl Application {
    /// Starts `writers` writers against the bank at `url`, each at most once in `pause`.
    #[must_use]
    pub fn start(url: &str, writers: u32, pause: Duration) -> Self {
        let state = State {
            route: Route::To(url.to_owned()),
            idle: 0,
            last_commit: None,
            first_commit: None,
            commits: 0,
        };
        let board = Arc::new(Board { state: Mutex::new(state), changed: Condvar::new() });
        let writers =
            (1..=writers).map(|number| writer::start(number, Arc::clone(&board), pause)).collect();
        Self { board, writers }
    }

    /// Commits that were acknowledged till now.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.board.lock().commits
    }

    /// Stops the writes; returns once no transaction of the application is open.
    ///
    /// # Errors
    /// When a writer does not come to rest within half a minute.
    pub fn stop(&self) -> Outcome {
        self.board.set(Route::Nowhere);
        let all = self.writers.len();
        let waited =
            self.board
                .changed
                .wait_timeout_while(self.board.lock(), STOP_BOUND, |state| state.idle < all);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.idle < all {
            return Err(Failure::new("the application's writers did not come to rest"));
        }
        Ok(())
    }

    /// Goes on, at `url`; returns after the first commit there, with the time since the last commit before it: the
    /// time for which the application could not write.
    ///
    /// # Errors
    /// When nothing is committed within half a minute.
    pub fn go_on(&self, url: &str) -> Outcome<Duration> {
        let last = self.board.lock().last_commit;
        self.board.set(Route::To(url.to_owned()));
        let waited =
            self.board.changed.wait_timeout_while(self.board.lock(), STOP_BOUND, |state| {
                state.first_commit.is_none()
            });
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match (last, state.first_commit) {
            (Some(last), Some(first)) => Ok(first - last),
            (None, Some(_)) => Ok(Duration::ZERO),
            (_, None) => Err(Failure::new("the application could not write at its new place")),
        }
    }

    /// Ends the application, and gives what was acknowledged.
    ///
    /// # Errors
    /// When a writer met an error that was not the server's going away.
    pub fn end(mut self) -> Outcome<Journal> {
        self.board.set(Route::Home);
        let mut whole = Journal::default();
        for writer in self.writers.drain(..) {
            let journal = writer.join().map_err(|_| Failure::new("a writer panicked"))??;
            whole.merge(journal);
        }
        Ok(whole)
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.board.set(Route::Home);
    }
}
